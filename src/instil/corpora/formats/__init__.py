"""The formats of corpora, one file for each family.

To add one, write its file and put its `Format` into `FORMATS`; a pair of keys for a question and its answer
is one line in `pairs`.
"""

from __future__ import annotations

from instil.corpora.base import Format
from instil.corpora.formats.alpaca import ALPACA
from instil.corpora.formats.chat import MESSAGES
from instil.corpora.formats.coig import COIG
from instil.corpora.formats.exams import GSM8K, MEDQA, PUBMEDQA
from instil.corpora.formats.hugchat import HUGCHAT
from instil.corpora.formats.lmflow import LMFLOW, LMFLOW_TEXT2TEXT
from instil.corpora.formats.marked import BELLE_MULTITURN, GUANACO, OIG
from instil.corpora.formats.medmcqa import MEDMCQA, MEDMCQA_HUB, MEDMCQA_RAW
from instil.corpora.formats.moss import MOSS
from instil.corpora.formats.openassistant import OPENASSISTANT, OPENASSISTANT_BEST
from instil.corpora.formats.pairs import PAIRS
from instil.corpora.formats.preference import PREFERENCE
from instil.corpora.formats.self_instruct import SELF_INSTRUCT
from instil.corpora.formats.sharegpt import SHAREGPT
from instil.corpora.formats.tools import without_tools
from instil.corpora.formats.ultrachat import ULTRACHAT

__all__ = ["FORMATS", "without_tools"]

# The order in which a record of unknown format is compared with them: the most telling keys first. Of two
# that match the same records the second must be named.
FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        LMFLOW,
        LMFLOW_TEXT2TEXT,
        PREFERENCE,
        MESSAGES,
        SHAREGPT,
        COIG,
        OPENASSISTANT,
        OPENASSISTANT_BEST,
        MOSS,
        SELF_INSTRUCT,
        BELLE_MULTITURN,
        ALPACA,
        MEDMCQA,
        MEDMCQA_RAW,
        MEDMCQA_HUB,
        MEDQA,
        GSM8K,
        *PAIRS,
        ULTRACHAT,
        HUGCHAT,
        OIG,
        GUANACO,
        PUBMEDQA,
    )
}

"""The formats of corpora, one file each.

To add one, write its file and put its `Format` into `FORMATS`.
"""

from __future__ import annotations

from instil.corpora.base import Format
from instil.corpora.formats.alpaca import ALPACA
from instil.corpora.formats.chat import MESSAGES, SHAREGPT
from instil.corpora.formats.hugchat import HUGCHAT
from instil.corpora.formats.pairs import HUATUO, INPUT_TARGET, PROMPT_COMPLETION
from instil.corpora.formats.seed_tasks import SELF_INSTRUCT

# The order in which a file of unknown format is compared with them: the most telling keys first.
FORMATS: dict[str, Format] = {
    each.name: each
    for each in (MESSAGES, SHAREGPT, SELF_INSTRUCT, ALPACA, PROMPT_COMPLETION, INPUT_TARGET, HUATUO, HUGCHAT)
}

"""Text as the units that measures count: words where a language writes them, else characters.

`rouge_score` keeps `[a-z0-9]+` only, so that every Chinese text looks empty to it; here each
character of a script without spaces is a word of its own.
"""

from __future__ import annotations

import re
from unicodedata import category

# Han with extensions and iteration mark, kana in both widths; Hangul is spaced. Then Thai, Lao, Myanmar and
# Khmer, without their punctuation.
_UNSPACED = (
    "\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"
)
_UNSPACED += "\u0e01-\u0e3a\u0e40-\u0e4e\u0e50-\u0e59\u0e80-\u0eff\u1000-\u1049\u1050-\u109f"
_UNSPACED += "\u1780-\u17d3\u17d7\u17dc-\u17ff"
# Accents and vowel signs that are code points of their own (decomposed Latin, Hebrew, Arabic, Indic)
# belong to the word around them; `\w` leaves them out.
_SCRIPTS_WITH_MARKS = (
    range(0x300, 0xE00),
    range(0xF00, 0x1000),
    range(0x1700, 0x1D00),
    range(0xA800, 0xAC00),
)
_MARKS = "".join(
    chr(code) for codes in _SCRIPTS_WITH_MARKS for code in codes if category(chr(code)).startswith("M")
)
_WORD = re.compile(rf"[{_UNSPACED}]|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+")


def words(text: str) -> list[str]:
    """Return the lower-case words of a text; a character each in scripts without spaces."""
    return _WORD.findall(text.lower())

"""Text as the units that measures count: words where a language writes them, else characters.

`rouge_score` keeps `[a-z0-9]+` only, so that every Chinese text looks empty to it; here each
character of a script without spaces is a word of its own.
"""

from __future__ import annotations

import re
from unicodedata import category

# Han with extensions and iteration mark, kana, Hangul is spaced, Thai, Lao, Khmer, Myanmar.
_UNSPACED = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED += "\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff"
# Accents and vowel signs that are code points of their own (decomposed Latin, Hebrew, Arabic, Indic)
# belong to the word around them; `\w` leaves them out.
_MARKS = "".join(chr(code) for code in range(0x300, 0xE00) if category(chr(code)).startswith("M"))
_WORD = re.compile(rf"[{_UNSPACED}]|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+")


def words(text: str) -> list[str]:
    """Return the lower-case words of a text; a character each in scripts without spaces."""
    return _WORD.findall(text.lower())

"""Put together what was broken into lines for the eye."""

from __future__ import annotations

import re

# Scripts and punctuation that stand without spaces: a line break between two of them is none.
_SOLID = "\u2e80-\u303f\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff\u3400-\u9fff"
_SOLID += "\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_SOLID_BREAK = re.compile(rf"(?<=[{_SOLID}])[ \t\r\f]*\n\s*(?=[{_SOLID}])")
_SPACE = re.compile(r"[ \t\n\r\f\xa0]+")
_SOLID_END, _SOLID_START = re.compile(rf"[{_SOLID}]\Z"), re.compile(rf"[{_SOLID}]")
_LAST_WORD, _FIRST_WORD = re.compile(r"[^\W\d_]+\Z"), re.compile(r"[^\W\d_]+")
_SHORTEST = 3  # letters; `in-put` is more often one word than two
HYPHENS = "-\u2010\u00ad\ufffe\x02"  # the last two are what PDFium writes for a hyphen that parts a word


def unwrap(text: str) -> str:
    """Return the text on one line; Chinese and Japanese lines are joined without a space."""
    return _SPACE.sub(" ", _SOLID_BREAK.sub("", text)).strip()


def join(line: str, following: str, known: frozenset[str]) -> str:
    """Return two lines of one paragraph as one.

    A hyphen at the end of the line is dropped where it parts a word, and stays where it belongs to it. The
    words of the document (`known`, in lower case) decide: with the hyphen or without it, if it has one of
    them elsewhere; else it belongs to it between two words that stand alone elsewhere.
    """
    if line[-1:] in HYPHENS and line[-2:-1].isalpha() and following[:1].isalpha():
        return line[:-1] + _hyphen(line[:-1], following, known) + following
    if _SOLID_END.search(line) and _SOLID_START.match(following):
        return line + following
    return f"{line} {following}"


def _hyphen(line: str, following: str, known: frozenset[str]) -> str:
    first, last = _LAST_WORD.search(line), _FIRST_WORD.match(following)
    assert first
    assert last
    a, b = first[0].lower(), last[0].lower()
    if a + b in known:
        return ""
    alone = min(len(a), len(b)) >= _SHORTEST and a in known and b in known
    return "-" if f"{a}-{b}" in known or alone or not following[0].islower() else ""

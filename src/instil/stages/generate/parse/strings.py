"""A string of almost-JSON: where it ends, and what it says.

It ends at the first quote that stands before something a string can stand before (a key with its colon, a
bracket that ends the object …) and leaves what opened inside it in pairs. A quote that was lost is put back
only where a key that items have follows at once.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from instil.stages.generate.parse.keys import is_list_key, is_turn_key, key
from instil.stages.generate.parse.parts import EndOfText, NotRead
from instil.stages.generate.parse.syntax import KEY, QUOTE_IN, QUOTED_KEY, QUOTES, SINGLE, TWIN, VALUE

_LOST_END = re.compile(r"\s*[,，]\s*\Z|\s*[}｝]\s*[,，]\s*[{｛]\s*\Z")
_KEY_AND_VALUE = re.compile(rf"{QUOTED_KEY}\s*{VALUE}", re.DOTALL)
_ESCAPE = re.compile(r"((?:\\u[0-9a-fA-F]{4})+)|\\x([0-9a-fA-F]{2})|\\(.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"} | {c: c for c in "\\/" + QUOTES}
# Who writes \frac or \( with one backslash meant no form feed by it, and no tab by the next \times.
BARE_BACKSLASH = re.compile(
    r"(?<!\\)(?:\\\\)*\\(?:[bf][A-Za-z]|u(?![0-9a-fA-F]{4})|x(?![0-9a-fA-F]{2})|[^\\/bfnrtux\s"
    + QUOTES
    + "])"
)
_LATEX = re.compile(
    r"\\(?:[bf][A-Za-z]|r[a-z]|n(?:abla|eq|ot|ewline|mid|leq|geq)\b"
    r"|t(?:imes|heta|au|o|op|ilde|riangle|anh?)\b(?!\s+[a-z])|t(?:frac|ext(?:bf|it|rm|tt|sf)?)\s*\{)"
)
_LATEX_OR_TEXT = re.compile(r"\\(?:n[eu]\b|t(?:o|op|anh?)\b)")


class String(NamedTuple):
    """A string that was read."""

    value: str
    end: int
    """The position after it."""
    loose: bool = False
    """Whether its end was told by what follows, for not every quote was where it belongs."""
    doubtful: bool = False
    """Whether it could be read in another way."""


def read_string(text: str, position: int, after: re.Pattern[str]) -> String:
    """Return the string that opens at a position.

    Args:
        text: the answer.
        position: of the opening quote.
        after: what may stand behind the string.

    Raises:
        EndOfText: the text ends first.
        NotRead: it is not certain where it ends.
    """
    opener = text[position]
    if text.startswith(opener * 3, position):
        return _block(text, position + 3, opener * 3)
    start, passed, own = position + 1, 0, TWIN.get(opener, opener)
    for found in QUOTE_IN[opener].finditer(text, start):
        quote = found.group()
        if quote[0] == "\\":
            continue
        if after.match(text, found.end()):
            raw = text[start : found.start()]
            loose = passed > 0 or quote != own
            if not loose or _in_pairs(raw, opener, quote):
                return _said(raw, found.end(), loose, loose and _misquoted(raw, opener))
        elif not passed and quote == opener and (lost := _lost_end(text, start, found.start())):
            return _said(text[start:lost], lost, True)
        passed += quote == own
    raise NotRead("a string without a certain end") if passed else EndOfText("in a string")


def read_unopened(text: str, position: int, quote: str, after: re.Pattern[str]) -> String:
    """Return a string whose opening quote is missing; it ends at the first `quote`.

    Raises:
        NotRead: what follows there is not what follows a string.
    """
    ends = (found for found in QUOTE_IN[quote].finditer(text, position) if found.group() == quote)
    end = next(ends, None)
    raw = text[position : end.start()] if end else ""
    if end is None or not raw.strip() or not after.match(text, end.end()) or not _in_pairs(raw, "“", "”"):
        raise NotRead("no value")
    return _said(raw, end.end(), True)


def _block(text: str, start: int, quotes: str) -> String:
    end = text.find(quotes, start)
    if end < 0:
        raise EndOfText("in a string")
    return _said(text[start:end], end + 3, False, _holds_key(text[start:end]))


def _lost_end(text: str, start: int, opens: int) -> int | None:
    """Return where a string ended if the quote at `opens`, the first in it, begins the item's next key."""
    before = text[start:opens]
    lost = _LOST_END.search(before)
    name = KEY.match(text, opens)
    if lost is None or name is None or not _KEY_AND_VALUE.match(text, opens):
        return None
    raw = before[: lost.start()]
    return start + len(raw) if raw.strip() and key(name[2] or "").part and _in_pairs(raw, "“", "”") else None


def _said(raw: str, end: int, loose: bool, doubtful: bool = False) -> String:
    value, escapes_doubtful = _unescaped(raw)
    return String(value, end, loose, doubtful or escapes_doubtful or (loose and _holds_key(raw)))


def _unescaped(raw: str) -> tuple[str, bool]:
    """Return the text of a string, and whether its escapes leave a doubt.

    A backslash before what no escape has stays as it is.
    """
    if "\\" not in raw:
        return raw, False
    latex = BARE_BACKSLASH.search(raw) is not None
    doubtful = False

    def replace(found: re.Match[str]) -> str:
        nonlocal doubtful
        unicode, latin, letter = found.groups()
        if unicode:
            # Together, because a character beyond the first plane is two of them.
            return str(json.loads(f'"{unicode}"'))
        if latin:
            return chr(int(latin, 16))
        if latex and _LATEX.match(raw, found.start()):
            return found.group()
        doubtful |= latex and _LATEX_OR_TEXT.match(raw, found.start()) is not None
        return _ESCAPED.get(letter, found.group())

    return _ESCAPE.sub(replace, raw), doubtful


def _in_pairs(raw: str, opener: str, closer: str) -> bool:
    """Return whether what opens inside a string also closes there, so that it can end behind it."""
    if any(raw.count(left) != raw.count(right) for left, right in ("{}", "[]")):
        return False
    if raw.count("‘") > raw.count("’") and closer == "’":
        return False
    if opener in "“”" or closer in "“”":
        return raw.count("“") == raw.count("”")
    if opener in SINGLE:
        return True  # an apostrophe stands alone
    bare = re.sub(r"\\.", "", raw, flags=re.DOTALL)
    inches = len(re.findall(rf"\d{closer}(?=[\w )-])", bare))
    return bare.count(closer) % 2 == 0 or bare.count(closer) == inches


def _holds_key(raw: str) -> bool:
    """Return whether a key of an item seems to stand in a string."""
    names = (found.group(2) for found in KEY.finditer(raw) if found.group(1))
    return any(key(name).part or is_list_key(name) or is_turn_key(name) for name in names)


def _misquoted(raw: str, opener: str) -> bool:
    """Return whether the pairs of quotes in a string open before a space, as in `"a" + "b"` they do."""
    if opener in SINGLE or raw.count(opener) % 2:
        return False
    bare = re.sub(r"\\.", "x", raw, flags=re.DOTALL)
    return any(not quoted or quoted[0].isspace() for quoted in bare.split(opener)[1::2])

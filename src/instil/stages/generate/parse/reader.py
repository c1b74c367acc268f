"""One object out of text that is almost JSON, or a reason why it cannot be read for certain.

A recursive descent over what teachers write for JSON: single, smart and full-width quotes, brackets,
colons and commas; bare keys; Python's and JavaScript's literals; comments; commas and closing braces that
are missing or too many; quotes and line breaks that nobody escaped. Unlike a general repair it knows
which keys an item has, and it would rather give up than guess:

- Where a string ends is told by what follows it (see `strings`).
- Nothing is closed that the text does not close: at the end of the text the object is cut off.
- Where a quote was taken for content, or is missing, the object may have no key that nobody expects.
"""

from __future__ import annotations

import re
from typing import Any

from instil.stages.generate.parse.keys import is_known
from instil.stages.generate.parse.parts import Doubtful, EndOfText, NotRead
from instil.stages.generate.parse.strings import String, read_string, read_unopened
from instil.stages.generate.parse.syntax import (
    COMMA,
    ENDS_SCALAR,
    IN_LIST,
    IN_OBJECT,
    KEY,
    LITERALS,
    NAME,
    NUMBER,
    QUOTES,
    SKIP,
    SKIP_COMMAS,
    Q,
)

_DEEPEST = 24
_PLAIN = ('"', "'")


class Repeated(dict[str, Any]):
    """An object in which a key comes twice; as a dict, the last value counts."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


class Number(str):
    """A number as the teacher wrote it: 1.10 stays 1.10, and thousands of digits cost nothing."""

    __slots__ = ()


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object that remembers keys which come twice."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(pairs)


def read_object(text: str, position: int) -> tuple[dict[str, Any], int]:
    """Return the object that starts at a brace, or at a key whose brace is missing, and where it ends.

    Raises:
        EndOfText: the text ends first.
        Doubtful: it was read, but could be read in another way.
        NotRead: it is nothing like JSON.
    """
    reader = _Reader(text)
    value, end = reader.object(position, 0)
    if reader.doubtful or (reader.loose and not all(is_known(name) for name in reader.names)):
        raise Doubtful(end)
    return value, end


class _Reader:
    """The state of reading one object."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: list[str] = []
        self.loose = False
        """Whether a quote was taken for content."""
        self.doubtful = False

    def object(self, position: int, depth: int) -> tuple[dict[str, Any], int]:
        """Return an object and the position after it."""
        if depth > _DEEPEST:
            raise NotRead("too deep")
        text = self.text
        position += text[position] in "{｛"
        pairs: list[tuple[str, Any]] = []
        while True:
            start = position
            position = self._gap(SKIP_COMMAS, position)
            if text[position] in "}｝":
                return unique(pairs), position + 1
            # Its brace is missing: the list ends, or the next object starts.
            if pairs and text[position] in "]］{｛":
                return unique(pairs), position
            found = KEY.match(text, position)
            if found is None:
                raise self._stuck(position)
            quote, quoted, bare = found.groups()
            if bare and pairs and not re.search(rf"{COMMA}|\n", text[start:position]):
                raise NotRead("a word where a comma should be")
            name = quoted if quote else bare
            self.names.append(name)
            value, position = self._value(found.end(), depth, quote or "bare")
            pairs.append((name, value))

    def _stuck(self, position: int) -> NotRead:
        # A key that the end of the text cuts off is the text's end, not a mistake.
        rest = self.text[position : position + 64]
        whole = len(self.text) - position <= len(rest)
        if whole and re.fullmatch(rf"{Q}?[^\n:：{QUOTES}]*{Q}?\s*", rest):
            return EndOfText("in a key")
        return NotRead("no key")

    def _gap(self, pattern: re.Pattern[str], position: int) -> int:
        """Return where the gap ends that may be empty."""
        found = pattern.match(self.text, position)
        position = found.end() if found else position
        if position >= len(self.text):
            raise EndOfText("between values")
        return position

    def _value(self, position: int, depth: int, style: str) -> tuple[Any, int]:
        position = self._gap(SKIP, position)
        mark = self.text[position]
        after = IN_LIST if style == "list" else IN_OBJECT["bare" if style == "bare" else "quoted"]
        if mark in "{｛":
            return self.object(position, depth + 1)
        if mark in "[［":
            return self._list(position + 1, depth + 1)
        try:
            if mark in QUOTES:
                return self._string(read_string(self.text, position, after))
            return self._scalar(position)
        except NotRead:
            # A string that lost its opening quote can begin like anything.
            if style not in _PLAIN or mark == style:
                raise
            return self._string(read_unopened(self.text, position, style, after))

    def _string(self, found: String) -> tuple[str, int]:
        self.loose |= found.loose
        self.doubtful |= found.doubtful
        return found.value, found.end

    def _scalar(self, position: int) -> tuple[Any, int]:
        """Return a number as it is written, or what a name stands for."""
        found = NAME.match(self.text, position)
        value: Any = LITERALS[found.group().lower()] if found else None
        if found is None:
            found = NUMBER.match(self.text, position)
            value = Number(found.group()) if found else None
        if found is None:
            raise NotRead("no value")
        if found.end() == len(self.text):
            raise EndOfText("in a number or a name")
        if not ENDS_SCALAR.match(self.text, found.end()):
            raise NotRead("words behind a value")
        return value, found.end()

    def _list(self, position: int, depth: int) -> tuple[list[Any], int]:
        if depth > _DEEPEST:
            raise NotRead("too deep")
        values: list[Any] = []
        while True:
            position = self._gap(SKIP_COMMAS, position)
            if self.text[position] in "]］":
                return values, position + 1
            value, position = self._value(position, depth, "list")
            values.append(value)

"""What is read from any container: a record with its place and its very text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from instil.corpora.base import Failure

LONGEST = 64 << 20
"""A line, a record or a row of a table that has more bytes than this is a failure."""
TOO_LONG = f"longer than {LONGEST >> 20} MB"
NO_OBJECT = "not a JSON object"


@dataclass(frozen=True)
class Places:
    """How the records of one file are named."""

    name: str
    """The file's name; of a file in an archive, `archive.zip/name`."""
    unit: Literal["line", "record"]

    def place(self, number: int) -> str:
        """Return `name:line N` or `name:record N`."""
        return f"{self.name}:{self.unit} {number}"

    def failure(self, number: int, reason: str) -> Failure:
        """Return what says that a record could not be read; a line stays a number, to be counted on."""
        if self.unit == "line":
            return Failure(self.name, reason, line=number)
        return Failure(self.place(number), reason)


class Tally:
    """How far the lines of a part were read."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines = 0


class Batch:
    """The text of several objects that were decoded at once, taken apart if somebody asks for it."""

    def __init__(self, text: str, number: int) -> None:
        self._text, self._number = text, number
        self._borders: list[tuple[int, int]] = []

    def of(self, number: int) -> str:
        """Return the text of one of them, by its number."""
        if not self._borders:
            decode, end = json.JSONDecoder().raw_decode, 0
            while (start := self._text.find("{", end)) >= 0:
                _, end = decode(self._text, start)
                self._borders.append((start, end))
        start, end = self._borders[number - self._number]
        return self._text[start:end]


# Not frozen: a frozen one takes a microsecond to make, which is as long as reading the record.
@dataclass(slots=True)
class RawRecord:
    """One record of a file."""

    places: Places
    number: int
    """Of its line or of the record, counted from 1; lines from the beginning of the part that is read."""
    text: bytes | str | Batch | None
    """Its text as it stands in the file, with line ends; None where the container is no JSON."""
    value: dict[str, Any]

    @property
    def place(self) -> str:
        """`file:record N` or `file:line N`; a failure says it with `failure`."""
        return self.places.place(self.number)

    @property
    def line(self) -> bytes | None:
        """Its text in UTF-8, on one line without an end; nothing else is changed."""
        text = self.text.of(self.number) if isinstance(self.text, Batch) else self.text
        if text is None:
            return None
        if isinstance(text, str):
            text = text.encode()
        # Strings of JSON hold no line breaks, so that these stand between its tokens.
        return b"".join([line.strip() for line in text.splitlines()])

    def failure(self, reason: str) -> Failure:
        """Return what says why the record is of no use."""
        return self.places.failure(self.number, reason)


def not_utf8(data: bytes) -> str | None:
    """Return the reason why bytes are not read: they are not UTF-8; None if they are."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8: byte 0x{data[error.start]:02x} at byte {error.start + 1}"
    return None


def repeated_key(text: bytes | str, value: dict[str, Any]) -> str | None:
    """Return the reason why an object is ambiguous: a key in it stands twice, with different values.

    Readers of JSON keep the last value and say nothing (RFC 8259, section 4). To be quick, only an object
    is read again whose text has not `"key":` exactly once for each key.
    """
    mark: Any = '":' if isinstance(text, str) else b'":'
    marks = text.count(mark)
    if marks == _keys(value):
        return None
    repeated: list[str] = []

    def merged(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeated.extend(key for key, each in pairs if found[key] != each)
        return found

    try:
        # The mark may stand in strings; then it stands in those that are written again too.
        if marks == orjson.dumps(value).count(b'":'):
            return None
        json.loads(text, object_pairs_hook=merged)
    except (orjson.JSONEncodeError, RecursionError):
        return "nested too deep"
    return f"the key {repeated[0]!r} stands twice, with different values" if repeated else None


def _keys(value: dict[str, Any]) -> int:
    """Return how many keys an object has, with those of the objects in it and in its lists."""
    keys = len(value)
    for each in value.values():
        if type(each) is dict:
            keys += _keys(each)
        elif type(each) is list:
            for item in each:
                if type(item) is dict:
                    keys += _keys(item)
    return keys

"""JSON objects that are not one a line: in a list, indented one after the other, or inside one object.

A window moves over the file, so that memory is bounded by the longest object. Of a list, all objects in the
window are decoded at once; where that fails, and in the other containers, each is decoded alone. After a
broken one the reading goes on where the next begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from instil.corpora.base import Failure
from instil.corpora.containers.record import (
    LONGEST,
    NO_OBJECT,
    TOO_LONG,
    Batch,
    Places,
    RawRecord,
    not_utf8,
    repeated_key,
)
from instil.corpora.containers.shapes import INSTANCES, Kind
from instil.corpora.containers.streams import Reader
from instil.corpora.containers.windows import Beginning, Window, beginning_of

_BETWEEN = re.compile(r"[\s,]*")
_COLON = re.compile(r"\s*:\s*")
_LONGEST_TOKEN = 16  # of what JSON has besides strings and numbers: `\ud83d\ude00`, `-Infinity`
_LOOK_BACK = 1 << 12  # how much is kept of a window in which no record begins: its end may begin there


class _Broken(NamedTuple):
    """Why there is no object, and where that shows."""

    reason: str
    position: int


def read_values(file: Reader, places: Places, kind: Kind) -> Iterator[RawRecord | Failure]:
    """Yield every object as a record.

    Args:
        file: UTF-8, at its beginning.
        places: names the records.
        kind: `values`; or `mapping`, whose records get their key as `_key`; or `instances`, whose records
            get the type of all as `type`.
    """
    return _Values(file, places, kind).read()


class _Values:
    def __init__(self, file: Reader, places: Places, kind: Kind) -> None:
        self._window, self._places, self._kind = Window(file), places, kind
        self._keyed = kind == "mapping"
        self._shared: dict[str, Any] = {}
        self._beginning: Beginning | None = None
        self._inside = False
        """Whether the list, or the object around the objects, was opened."""
        self._alone = 0
        """Up to where in the window objects are decoded alone."""
        self._constants: list[str] = []
        """What the decoder let pass of the last object that is not JSON: NaN, Infinity."""
        self._decode = json.JSONDecoder(parse_constant=self._constants.append).raw_decode

    def read(self) -> Iterator[RawRecord | Failure]:
        position, number = self._begin(), 0
        while (next_object := self._next(position)) is not None:
            before, position = next_object
            if self._inside and position >= self._alone and self._kind == "values":
                values, piece, end = self._objects(position)
                batch = Batch(piece, number + 1)
                for value in values:
                    number += 1
                    yield RawRecord(self._places, number, batch, value)
                position = end
                continue
            found = self._object(position, number + 1)
            if found is None:
                self._move(before)
                position = 0
                continue
            number += 1
            if not isinstance(found, _Broken):
                yield found[0]
                position = found[1]
                continue
            lines = f"lines {self._window.line(position)} to {self._window.line(found.position)}"
            following = self._following(position, found.position)
            last = "" if following is not None else "; nothing was read after it"
            yield Failure(f"{self._places.place(number)} ({lines})", found.reason + last)
            if following is None:
                return
            position = following

    def _begin(self) -> int:
        """Return where the first object is looked for."""
        self._move(0)
        if self._kind != "instances":
            return 0
        opening = INSTANCES.match(self._window.text)
        assert opening is not None
        self._shared["type"] = opening[1]
        self._inside = True
        return opening.end()

    def _move(self, position: int) -> None:
        self._window.move(position)
        self._alone = 0

    def _next(self, position: int) -> tuple[int, int] | None:
        """Return the end of what was read and where the next object begins; None at the end of the file."""
        opening, closing = "{}" if self._keyed else "[]"
        while True:
            text, before = self._window.text, position
            position = _BETWEEN.match(text, before).end()  # type: ignore[union-attr]  # matches nothing too
            if position == len(text):
                if self._window.ended:
                    return None
                self._move(max(before, position - _LOOK_BACK))
                position = 0
            elif text[position] == closing or (text[position] in "]}" and not self._inside):
                position, self._inside = position + 1, False
            elif text[position] == opening and not self._inside:
                position, self._inside = position + 1, True
            else:
                if not self._beginning:
                    self._beginning = beginning_of(text, before, position, keyed=self._keyed)
                return before, position

    def _objects(self, position: int) -> tuple[list[dict[str, Any]], str, int]:
        """Return the objects of a list from a position on, their text, and where the next one begins.

        The last in the window is not among them, because it may go on behind it. Where not all are as they
        should be there are none, and each is to be decoded alone up to where they were looked for.
        """
        assert self._beginning is not None
        text = self._window.text
        # A piece that ends inside an object is no JSON, so that this may be wrong.
        end = text.rfind(self._beginning.mark, position + 1)
        piece = text[position:end].rstrip(", \t\r\n") if end >= 0 else ""
        values = _decoded(piece) if len(piece) <= LONGEST else None
        if not values:
            self._alone = end if end >= 0 else len(text)
            return [], "", position
        return values, piece, end

    def _object(self, position: int, number: int) -> tuple[RawRecord | Failure, int] | _Broken | None:
        """Return the record at a position and where it ends, or None if the window ends in it."""
        text, key, start = self._window.text, None, position
        self._constants.clear()
        try:
            if self._keyed:
                key, start = self._key(position)
            value, end = self._decode(text, start)
        except json.JSONDecodeError as error:
            # A string that does not end in the window may do so behind it, and so may any other token.
            unterminated = error.msg.startswith("Unterminated string")
            if (unterminated or error.pos >= len(text) - _LONGEST_TOKEN) and not self._window.ended:
                return None if len(text) - position <= LONGEST else _Broken(TOO_LONG, position)
            line = self._window.line(error.pos)
            return _Broken(f"not JSON: {error.msg.removesuffix(' at')} at line {line}", error.pos)
        except RecursionError:
            return _Broken("nested too deep", position)
        except ValueError as error:  # a number of thousands of digits
            return _Broken(f"not JSON that can be read: {error}", position)
        if end - position > LONGEST:
            return _Broken(TOO_LONG, position)
        if type(value) is not dict:
            # `12` may be the beginning of `123`.
            whole = end < len(text) or self._window.ended
            return (self._places.failure(number, NO_OBJECT), end) if whole else None
        text = text[start:end]
        if reason := self._what_is_wrong(text, value):
            return self._places.failure(number, reason), end
        if self._kind == "values":
            return RawRecord(self._places, number, text, value), end
        added = {"_key": key} if self._keyed else self._shared
        return RawRecord(self._places, number, None, {**added, **value}), end

    def _key(self, position: int) -> tuple[str, int]:
        text = self._window.text
        key, end = self._decode(text, position)
        colon = _COLON.match(text, end)
        if not isinstance(key, str) or not colon:
            raise json.JSONDecodeError("Expecting a key and ':'", text, end)
        return key, colon.end()

    def _what_is_wrong(self, text: str, value: dict[str, Any]) -> str | None:
        if self._constants:
            return f"not JSON: {self._constants[0]}"
        # The decoder lets halves of surrogate pairs pass, escaped ones and those that bytes were made.
        try:
            if not text.isascii():
                text.encode()
            if "\\u" in text and ("\\ud" in text or "\\uD" in text):
                orjson.loads(text)
        except UnicodeEncodeError:
            return not_utf8(text.encode(errors="surrogateescape"))
        except orjson.JSONDecodeError as error:
            return f"not JSON: {error.msg}"
        if text.count('":') == len(value):  # as in json_lines.py
            return None
        return repeated_key(text, value)

    def _following(self, position: int, wrong: int) -> int | None:
        """Return where the object after a broken one begins, in the window as it is then; None if none does.

        Args:
            position: the broken object.
            wrong: where it is broken.
        """
        assert self._beginning is not None
        window, begin = self._window, position + 1
        while (following := self._beginning.after(window.text, begin, wrong)) is None and not window.ended:
            self._move(max(begin, len(window.text) - _LOOK_BACK))
            begin = wrong = 0
        return following


def _decoded(piece: str) -> list[dict[str, Any]] | None:
    """Return the objects that stand in a piece of a list; None if they are not all as they should be."""
    try:
        values: list[dict[str, Any]] = orjson.loads(f"[{piece}]")
        sound = piece.count('":') == orjson.dumps(values).count(b'":')  # no key stands twice
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    return values if sound and all(type(value) is dict for value in values) else None

"""Records with the very text of their file, for commands that write rows again as they were.

Reading a record and writing it again would change what JSON can say in several ways: long numbers, escapes,
keys that stand twice. Containers and broken records are treated as in `records.py`, but JSON Lines are
streamed. A list is held in memory while it is read.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from instil.corpora.base import Failure
from instil.errors import StageError

_DECODER = json.JSONDecoder()
_NEXT_RECORD = re.compile(r"\n\s*\{")
_BETWEEN = re.compile(r"[\s,]*")
_BOM = b"\xef\xbb\xbf"


class RawRecord(NamedTuple):
    """One JSON object of a file."""

    place: str
    """`file:record N` or `file:line N`."""
    line: bytes
    """Its text in UTF-8, on one line without an end; nothing else is changed."""
    value: dict[str, Any]


def read_raw_records(path: Path) -> Iterator[RawRecord | Failure]:
    """Yield every record of a file with its own text, and a failure for every broken one.

    Raises:
        StageError: the file cannot be read at all.
    """
    with _opened(path) as file:
        number, line = _first_line(file)
        if line.startswith(b"[") or line == b"{":
            yield from _records(path.name, _decoded(path, line + b"\n" + file.read()), number)
            return
        while line or number == 1:
            if line:
                yield _record(f"{path.name}:line {number}", line)
            number, line = number + 1, file.readline()
            while line.isspace():
                number, line = number + 1, file.readline()
            line = line.strip()


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that may be gzipped, whatever its name says."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            yield gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[misc]
    except (OSError, EOFError, zlib.error) as error:
        raise StageError(f"cannot read {str(path)!r}: {error}") from error


def _first_line(file: IO[bytes]) -> tuple[int, bytes]:
    """Return the number of the first line that is not blank and the line, without a byte order mark."""
    number = 1
    line = file.readline().removeprefix(_BOM)
    while line.isspace():
        number, line = number + 1, file.readline()
    return number, line.strip()


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise StageError(
            f"{str(path)!r} is not UTF-8 text", hint="convert the file to UTF-8 first"
        ) from error


def _record(place: str, line: bytes) -> RawRecord | Failure:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Failure(place, f"not JSON: {error}")
    return RawRecord(place, line, value) if isinstance(value, dict) else Failure(place, "not a JSON object")


def _one_line(text: str) -> bytes:
    # Strings of JSON hold no line breaks, so that these stand between its tokens.
    return b"".join([line.strip() for line in text.encode().splitlines()])


def _records(name: str, text: str, first_line: int) -> Iterator[RawRecord | Failure]:
    """Read a list, or indented records one after the other.

    After a broken record the reading goes on at the next line that begins with a brace.
    """
    position, number = 1 if text[0] == "[" else 0, 0
    line, counted = first_line, 0
    while True:
        position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]  # matches nothing too
        if position == len(text) or text[position] == "]":
            return
        number += 1
        place = f"{name}:record {number}"
        try:
            _, end = _DECODER.raw_decode(text, position)
            # The decoder lets NaN and halves of surrogate pairs pass, which are not JSON.
            yield _record(place, _one_line(text[position:end]))
            position = end
        except json.JSONDecodeError as error:
            line, counted = line + text.count("\n", counted, position), position
            following = _NEXT_RECORD.search(text, position + 1)
            position = following.end() - 1 if following else len(text)
            last = "" if following else "; nothing was read after it"
            yield Failure(
                f"{place} (lines {line} to {error.lineno + first_line - 1})",
                f"not JSON: {error.msg} at line {error.lineno + first_line - 1}{last}",
            )

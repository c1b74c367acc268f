"""JSON Lines: a record on each line. Most bytes of most corpora pass here, so it must be quick."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import orjson

from instil.corpora.base import Failure
from instil.corpora.containers.record import (
    LONGEST,
    NO_OBJECT,
    TOO_LONG,
    Places,
    RawRecord,
    Tally,
    not_utf8,
    repeated_key,
)
from instil.corpora.containers.streams import BLOCK, Cut, Reader


def read_lines(
    file: Reader, places: Places, tally: Tally, start: int = 0, end: int | None = None
) -> Iterator[RawRecord | Failure]:
    """Yield the record of every line that is not blank.

    Args:
        file: at its beginning, or behind a byte order mark.
        places: names the lines, which are counted from the first that is read.
        tally: is told how many lines were read.
        start: the first line is the first that begins at this byte or after it; not 0 where `file` can seek.
        end: the last line is the last that begins before this byte; None: that of the file.
    """
    end = sys.maxsize if end is None else end
    if start:
        # The line before may end at `start` exactly.
        file.seek(start - 1)
        _skip_line(file)
        position = file.tell()
    else:
        # A byte order mark may have been read, and belongs to the first line.
        position = 0 if end == sys.maxsize else file.tell()
        end = max(end, position + 1)
    loads, readline, number = orjson.loads, file.readline, 0
    while position < end and (line := readline(LONGEST + 1)):
        position += len(line)
        tally.lines = number = number + 1
        if len(line) > LONGEST:
            position += _skip_line(file)
            yield places.failure(number, TOO_LONG)
            continue
        try:
            value = loads(line)
        except orjson.JSONDecodeError as error:
            if not line.isspace():
                yield places.failure(number, _reason(line, error))
            continue
        # As many `"key":` as keys: no key stands twice. Most records need no closer look.
        if type(value) is dict and line.count(b'":') == len(value):
            yield RawRecord(places, number, line, value)
        elif type(value) is not dict:
            yield places.failure(number, NO_OBJECT)
        elif reason := repeated_key(line, value):
            yield places.failure(number, reason)
        else:
            yield RawRecord(places, number, line, value)


def count_lines(file: Reader) -> int:
    """Return how many lines a file has, the last one also if it has no end; where it is cut is one more."""
    lines, last = 0, b"\n"
    try:
        while block := file.read1(BLOCK):
            lines += block.count(b"\n")
            last = block[-1:]
    except Cut:
        return lines + 1
    return lines + (last != b"\n")


def _skip_line(file: Reader) -> int:
    """Read up to the end of the line, and return how many bytes that were."""
    skipped = 0
    while line := file.readline(BLOCK):
        skipped += len(line)
        if line.endswith(b"\n"):
            break
    return skipped


def _reason(line: bytes, error: orjson.JSONDecodeError) -> str:
    return not_utf8(line) or f"not JSON: {error.msg} at column {error.colno}"

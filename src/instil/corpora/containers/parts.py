"""Files as pieces that several processes can read, and as records in order."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

from instil.corpora.base import Failure, Part
from instil.corpora.containers.archives import sizes
from instil.corpora.containers.columnar import row_groups
from instil.corpora.containers.contents import Content, count, look, read
from instil.corpora.containers.record import RawRecord, Tally
from instil.corpora.containers.streams import BLOCK, Cut
from instil.errors import StageError


def split(path: Path, size: int = 32 << 20) -> list[Part]:
    """Return the pieces of a file that can be read alone, in its order; together they are all of it.

    These are ranges of bytes of JSON Lines, row groups of Parquet, and members of zip and tar archives. What
    must be read from its beginning is one piece: lists, tables, and what is packed as a whole.

    Args:
        path: a file.
        size: about how many unpacked bytes a piece has, where that can be chosen.

    Raises:
        StageError: the file cannot be read at all.
    """
    with _opened(path) as content:
        if content.plain and content.kind == "lines":
            return _ranges(path, size)
        if content.plain and content.kind == "parquet":
            unpacked = [max(1, group) for group, _ in row_groups(content.file, path.name)]
            share = path.stat().st_size / max(1, sum(unpacked))
            return _groups(path, [(round(group * share), group) for group in unpacked], size)
        if content.plain and content.kind in ("zip", "tar"):
            with suppress(Cut):  # a tar, whose members are read up to where it is cut
                return _groups(path, sizes(content.file, path.name, content.kind), size)
        return [Part(path, path.stat().st_size)]


def _ranges(path: Path, size: int) -> list[Part]:
    total = path.stat().st_size
    pieces = max(1, round(total / size))
    borders = [total * index // pieces for index in range(pieces + 1)]
    return [Part(path, end - begin, begin, end) for begin, end in pairwise(borders)]


def _groups(path: Path, pieces: Sequence[tuple[int, int]], size: int) -> list[Part]:
    """Return neighbours as parts of about a size; of each piece the bytes it has packed and unpacked."""
    parts: list[Part] = []
    begin = packed = unpacked = 0
    for index, piece in enumerate(pieces, start=1):
        packed, unpacked = packed + piece[0], unpacked + piece[1]
        if unpacked >= size or index == len(pieces):
            parts.append(Part(path, packed, begin, index))
            begin, packed, unpacked = index, 0, 0
    return parts or [Part(path, path.stat().st_size)]


class Records:
    """The records of a part, and what could not be read of it, in the order of the file."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._tally = Tally()

    @property
    def lines(self) -> int:
        """How many lines of JSON Lines were read so far; 0 for what is not read by lines."""
        return self._tally.lines

    def __iter__(self) -> Iterator[RawRecord | Failure]:
        """Yield every record.

        Raises:
            StageError: the file cannot be read at all.
        """
        part = self._part
        with _opened(part.path) as content:
            yield from read(content, self._tally, part.start, part.end)


def open_part(part: Part) -> Records:
    """Return the records of a piece of a file; a record's line is counted from where the piece begins."""
    return Records(part)


def read_records(path: Path) -> Iterator[RawRecord | Failure]:
    """Yield every record of a file, and a failure for everything in it that should be one and is not.

    Raises:
        StageError: the file cannot be read at all.
    """
    return iter(Records(Part(path, 0)))


def count_records(path: Path) -> int:
    """Return how many records a file has at most, quickly: lines, or what the file says of itself.

    Lists of JSON, and what is packed, must be read for it.

    Raises:
        StageError: the file cannot be read at all.
    """
    with _opened(path) as content:
        return count(content)


@contextmanager
def _opened(path: Path) -> Iterator[Content]:
    try:
        with io.BufferedReader(io.FileIO(path), BLOCK) as file:
            yield look(file, path.name, path.stat().st_size)
    except OSError as error:
        raise StageError(f"cannot read {str(path)!r}: {error.strerror or error}") from error

"""Append rows to a JSON Lines file and read them back, also after a crash.

A row is finished when its newline is on disk. A last line without one is what a crash left of
a row; the next writer drops it and the reader does not show it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from instil.errors import StoreError


def encode(row: object) -> bytes:
    """Return one line of JSON with its newline; text is UTF-8, not escaped, NaN is written as null.

    Raises:
        TypeError: the row holds something that JSON cannot.
    """
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


class JsonlWriter:
    """Appends rows to a file; use it in a `with` statement.

    Opening drops a torn last line. `append` is buffered until `sync`, which returns when the rows
    are on disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab+", buffering=1 << 16)
            self._file.truncate(_whole_length(path))
        except OSError as error:
            raise StoreError(f"cannot write {str(path)!r}: {error.strerror}") from error

    def append(self, row: object) -> int:
        """Add one row at the end and return its length in bytes.

        Raises:
            StoreError: the disk is full or the file cannot be written.
        """
        line = encode(row)
        try:
            return self._file.write(line)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def sync(self) -> None:
        """Return once every appended row has reached the disk.

        Raises:
            StoreError: the disk is full or the file cannot be written.
        """
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as close_error:
            if kind is None:
                raise _unwritable(self.path, close_error) from close_error


def write_jsonl(path: Path, rows: Iterable[object]) -> int:
    """Write `rows` to a new file and return how many there were."""
    path.unlink(missing_ok=True)
    count = 0
    with JsonlWriter(path) as writer:
        for row in rows:
            writer.append(row)
            count += 1
        writer.sync()
    return count


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield `(line number, row)` for every finished line of a file that we wrote.

    Lines are counted from 1. A missing file has no rows.

    Raises:
        StoreError: a finished line is not JSON; somebody else changed the file.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise StoreError(
                    f"{str(path)!r} line {number} is not JSON: {error}",
                    hint="the file was changed outside instil; remove its stage directory and run again",
                ) from error


def _whole_length(path: Path) -> int:
    """Return the length in bytes up to and including the last newline."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while size > 0:
            start = max(0, size - (1 << 16))
            file.seek(start)
            newline = file.read(size - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            size = start
    return 0


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot write {str(path)!r}: {error.strerror or error}",
        hint="finished rows are kept; make room and run the same command again",
    )

"""How much a run may have been charged, in a file that a kill cannot take back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

import orjson

from instil.errors import StoreError
from instil.teachers.base import Usage


class Tally:
    """The most tokens that may have been charged so far; use it in a `with` statement.

    One short row, overwritten in place before a call is made and after it. The operating system keeps it
    when the process is killed; there is no fsync, so a power failure can lose the last seconds of it.

    Args:
        path: the file; it may be missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._failed("write", error) from error

    def read(self) -> Usage:
        """Return what was written last, 0 tokens if nothing was.

        Raises:
            StoreError: somebody else changed the file.
        """
        content = os.pread(self._file, 1 << 10, 0)
        try:
            return Usage.model_validate(orjson.loads(content)) if content else Usage()
        except ValueError as error:
            raise self._failed("read", error) from error

    def write(self, most: Usage) -> None:
        """Note what may have been charged by now.

        Raises:
            StoreError: the disk is full or the file cannot be written.
        """
        # Always as long as the last one, so that nothing of that stands behind it.
        row = b'{"input_tokens": %18d, "output_tokens": %18d}\n' % (most.input_tokens, most.output_tokens)
        try:
            os.pwrite(self._file, row, 0)
        except OSError as error:
            raise self._failed("write", error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def _failed(self, verb: str, error: Exception) -> StoreError:
        return StoreError(
            f"cannot {verb} {str(self._path)!r}: {getattr(error, 'strerror', None) or error}",
            hint="it counts what calls without an answer may have cost; without it a budget forgets them",
        )

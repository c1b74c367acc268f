"""A file is whole or absent.

What this does not protect against: two writers of one file (the run's lock does that), and file
systems that reorder a rename before the data it names even after fsync.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from instil.errors import StoreError


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a binary file that appears under `path` only when the block ends without an error.

    Raises:
        StoreError: the disk is full or the place cannot be written; an older file is left as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_directory(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot write {str(path)!r}: {error.strerror or error}",
            hint="nothing was changed; make room or check the permissions and run the same command again",
        ) from error


def remove_leftovers(directory: Path) -> None:
    """Remove what `atomic_write` left below a directory when the process was killed in it."""
    for temporary in directory.rglob(".*.tmp"):
        temporary.unlink()


@contextmanager
def writing(path: Path, *others: type[Exception]) -> Iterator[None]:
    """Turn what a library raises while it writes to `path` into an error that a user understands.

    Args:
        path: where it writes.
        others: errors of the library that are no OSError.

    Raises:
        StoreError: the disk is full or the place cannot be written.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, (OSError, *others)):
            raise
        raise StoreError(
            f"cannot write {str(path)!r}: {getattr(error, 'strerror', None) or error}",
            hint="finished work is kept; make room and run the same command again",
        ) from error


def sync_directory(directory: Path) -> None:
    """Return when the names in a directory have reached the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

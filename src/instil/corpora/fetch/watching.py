"""Bytes as they are told to who watches a download."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from instil.data.progress import Progress, Task

_MEGABYTE = 1_000_000


class Megabytes:
    """Tells whole megabytes of what comes in bytes."""

    def __init__(self, task: Task) -> None:
        self._task, self._bytes, self._told = task, 0, 0

    def received(self, count: int) -> None:
        """Add bytes; a negative number takes back what was told too early."""
        self._bytes += count
        now = round(self._bytes / _MEGABYTE)
        self._task.advance(now - self._told)
        self._told = now


@contextmanager
def watched(progress: Progress, what: str, size: int | None) -> Iterator[Megabytes]:
    """Open a download of so many bytes, told in megabytes."""
    total = None if size is None else round(size / _MEGABYTE)
    with progress.task(what, total=total, unit="MB") as task:
        yield Megabytes(task)


def in_words(size: int) -> str:
    """Return a number of bytes to be read, such as 22.8 MB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            value = size / scale
            return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{size} bytes"

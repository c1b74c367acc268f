"""A file that is being downloaded, in pieces and in any order, over several runs.

`NAME.part` has the bytes at their places, and `NAME.part.ranges` says which of them are there: its first
line what file it is, every further one a range that was received. A range is noted after its bytes were
written, so that a process killed at any moment loses no more than what was not noted yet.

What this does not protect against: a power cut that loses bytes whose range reached the disk. The checksum of
the whole file finds it, where one is known.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from instil.store.atomic import sync_directory, writing

Range = tuple[int, int]
"""First byte, and what follows the last one."""

_NOTED = 1 << 20
"""Bytes after which a range is noted while it is being received."""


@dataclass
class PartialFile:
    """The received part of a file; use it in a `with` statement.

    Args:
        final: the name that the file gets when it is whole.
        size: its bytes; None if that is not known: then nothing can be continued.
        version: what tells one content of it from another.
    """

    final: Path
    size: int | None
    version: str
    received: list[Range] = field(default_factory=list, init=False)
    """What was there when it was opened, in order and without overlaps."""

    @property
    def data(self) -> Path:
        """Where the bytes lie until the file is whole."""
        return self.final.with_name(self.final.name + ".part")

    @property
    def ranges(self) -> Path:
        """Where it is noted which bytes there are."""
        return self.final.with_name(self.final.name + ".part.ranges")

    def __enter__(self) -> Self:
        """Open what an earlier run left of the same file, or begin it.

        Raises:
            StoreError: the disk is full or the place cannot be written.
        """
        with writing(self.final):
            self.final.parent.mkdir(parents=True, exist_ok=True)
            self.received = self._read() if self.size is not None and self.data.exists() else []
            if not self.received:
                self.ranges.write_bytes(self._head())
                self.data.write_bytes(b"")
            self._bytes = os.open(self.data, os.O_RDWR)
            self._notes = os.open(self.ranges, os.O_WRONLY | os.O_APPEND)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._bytes)
        os.close(self._notes)

    def holes(self, longest: int) -> list[Range]:
        """Return the ranges that are missing, none longer than `longest` bytes.

        Only for a file of known size.
        """
        assert self.size is not None
        found, at = [], 0
        for start, end in [*self.received, (self.size, self.size)]:
            found += [(low, min(low + longest, start)) for low in range(at, start, longest)]
            at = max(at, end)
        return found

    def restart(self) -> None:
        """Forget what was received."""
        with writing(self.final):
            os.ftruncate(self._notes, 0)
            os.write(self._notes, self._head())
            os.ftruncate(self._bytes, 0)

    def writer(self, start: int) -> Writer:
        """Return what puts bytes into the file from `start` on."""
        return Writer(self, start)

    def put(self, data: bytes, at: int) -> None:
        """Write bytes at their place.

        Raises:
            StoreError: the disk is full.
        """
        with writing(self.final):
            while data:
                written = os.pwrite(self._bytes, data, at)
                data, at = data[written:], at + written

    def note(self, start: int, end: int) -> None:
        """Note that a range was written.

        Raises:
            StoreError: the disk is full.
        """
        with writing(self.final):
            os.write(self._notes, b"%d %d\n" % (start, end))

    def publish(self) -> None:
        """Give the file its final name; call it when it is whole and verified."""
        with writing(self.final):
            os.fsync(self._bytes)
            self.data.replace(self.final)
            self.ranges.unlink(missing_ok=True)
            sync_directory(self.final.parent)

    def discard(self) -> None:
        """Remove what was received: it is not what it must be."""
        self.data.unlink(missing_ok=True)
        self.ranges.unlink(missing_ok=True)

    def _head(self) -> bytes:
        return orjson.dumps({"size": self.size, "version": self.version}) + b"\n"

    def _read(self) -> list[Range]:
        try:
            head, *lines = self.ranges.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        # What follows the last newline was cut off by a kill.
        if head + b"\n" != self._head() or not lines:
            return []
        length = self.data.stat().st_size
        try:
            noted = sorted((int(start), int(end)) for start, end in (line.split() for line in lines[:-1]))
        except ValueError:
            return []
        joined: list[Range] = []
        for start, end in noted:
            if end > length:
                continue
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return joined


class Writer:
    """Puts one stream of bytes into a file and notes how far it is; use it in a `with` statement."""

    def __init__(self, file: PartialFile, start: int) -> None:
        self._file, self._noted = file, start
        self.at = start
        """Where the next byte goes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.at > self._noted:
            self._file.note(self._noted, self.at)

    def put(self, data: bytes) -> None:
        """Write the next bytes.

        Raises:
            StoreError: the disk is full.
        """
        self._file.put(data, self.at)
        self.at += len(data)
        if self.at - self._noted >= _NOTED:
            self._file.note(self._noted, self.at)
            self._noted = self.at

"""Keep every paid answer on disk before anything looks at it.

The journal is a JSON Lines file of `{"key", "teacher", "request", "completion"}`. Its key covers the teacher
and the request, so that a restart, a rebuild or another filter setting asks for nothing twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import orjson

from instil.data.fingerprint import fingerprint
from instil.data.jsonl import JsonlWriter, read_jsonl
from instil.errors import StoreError
from instil.teachers.base import Completion, Request, Teacher, Usage
from instil.teachers.offsets import Offsets

JOURNAL = "journal.jsonl"
"""Name of the file in the directory of a run."""


class PaidAnswers:
    """The answers of a journal, to read only; use it in a `with` statement.

    Keeps 20 to 40 bytes for each answer in memory, not the answer.

    Args:
        path: the file; it may be missing.
        teacher: what of the teacher decides an answer (kind, model …), as JSON values.

    Attributes:
        mark: stands for the teacher in every row.
        spent: what all answers of this teacher in the journal have used, also those of earlier runs.
    """

    def __init__(self, path: Path, teacher: Mapping[str, Any]) -> None:
        self.mark = fingerprint(teacher)
        self._offsets, self.spent = _read(path, self.mark)
        self._path = path
        self._reader: BinaryIO | None = None

    def key(self, request: Request) -> str:
        """Return the key under which the answer of this teacher to `request` is kept."""
        return _key(self.mark, request)

    def __contains__(self, request: Request) -> bool:
        return int(self.key(request), 16) in self._offsets

    def get(self, request: Request) -> Completion | None:
        """Return the answer that was paid before, or None."""
        return self.read(self.key(request))

    def read(self, key: str) -> Completion | None:
        """Return the answer under a key, or None."""
        offset = self._offsets.get(int(key, 16))
        if offset is None:
            return None
        self._reader = self._reader or self._path.open("rb")
        self._reader.seek(offset)
        return Completion.model_validate(orjson.loads(self._reader.readline())["completion"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader:
            self._reader.close()


class Journal(PaidAnswers):
    """Answers on disk by key, and a place for more; use it in a `with` statement."""

    def __init__(self, path: Path, teacher: Mapping[str, Any]) -> None:
        super().__init__(path, teacher)
        self._writer = JsonlWriter(path)
        self._end = path.stat().st_size
        self._next: _Commit | None = None
        self._committing: asyncio.Task[None] | None = None

    async def record(self, request: Request, completion: Completion, key: str | None = None) -> None:
        """Return when the answer is on disk.

        Answers that arrive while one fsync runs share the next one (group commit).

        Args:
            request: what was asked.
            completion: what was answered.
            key: of the request, where the caller knows it.
        """
        key = key or self.key(request)
        row = {"key": key, "teacher": self.mark, "request": request.content, "completion": completion.row()}
        offset = self._end
        self._end += self._writer.append(row)
        commit = self._next = self._next or _Commit()
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all())
        await commit.done.wait()
        if commit.error:
            raise commit.error
        self._offsets[int(key, 16)] = offset
        self.spent += completion.usage

    async def _commit_all(self) -> None:
        """Bring what was appended to the disk, until nothing has been appended meanwhile."""
        try:
            while commit := self._next:
                self._next = None
                try:
                    await asyncio.to_thread(self._writer.sync)
                except StoreError as error:
                    commit.error = error
                commit.done.set()
        finally:
            self._committing = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._writer.__exit__(kind, error, trace)


class _Commit:
    """One fsync, and everyone whose answer it brings to the disk."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.error: StoreError | None = None


class JournalingTeacher:
    """A teacher that never asks for what the journal holds."""

    def __init__(self, teacher: Teacher, journal: Journal) -> None:
        self._teacher, self._journal = teacher, journal

    async def complete(self, request: Request) -> Completion:
        """Return the journaled answer, or ask and journal it first."""
        key = self._journal.key(request)
        known = self._journal.read(key)
        if known is not None:
            return known
        completion = await self._teacher.complete(request)
        await self._journal.record(request, completion, key)
        return completion


def _key(mark: str, request: Request) -> str:
    return hashlib.sha256(f"{mark}:{request.key}".encode()).hexdigest()[:16]


def _read(path: Path, mark: str) -> tuple[Offsets, Usage]:
    """Return where the answers stand, and what those of the teacher with this mark have used."""
    offsets = Offsets()
    position = sent = received = 0
    if not path.exists():
        return offsets, Usage()
    for line, (_, row) in zip(_lines(path), read_jsonl(path), strict=False):
        offsets[int(row["key"], 16)] = position
        position += len(line)
        if row.get("teacher") == mark:
            usage = row["completion"]["usage"]
            sent, received = sent + usage["input_tokens"], received + usage["output_tokens"]
    return offsets, Usage(input_tokens=sent, output_tokens=received)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file

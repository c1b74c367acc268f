"""Keep every paid answer on disk before anything looks at it.

The journal is a JSON Lines file of `{"key", "request", "completion"}`. Its key covers the teacher
and the request, so that a restart, a rebuild or another filter setting asks for nothing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from instil.data.fingerprint import fingerprint
from instil.data.jsonl import JsonlWriter, read_jsonl
from instil.teachers.base import Completion, Request, Teacher


class Journal:
    """Answers on disk by key; use it in a `with` statement.

    Keeps an offset for each answer in memory, not the answer.

    Args:
        path: the file; it may be missing.
        teacher: what of the teacher decides an answer (kind, address, model), as JSON values.
    """

    def __init__(self, path: Path, teacher: Mapping[str, Any]) -> None:
        self._teacher = teacher
        self._offsets = _offsets(path)
        self._writer = JsonlWriter(path)
        self._reader = path.open("rb")
        self._end = path.stat().st_size
        self._appended = self._synced = 0
        self._turn = asyncio.Lock()

    def key(self, request: Request) -> str:
        """Return the key under which the answer of this teacher to `request` is kept."""
        return journal_key(self._teacher, request)

    def __contains__(self, request: Request) -> bool:
        return self.key(request) in self._offsets

    def get(self, request: Request) -> Completion | None:
        """Return the answer that was paid before, or None."""
        offset = self._offsets.get(self.key(request))
        if offset is None:
            return None
        self._reader.seek(offset)
        return Completion.model_validate(orjson.loads(self._reader.readline())["completion"])

    async def record(self, request: Request, completion: Completion) -> None:
        """Return when the answer is on disk.

        Answers that arrive while one fsync runs share the next one (group commit).
        """
        key = self.key(request)
        row = {
            "key": key,
            "request": request.model_dump(mode="json", exclude_defaults=True),
            "completion": completion.row(),
        }
        self._writer.append(row)
        self._appended += 1
        mine, offset = self._appended, self._end
        self._end += len(orjson.dumps(row)) + 1
        async with self._turn:
            if self._synced < mine:
                reached = self._appended
                await asyncio.to_thread(self._writer.sync)
                self._synced = reached
        self._offsets[key] = offset

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._writer.__exit__(kind, error, trace)


class JournalingTeacher:
    """A teacher that never asks for what the journal holds."""

    def __init__(self, teacher: Teacher, journal: Journal) -> None:
        self._teacher, self._journal = teacher, journal

    async def complete(self, request: Request) -> Completion:
        """Return the journaled answer, or ask and journal it first."""
        known = self._journal.get(request)
        if known is not None:
            return known
        completion = await self._teacher.complete(request)
        await self._journal.record(request, completion)
        return completion


def journal_key(teacher: Mapping[str, Any], request: Request) -> str:
    """Return the key of an answer: it covers the teacher and the request."""
    return fingerprint([teacher, request.key])


def journaled_keys(path: Path) -> set[str]:
    """Return the keys in a journal without opening it for writing."""
    return {row["key"] for _, row in read_jsonl(path)}


def _offsets(path: Path) -> dict[str, int]:
    offsets: dict[str, int] = {}
    position = 0
    if not path.exists():
        return offsets
    for line, (_, row) in zip(_lines(path), read_jsonl(path), strict=False):
        offsets[row["key"]] = position
        position += len(line)
    return offsets


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file

"""What was submitted in batches and what came back, on disk, so that no restart pays twice.

`batches.jsonl` has a row for each step of a submission, in the order in which the steps were taken::

    {"mark", "teacher", "requests"}   before anything is sent
    {"mark", "file"}                  the file is at the server; nothing is paid yet
    {"mark", "batch"}                 the batch was created
    {"mark", "void"}                  it was not, and never will be
    {"mark", "ended"}                 its rows are in batches/MARK.jsonl, as the server sent them

Every row is on disk before the next step is taken. So after a crash the last row says what may have
happened at the server: only between `file` and `batch` is that open, and there the server is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from instil.data.fingerprint import fingerprint
from instil.data.jsonl import JsonlWriter, read_jsonl
from instil.errors import StoreError
from instil.store.atomic import atomic_write

_ROWS = "batches"


@dataclass
class Submission:
    """Requests that were, or may have been, submitted together."""

    mark: str
    """Its name, in the log and at the server."""
    keys: tuple[str, ...]
    file_id: str | None = None
    batch_id: str | None = None


class BatchLog:
    """The submissions of one teacher; use it in a `with` statement.

    Args:
        home: a directory that outlives a restart.
        teacher: a fingerprint of where and what is asked; submissions of another are left alone.
    """

    def __init__(self, home: Path, teacher: str) -> None:
        self._home, self._teacher = home, teacher
        self._claims: dict[str, Submission] = {}
        self._rows: dict[str, tuple[Path, int]] = {}
        self._count = 0
        self._read(home / "batches.jsonl")
        self._writer = JsonlWriter(home / "batches.jsonl")

    def claim(self, key: str) -> Submission | None:
        """Return the submission whose end decides what becomes of a request, or None."""
        return self._claims.get(key)

    def row(self, key: str) -> Any | None:
        """Return what the server answered to a request, or None."""
        if key not in self._rows:
            return None
        path, offset = self._rows[key]
        with path.open("rb") as file:
            file.seek(offset)
            return orjson.loads(file.readline())

    def forget(self, key: str) -> None:
        """Let a request be submitted again."""
        self._rows.pop(key, None)

    def intend(self, keys: Sequence[str]) -> Submission:
        """Note that these requests are about to be submitted."""
        # Numbered, because the same requests may be submitted again when a batch expired.
        submission = Submission(fingerprint([self._teacher, self._count, list(keys)]), tuple(keys))
        self._count += 1
        self._note(submission, teacher=self._teacher, requests=list(keys))
        self._open(submission)
        return submission

    def uploaded(self, submission: Submission, file_id: str) -> None:
        """Note that the file is at the server, before a batch is made of it."""
        self._note(submission, file=file_id)
        submission.file_id = file_id

    def created(self, submission: Submission, batch_id: str) -> None:
        """Note that the batch exists."""
        self._note(submission, batch=batch_id)
        submission.batch_id = batch_id

    def void(self, submission: Submission) -> None:
        """Note that there is no batch, so that its requests are free."""
        self._note(submission, void=True)
        self._close(submission)

    def ended(self, submission: Submission, outcome: str, rows: Iterable[bytes]) -> None:
        """Keep the rows that a batch ended with; requests without a row are free."""
        path = self._path(submission.mark)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.writelines(line + b"\n" for line in rows)
        self._note(submission, ended=outcome)
        self._close(submission)
        self._index(submission)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def _note(self, submission: Submission, **what: Any) -> None:
        self._writer.append({"mark": submission.mark, **what})
        self._writer.sync()

    def _read(self, path: Path) -> None:
        alive: dict[str, Submission] = {}
        for _, row in read_jsonl(path):
            if "requests" in row:
                self._count += 1
                if row["teacher"] == self._teacher:
                    alive[row["mark"]] = Submission(row["mark"], tuple(row["requests"]))
                    self._open(alive[row["mark"]])
            elif submission := alive.get(row["mark"]):
                self._step(submission, row)
        for submission in alive.values():
            if submission.file_id is None:
                self._close(submission)  # a batch is made of a file, so there is none

    def _step(self, submission: Submission, row: Mapping[str, Any]) -> None:
        submission.file_id = row.get("file", submission.file_id)
        submission.batch_id = row.get("batch", submission.batch_id)
        if "void" in row or "ended" in row:
            self._close(submission)
        if "ended" in row:
            self._index(submission)

    def _open(self, submission: Submission) -> None:
        for key in submission.keys:
            self._claims[key] = submission
            self._rows.pop(key, None)

    def _close(self, submission: Submission) -> None:
        for key in submission.keys:
            if self._claims.get(key) is submission:
                del self._claims[key]

    def _index(self, submission: Submission) -> None:
        for offset, key in _keys(self._path(submission.mark)):
            self._rows[key] = (self._path(submission.mark), offset)

    def _path(self, mark: str) -> Path:
        return self._home / _ROWS / f"{mark}.jsonl"


def _keys(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the offset and the request of each row."""
    if not path.exists():
        raise StoreError(
            f"{str(path)!r} is missing: it held paid answers",
            hint=f"put it back, or remove {str(path.parent.with_suffix('.jsonl'))!r} to pay for them again",
        )
    offset = 0
    with path.open("rb") as file:
        for line in file:
            yield offset, orjson.loads(line)["custom_id"]
            offset += len(line)

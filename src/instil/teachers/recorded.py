"""Answers from a file, by the content of the request: for demos, dry runs and tests.

A recording has the format of a journal, plain or gzipped, so the journal of any run can be played
again: `kind: recorded` with `path: runs/NAME/journal.jsonl`.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import orjson

from instil.config.base import InputFile
from instil.errors import RecipeError, TeacherRefused
from instil.teachers.base import Completion, Request, TeacherConfigBase


class RecordedConfig(TeacherConfigBase):
    """A teacher that answers from a file; it costs nothing and needs no network."""

    kind: Literal["recorded"]
    path: InputFile
    """A recording: the journal of a run, or an `answers.jsonl.gz` of a packaged scenario."""

    @property
    def paid(self) -> bool:
        """Recorded answers cost nothing."""
        return False

    @asynccontextmanager
    async def open(self, home: Path) -> AsyncIterator[RecordedTeacher]:  # noqa: ARG002
        """Read the recording."""
        yield RecordedTeacher(self.path)


class RecordedTeacher:
    """Answers exactly the requests that were recorded.

    Raises:
        RecipeError: the file is not a recording.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answers: dict[str, Completion] = {}
        for number, line in enumerate(_lines(path), start=1):
            try:
                row = orjson.loads(line)
                completion = Completion.model_validate(row["completion"])
                self._answers[Request.model_validate(row["request"]).key] = completion
            except (ValueError, KeyError, TypeError) as error:
                raise RecipeError(
                    f"{path}:{number}: not a recorded answer: {error}",
                    hint="a recording is the journal.jsonl of a run, plain or gzipped",
                ) from error

    async def complete(self, request: Request) -> Completion:
        """Return the recorded answer.

        Raises:
            TeacherRefused: this request was never recorded.
        """
        answer = self._answers.get(request.key)
        if answer is None:
            raise TeacherRefused(
                f"the recording {self._path.name!r} holds no answer to request {request.key}; it knows "
                f"{len(self._answers)} requests, made of its own seeds, entities, prompt, sampling and seed",
                hint="name a real teacher: generate.teacher with kind: openai_compatible, base_url, model "
                "and api_key_env (see docs/recipe.md)",
            )
        return answer


def _lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            yield from file
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise RecipeError(f"{path}: not a whole gzip file: {error}") from error

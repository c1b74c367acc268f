"""Reject examples that share a long run of words with an evaluation set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from instil.config.base import InputFile, Items
from instil.data.examples import Example, Rejection
from instil.data.words import words
from instil.errors import RecipeError
from instil.filters.base import FilterConfigBase, Stateless


class ContaminationConfig(FilterConfigBase):
    """Reject an example that has a run of `ngram` words in common with an evaluation set."""

    kind: Literal["contamination"]
    against: Annotated[tuple[InputFile, ...], Items] = Field(min_length=1)
    """JSON Lines files whose text must not be in the training data."""
    ngram: int = Field(default=13, gt=1)
    """Length of the run in words; in scripts without spaces, in characters (13 as in GPT-3)."""

    def build(self) -> ContaminationFilter:
        """Read the evaluation sets."""
        runs: dict[tuple[str, ...], str] = {}
        for path in self.against:
            for number, row in _rows(path):
                for text in _texts(row):
                    for run in _runs(text, self.ngram):
                        runs.setdefault(run, f"{path.name}:{number}")
        return ContaminationFilter(runs, self.ngram)


class ContaminationFilter(Stateless):
    """Looks every run of words up in those of the evaluation sets."""

    def __init__(self, runs: dict[tuple[str, ...], str], ngram: int) -> None:
        self._runs, self._ngram = runs, ngram

    def check(self, example: Example) -> Rejection | None:
        """Return a rejection that names the evaluation row, or None."""
        for message in example.messages:
            for run in _runs(message.content, self._ngram):
                row = self._runs.get(run)
                if row is not None:
                    return Rejection(
                        filter="contamination",
                        reason=f"{self._ngram} words in a row as in an evaluation set",
                        example=example,
                        nearest=row,
                    )
        return None


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield `(line number, row)` of a file of the user's, whose last line may lack its newline."""
    for number, line in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise RecipeError(
                    f"{path}:{number}: not JSON: {error}", hint="an evaluation set is one JSON value a line"
                ) from error


def _texts(value: Any) -> Iterator[str]:
    """Yield every piece of text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _runs(text: str, ngram: int) -> Iterator[tuple[str, ...]]:
    found = words(text)
    for start in range(len(found) - ngram + 1):
        yield tuple(found[start : start + ngram])

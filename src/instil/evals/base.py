"""What a benchmark is: models in, scores with standard errors out."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import Field

from instil.config.base import Config
from instil.data.messages import Message, Value
from instil.data.shards import read_rows
from instil.errors import RecipeError

if TYPE_CHECKING:
    from instil.engines.transformers import TransformersEngine


TOO_LONG = "more tokens than the model can read"


class Score(Value):
    """One number with how sure it is."""

    benchmark: str
    metric: str
    subject: str
    """What was measured: `tuned`, `base`, or a reference such as `unigram`."""
    value: float
    stderr: float | None
    """None where one row says nothing about the spread."""
    n: int
    """Rows that were measured."""


class Item(Value):
    """One row of an evaluation set."""

    messages: tuple[Message, ...] = Field(min_length=2)
    """The last one is the reference answer."""
    task: str | None = None
    expect: tuple[str, ...] = ()
    """The answer is counted right if it contains one of these."""


@dataclass(frozen=True)
class Subjects:
    """What is measured, and what it was trained on."""

    engines: Mapping[str, TransformersEngine]
    """By name: `base` and `tuned`."""
    train: Path | None
    """Training rows, where the run has them."""
    validation: Path | None
    """Held-out rows of the mixture, where the run has them."""
    batch_size: int = 8

    @property
    def max_positions(self) -> int | None:
        """The longest row of tokens that every subject can read."""
        limits = [engine.context_tokens for engine in self.engines.values() if engine.context_tokens]
        return min(limits, default=None)


@dataclass
class Report:
    """What a benchmark found."""

    scores: list[Score] = field(default_factory=list)
    transcripts: list[dict[str, Any]] = field(default_factory=list)
    """What was asked and answered, for a person to read."""
    items: int = 0
    """Rows that were measured."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows that were not, by reason; the same for every subject, or nothing could be compared."""


class BenchmarkConfigBase(Config):
    """What every kind of benchmark has."""

    name: str = Field(min_length=1)
    """What it is called in tables."""

    @abstractmethod
    def measure(self, subjects: Subjects) -> Report:
        """Return the scores of every subject on the same items."""


def read_items(path: Path) -> Iterator[Item]:
    """Yield the rows of an evaluation set, a file of examples, or a directory of a mixture's rows.

    Raises:
        RecipeError: a line is not such a row.
    """
    known = set(Item.model_fields)
    if path.is_dir():
        for row in read_rows(path):
            yield Item.model_validate({key: value for key, value in row.items() if key in known})
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
                yield Item.model_validate({key: value for key, value in row.items() if key in known})
            except (ValueError, AttributeError) as error:
                raise RecipeError(
                    f"{path}:{number}: not an evaluation row: {str(error).splitlines()[0]}",
                    hint='for example {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", '
                    '"content": "…"}], "expect": ["…"]}',
                ) from error


def mean(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean of a sample and its standard error."""
    count = len(values)
    average = math.fsum(values) / count
    if count < 2:
        return average, None
    variance = math.fsum((value - average) ** 2 for value in values) / (count - 1)
    return average, math.sqrt(variance / count)


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> tuple[float, float | None]:
    """Return the ratio of two sums over the same rows and its standard error.

    The error is that of a ratio estimator by linearisation (Cochran, Sampling Techniques, 2.11), so
    rows count as the units that were drawn, not the tokens in them.
    """
    count, below = len(numerators), math.fsum(denominators)
    value = math.fsum(numerators) / below
    if count < 2:
        return value, None
    squares = math.fsum((a - value * b) ** 2 for a, b in zip(numerators, denominators, strict=True))
    return value, math.sqrt(squares * count / (count - 1)) / below

"""What a corpus, a format and a row on its way to an example are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pydantic import Field

from instil.config.base import Config
from instil.data.examples import Example, Label, Origin
from instil.data.messages import Message, Turn

Record = Mapping[str, Any]


class Row(NamedTuple):
    """What a record says, before it is an example: plain values, because there are millions of them."""

    turns: Sequence[Turn]
    label: Label | None = None
    origin: Origin | None = None
    """Where it says itself that it came from; None: its corpus."""
    scores: Mapping[str, float] | None = None
    similar: Mapping[str, float] | None = None
    group: str | None = None
    """What it must not be parted from when rows are held out, such as a dialogue that gives several rows."""


class Task(Protocol):
    """A labelled record, to be worded by one of the templates of its kind of task."""

    def row(self, seed: int) -> Row:
        """Return it in the words of the template that the seed and its content choose."""
        ...


@dataclass(frozen=True)
class Format:
    """How the records of a known format become rows."""

    name: str
    matches: Callable[[Record], bool]
    """Whether a record looks like this format; formats are asked in order, the first yes decides."""
    read: Callable[[Record], Iterable[Row | Task]]
    """Returns what a record gives; raises BadRecord where that is nothing."""
    answer: str | None = None
    """The key of the answer, where a record has one question and one answer."""
    write: Callable[[Example], Mapping[str, Any]] | None = None
    """Returns an example as a record of this format; raises BadRecord where the format cannot say it."""


class BadRecord(Exception):
    """A record that is not what its format says; it is counted and written down."""


@dataclass(frozen=True)
class Failure:
    """One record that could not be read."""

    place: str
    """`file:record N`; the file alone where `line` says the rest."""
    reason: str
    line: int | None = None
    """Counted from 1 at the beginning of the part of the file that was read."""

    @property
    def where(self) -> str:
        """The place with its line."""
        return self.place if self.line is None else f"{self.place}:line {self.line}"

    def row(self) -> dict[str, str]:
        """Return what is written to failures.jsonl."""
        return {"place": self.where, "reason": self.reason}


@dataclass(frozen=True)
class Excluded:
    """One row that the recipe leaves out of its source."""

    place: str
    """`file:record N`; the file alone where `line` says the rest."""
    reason: str
    line: int | None = None
    """Counted from 1 at the beginning of the part of the file that was read."""

    @property
    def where(self) -> str:
        """The place with its line."""
        return self.place if self.line is None else f"{self.place}:line {self.line}"


@dataclass(frozen=True)
class Part:
    """A piece of a source that can be read alone."""

    path: Path
    size: int
    """About how many bytes are read from the disk."""
    start: int = 0
    """The first byte of JSON Lines, row group of Parquet, or member of an archive."""
    end: int | None = None
    """What follows the last of them; None: up to the end."""


class Rows(Protocol):
    """What a part of a source gives, in the order of the file."""

    lines: int
    """How many lines were read so far, where places are lines."""

    def __iter__(self) -> Iterator[Row | Failure | Excluded]:
        """Yield every row once; what became of it, if it is none."""
        ...


class SourceConfigBase(Config):
    """What every source of a mixture has."""

    name: str = Field(min_length=1)
    """What the source is called in tables and in the origin of its rows."""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Share of the mixture, relative to the other weights, in rows."""
    max_epochs: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """How often a row may be used when the source is smaller than its share."""
    language: str | None = None
    """ISO 639-1 code of the language of all its rows; not given, it is told where a quota needs it."""
    task_type: str | None = None
    """What kind of task its rows are, for quotas, where they do not say it themselves."""


class CorpusConfigBase(SourceConfigBase):
    """A source that lies outside the run."""

    @abstractmethod
    def parts(self) -> list[Part]:
        """Return the pieces in which the source can be read, each by another process.

        Raises:
            StageError: a file is not there, or is nothing that can be read.
        """

    @abstractmethod
    def open(self, part: Part, seed: int) -> Rows:
        """Return the rows of a piece; `seed` chooses the templates of labelled rows."""

    def preflight(self) -> None:
        """Return if the source can be read now.

        Raises:
            RequestError: something has to be brought first; says how.
        """

    def count_at_most(self) -> int | None:
        """Return a number of rows that the source does not exceed, as fast as it can be told, or None."""
        return None

    @property
    @abstractmethod
    def origin(self) -> Origin:
        """Where rows come from that do not say it themselves."""


def text(record: Record, key: str, *, required: bool = True) -> str:
    """Return the text under a key, white space untouched.

    Raises:
        BadRecord: it is missing, empty though required, or not text.
    """
    value = record.get(key)
    if value is None and not required:
        return ""
    if not isinstance(value, str):
        raise BadRecord(f"{key!r} is {'missing' if value is None else 'not text'}")
    if required and not value.strip():
        raise BadRecord(f"{key!r} is empty")
    return value


def turn(question: str, answer: str) -> tuple[Turn, Turn]:
    """Return one question with its answer."""
    return ("user", question), ("assistant", answer)


def lead(system: str) -> tuple[Turn, ...]:
    """Return a system prompt, or nothing where there is no text."""
    return (("system", system),) if system.strip() else ()


def example(row: Row, origin: Origin) -> Example:
    """Return a row as an example."""
    messages = tuple(Message(role=role, content=content) for role, content in row.turns)
    return Example(
        messages=messages,
        origin=row.origin or origin,
        label=row.label,
        scores=row.scores or {},
        similar=row.similar or {},
    )

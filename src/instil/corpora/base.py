"""What a corpus and a format are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from instil.config.base import Config
from instil.data.examples import Example
from instil.data.messages import Message

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Format:
    """How the records of a known format become conversations."""

    name: str
    matches: Callable[[Record], bool]
    """Whether a record looks like this format; formats are asked in order, the first yes decides."""
    messages: Callable[[Record], tuple[Message, ...]]
    """Returns the conversation of a record; raises BadRecord where it has none."""
    answer: str | None = None
    """The key of the answer, where a record has one question and one answer."""


class BadRecord(Exception):
    """A record that is not what its format says; it is counted and written down."""


@dataclass(frozen=True)
class Failure:
    """One record that could not be read."""

    place: str
    """`file:record N` or `file:line N`."""
    reason: str

    def row(self) -> dict[str, str]:
        """Return what is written to failures.jsonl."""
        return {"place": self.place, "reason": self.reason}


class SourceConfigBase(Config):
    """What every source of a mixture has."""

    name: str = Field(min_length=1)
    """What the source is called in tables and in the origin of its rows."""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Share of the mixture, relative to the other weights, in rows."""
    max_epochs: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """How often a row may be used when the source is smaller than its share."""


class CorpusConfigBase(SourceConfigBase):
    """A source that lies outside the run."""

    @abstractmethod
    def read(self) -> Iterator[Example | Failure]:
        """Yield the source's examples, and what could not be read, in the order of the file."""


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


def turn(question: str, answer: str) -> tuple[Message, Message]:
    """Return one question with its answer."""
    return Message(role="user", content=question), Message(role="assistant", content=answer)


def lead(system: str) -> tuple[Message, ...]:
    """Return a system message, or nothing where there is no text."""
    return (Message(role="system", content=system),) if system.strip() else ()

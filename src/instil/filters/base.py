"""What a filter is: a yes/no test whose no is recorded with its reason."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Protocol

from instil.config.base import Config
from instil.data.examples import Example, Origin, Rejection, SeedTask
from instil.data.messages import Message, Role


class Filter(Protocol):
    """Tests examples in order."""

    def check(self, example: Example) -> Rejection | None:
        """Return why the example is not kept, or None."""
        ...

    def annotate(self, example: Example) -> Example:
        """Return an example that every filter let pass with what this one found out about it."""
        ...

    def accept(self, example: Example) -> None:
        """Take note of an example that every filter let pass."""
        ...


class Stateless:
    """A filter that remembers nothing of what was accepted, and has nothing to add to it."""

    def annotate(self, example: Example) -> Example:
        """Return the example as it is."""
        return example

    def accept(self, example: Example) -> None:
        """Remember nothing."""


class FilterConfigBase(Config):
    """What every kind of filter has."""

    @abstractmethod
    def build(self) -> Filter:
        """Return a new filter that has accepted nothing yet."""


def said_by(role: Role, example: Example) -> Iterator[str]:
    """Yield what one role says in an example, in order."""
    return (message.content for message in example.messages if message.role == role)


def seed_examples(seeds: Iterable[SeedTask]) -> Iterator[Example]:
    """Yield what a human's tasks look like to a filter: questions whose answers are not compared."""
    for seed in seeds:
        messages = (Message(role="user", content=seed.instruction), Message(role="assistant", content=""))
        yield Example(messages=messages, origin=Origin(kind="seed", name=seed.id))

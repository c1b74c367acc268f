"""What a filter is: a yes/no test whose no is recorded with its reason."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from instil.config.base import Config
from instil.data.examples import Example, Rejection


class Filter(Protocol):
    """Tests examples in order."""

    def check(self, example: Example) -> Rejection | None:
        """Return why the example is not kept, or None."""
        ...

    def accept(self, example: Example) -> None:
        """Take note of an example that every filter let pass."""
        ...


class Stateless:
    """A filter that remembers nothing of what was accepted."""

    def accept(self, example: Example) -> None:
        """Remember nothing."""


class FilterConfigBase(Config):
    """What every kind of filter has."""

    @abstractmethod
    def build(self) -> Filter:
        """Return a new filter that has accepted nothing yet."""

"""Where long work tells how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One long piece of work on the progress display."""

    def advance(self, amount: int = 1, note: str | None = None) -> None:
        """Say that `amount` more is done; `note` is shown beside the rate (the loss, the cost so far)."""
        ...


class Progress(Protocol):
    """Where a stage tells how far it is."""

    def task(self, what: str, *, total: int | None, unit: str) -> AbstractContextManager[Task]:
        """Open a piece of work of `total` units; None if that is not known."""
        ...

    def say(self, line: str) -> None:
        """Tell the user something that is not an error."""
        ...


class Silent:
    """A progress display that shows nothing."""

    def advance(self, amount: int = 1, note: str | None = None) -> None:
        """Show nothing."""

    @contextmanager
    def task(self, what: str, *, total: int | None, unit: str) -> Iterator[Task]:  # noqa: ARG002
        """Show nothing."""
        yield self

    def say(self, line: str) -> None:
        """Show nothing."""

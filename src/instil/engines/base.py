"""What an engine is: messages in, text out as it grows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from instil.data.messages import Message
from instil.models.decoding import Decoding


class Engine(Protocol):
    """A model that can be talked to."""

    @property
    def context_tokens(self) -> int | None:
        """How many tokens of prompt and answer fit, if there is a limit."""
        ...

    @property
    def notice(self) -> str | None:
        """What the model's makers want everyone to read before they use it."""
        ...

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Return how many tokens the prompt of these messages has."""
        ...

    def stream(self, messages: Sequence[Message], decoding: Decoding) -> Iterator[str]:
        """Yield the answer as it grows, in whole characters."""
        ...

    def greedy(self, conversations: Sequence[Sequence[Message]], max_tokens: int) -> Iterator[str]:
        """Yield the greedy answer to each conversation, in order."""
        ...

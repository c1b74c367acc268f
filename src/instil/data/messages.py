"""Who said what: messages and conversations."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["system", "user", "assistant", "tool"]

Turn = tuple[Role, str]
"""A message before it is one: who says what. Corpora are read as turns, millions of them."""


class Value(BaseModel):
    """Base of everything that is equal when its content is equal."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Value):
    """One thing that one role said."""

    role: Role
    content: str


class Conversation(Value):
    """An ordered tuple of messages."""

    messages: tuple[Message, ...]

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Everything before the final assistant message."""
        return self.messages[:-1]

    @property
    def completion(self) -> Message:
        """The final assistant message."""
        return self.messages[-1]

    @property
    def instruction(self) -> str:
        """What the first user message asks, or the empty string."""
        return next((message.content for message in self.messages if message.role == "user"), "")


def ask(content: str, *, system: str | None = None) -> tuple[Message, ...]:
    """Return the messages of a single question, after a system prompt if there is one."""
    lead = () if system is None else (Message(role="system", content=system),)
    return (*lead, Message(role="user", content=content))

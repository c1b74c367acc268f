"""Examples to filter."""

from __future__ import annotations

from instil.data.examples import Example, Origin
from instil.data.messages import Message
from instil.filters.base import Filter


def example(question: str, answer: str = "A sound answer.") -> Example:
    """One question and one answer."""
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(messages=turns, origin=Origin(kind="corpus", name="test"))


def dialogue(*texts: str) -> Example:
    """What the user and the assistant say in turn."""
    turns = (
        Message(role="assistant" if index % 2 else "user", content=text) for index, text in enumerate(texts)
    )
    return Example(messages=tuple(turns), origin=Origin(kind="corpus", name="test"))


def reason(judge: Filter, question: str, answer: str = "A sound answer.") -> str | None:
    """Why a filter rejects, or None."""
    found = judge.check(example(question, answer))
    return found.reason if found else None

"""What writers of formats share: they say an example whole, or say why they cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from instil.corpora.base import BadRecord, Record, Row, Task
from instil.data.examples import Example


class Exchange(NamedTuple):
    """A conversation in which questions and answers take turns."""

    system: str
    """Empty where there is none."""
    pairs: tuple[tuple[str, str], ...]


def exchange(example: Example, name: str) -> Exchange:
    """Return an example as questions with answers.

    Args:
        example: what is to be written.
        name: the format, for the message of an error.

    Raises:
        BadRecord: it has tool turns, or the user and the assistant do not take turns.
    """
    messages = example.messages
    if any(message.role == "tool" for message in messages):
        raise BadRecord(f"{name} holds no tool turns")
    system = messages[0].content if messages[0].role == "system" else ""
    rest = messages[1:] if messages[0].role == "system" else messages
    asked, answered = rest[::2], rest[1::2]
    if (
        len(asked) != len(answered)
        or any(message.role != "user" for message in asked)
        or any(message.role != "assistant" for message in answered)
    ):
        raise BadRecord(f"{name} holds only questions that are answered in turn")
    pairs = zip(asked, answered, strict=True)
    return Exchange(system, tuple((question.content, answer.content) for question, answer in pairs))


def single(example: Example, name: str) -> tuple[str, str]:
    """Return the one question of an example and its answer.

    Raises:
        BadRecord: it has more than that, such as a system prompt.
    """
    system, pairs = exchange(example, name)
    if system:
        raise BadRecord(f"{name} holds no system prompt")
    if len(pairs) != 1:
        raise BadRecord(f"{name} holds one question and one answer")
    return pairs[0]


def proven(
    record: dict[str, Any], example: Example, read: Callable[[Record], Iterable[Row | Task]], name: str
) -> Mapping[str, Any]:
    """Return a record that reads back as what it was written from.

    Reading it costs little and finds every case in which a text looks like the format's own marks.

    Raises:
        BadRecord: it reads back as something else.
    """
    said = [(message.role, message.content) for message in example.messages]
    try:
        rows = [row for row in read(record) if isinstance(row, Row)]
    except BadRecord as error:
        raise BadRecord(f"{name} cannot hold it: {error}") from error
    if len(rows) != 1 or list(rows[0].turns) != said:
        raise BadRecord(f"{name} would read back as something else: a text has the marks of the format")
    return record

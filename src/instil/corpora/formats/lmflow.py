"""LMFlow: `{"type": T, "instances": […]}`; each instance is a record that carries the type of its file.

The file itself is opened before the formats are asked: an instance comes here as `{"type": T, **instance}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from instil.corpora.base import BadRecord, Format, Record, Row, Task, text, turn
from instil.corpora.formats.chat import opened, turns_of
from instil.corpora.formats.hugchat import HUGCHAT
from instil.corpora.formats.marked import GUANACO, OIG
from instil.corpora.formats.preference import PREFERENCE
from instil.corpora.formats.turns import conversation
from instil.corpora.formats.writing import proven, single
from instil.data.examples import Example

TYPES = {"lmflow": "conversation", "lmflow_text2text": "text2text"}
"""The type of the file that a format is written to."""

_MARKED = (HUGCHAT, OIG, GUANACO)


def read(record: Record) -> Iterable[Row | Task]:
    """Return the conversation of an instance of whatever type.

    Text of the type text_only is a conversation only where marks say who speaks.

    Raises:
        BadRecord: there is no question with an answer.
    """
    kind = record.get("type")
    if kind == "text2text":
        return (Row(turn(text(record, "input"), text(record, "output"))),)
    if kind == "conversation":
        return (Row(conversation(opened(record, turns_of(record.get("messages"), "messages")))),)
    if kind == "paired_conversation":
        return PREFERENCE.read(record)
    if kind == "text_only":
        for each in _MARKED:
            if each.matches(record):
                return each.read(record)
        raise BadRecord("'text' has no marks of who speaks")
    raise BadRecord(f"unknown type {kind!r}")


def write(example: Example) -> Mapping[str, Any]:
    """Return an instance of type conversation, the system prompt beside the messages.

    Raises:
        BadRecord: the example does not read back.
    """
    turns = [message.model_dump() for message in example.messages]
    system = turns.pop(0)["content"] if turns[0]["role"] == "system" else ""
    record = {"type": "conversation", "system": system, "messages": turns}
    return proven(record, example, read, "lmflow")


def write_text2text(example: Example) -> Mapping[str, Any]:
    """Return an instance of type text2text.

    Raises:
        BadRecord: the example has more than one question and one answer.
    """
    question, answer = single(example, "lmflow_text2text")
    record = {"type": "text2text", "input": question, "output": answer}
    return proven(record, example, read, "lmflow_text2text")


def _matcher(*kinds: str) -> Callable[[Record], bool]:
    return lambda record: record.get("type") in kinds


LMFLOW = Format(
    "lmflow",
    matches=_matcher("text2text", "conversation", "text_only", "paired_conversation"),
    read=read,
    write=write,
)
LMFLOW_TEXT2TEXT = Format("lmflow_text2text", matches=_matcher("text2text"), read=read, write=write_text2text)

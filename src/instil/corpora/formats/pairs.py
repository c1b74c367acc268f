"""One question, one answer: prompt/completion, input/target and Huatuo's query/answer."""

from __future__ import annotations

from typing import Any

from instil.corpora.base import Format, Record, text, turn
from instil.data.messages import Message


def prompt_completion(record: Record) -> tuple[Message, ...]:
    """Return the conversation of `prompt, completion`."""
    return turn(text(record, "prompt"), text(record, "completion"))


def input_target(record: Record) -> tuple[Message, ...]:
    """Return the conversation of `input, target`."""
    return turn(text(record, "input"), text(record, "target"))


def huatuo(record: Record) -> tuple[Message, ...]:
    """Return the conversation of `query, answer`; of a list of wordings the first counts."""
    plain = {key: _first(record.get(key)) for key in ("query", "answer")}
    return turn(text(plain, "query"), text(plain, "answer"))


def _first(value: Any) -> Any:
    while isinstance(value, list) and value:
        value = value[0]
    return value


PROMPT_COMPLETION = Format(
    "prompt_completion",
    matches=lambda record: {"prompt", "completion"} <= record.keys(),
    messages=prompt_completion,
    answer="completion",
)
INPUT_TARGET = Format(
    "input_target",
    matches=lambda record: {"input", "target"} <= record.keys(),
    messages=input_target,
    answer="target",
)
HUATUO = Format(
    "huatuo",
    matches=lambda record: {"query", "answer"} <= record.keys(),
    messages=huatuo,
    answer="answer",
)

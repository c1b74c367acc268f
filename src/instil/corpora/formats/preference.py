r"""Rows for preference training, `chosen` and `rejected`: the chosen answer is one to learn from.

Published are both as lists of messages, with or without the prompt (UltraFeedback, TRL); as single messages
after `conversations` (LLaMA-Factory); as conversations of their own (LMFlow); as texts beside a `prompt` or
`question`; and as texts `\n\nHuman: … \n\nAssistant: …` (Anthropic's HH-RLHF).
"""

from __future__ import annotations

from typing import Any

from instil.corpora.base import BadRecord, Format, Record, Row, text
from instil.corpora.formats.alpaca import asked
from instil.corpora.formats.chat import opened, turns_of
from instil.corpora.formats.marked import HUMAN_ASSISTANT, marked
from instil.corpora.formats.turns import conversation
from instil.data.messages import Turn


def read(record: Record) -> tuple[Row]:
    """Return the conversation that ends with the chosen answer.

    Raises:
        BadRecord: there is no question or no chosen answer.
    """
    chosen = record.get("chosen")
    if isinstance(chosen, str):
        if "\n\nHuman:" in chosen and not _has_prompt(record):
            _, said = marked(chosen, HUMAN_ASSISTANT)
        else:
            said = [("assistant", text(record, "chosen"))]
    elif isinstance(chosen, dict) and "messages" in chosen:
        return (Row(conversation(opened(chosen, turns_of(chosen["messages"], "chosen")))),)
    else:
        said = turns_of([chosen] if isinstance(chosen, dict) else chosen, "chosen")
    before = [] if any(role == "user" for role, _ in said) else _prompt(record)
    return (Row(conversation(opened(record, [*before, *said]))),)


def _has_prompt(record: Record) -> bool:
    return any(record.get(key) for key in ("prompt", "question", "instruction", "conversations", "messages"))


def _prompt(record: Record) -> list[Turn]:
    for key in ("conversations", "messages", "prompt"):
        if isinstance(record.get(key), list):
            return turns_of(record[key], key)
    said: list[Turn] = []
    system: Any = record.get("system_prompt")
    if isinstance(system, str):
        said.append(("system", system))
    for key in ("prompt", "question"):
        if key in record:
            return [*said, ("user", text(record, key))]
    if "instruction" in record:
        return [*said, ("user", asked(record))]
    raise BadRecord("'chosen' answers nothing: no 'prompt', 'question', 'instruction' or 'conversations'")


PREFERENCE = Format(
    "preference", matches=lambda record: "chosen" in record and "rejected" in record, read=read
)

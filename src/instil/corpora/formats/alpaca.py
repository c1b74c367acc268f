"""Alpaca: `instruction, input, output`, optional `history: [[question, answer], …]` and `system`."""

from __future__ import annotations

from instil.corpora.base import BadRecord, Format, Record, lead, text, turn
from instil.data.messages import Message


def messages(record: Record) -> tuple[Message, ...]:
    """Return the conversation; the input stands below the instruction."""
    history = record.get("history") or []
    if not isinstance(history, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
        for pair in history
    ):
        raise BadRecord("'history' is not a list of [question, answer]")
    question, context = text(record, "instruction"), text(record, "input", required=False)
    if context.strip():
        question = f"{question}\n{context}"
    earlier = (message for pair in history for message in turn(*pair))
    return (*lead(text(record, "system", required=False)), *earlier, *turn(question, text(record, "output")))


ALPACA = Format(
    "alpaca",
    matches=lambda record: {"instruction", "output"} <= record.keys(),
    messages=messages,
    answer="output",
)

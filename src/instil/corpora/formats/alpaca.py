"""Alpaca: `instruction, input, output`, optional `history: [[question, answer], …]` and `system`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instil.corpora.base import BadRecord, Format, Record, Row, lead, text, turn
from instil.corpora.formats.writing import exchange, proven
from instil.data.examples import Example


def asked(record: Record, below: str = "input") -> str:
    """Return the question of an instruction, below which its input stands; either may be empty.

    Raises:
        BadRecord: both are empty, or one is not text.
    """
    question, context = record.get("instruction"), record.get(below)
    if not isinstance(question, str) or (context is not None and not isinstance(context, str)):
        question, context = text(record, "instruction"), text(record, below, required=False)
    if not context or context.isspace():
        return question if question and not question.isspace() else text(record, "instruction")
    return f"{question}\n{context}" if question.strip() else context


def read(record: Record) -> tuple[Row]:
    """Return the conversation; the input stands below the instruction.

    Raises:
        BadRecord: there is no question or no answer, or `history` is not a list of pairs.
    """
    answered = turn(asked(record), text(record, "output"))
    if not record.get("history") and not record.get("system"):
        return (Row(answered),)
    history = record.get("history") or []
    if not isinstance(history, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)
        for pair in history
    ):
        raise BadRecord("'history' is not a list of [question, answer]")
    earlier = (message for pair in history for message in turn(*pair))
    return (Row((*lead(text(record, "system", required=False)), *earlier, *answered)),)


def write(example: Example) -> Mapping[str, Any]:
    """Return the last question as the instruction, and what came before as the history.

    Every record has all five keys, so that a table of them has one schema.

    Raises:
        BadRecord: the example has tool turns, or questions that are not answered in turn.
    """
    system, pairs = exchange(example, "alpaca")
    if not pairs:
        raise BadRecord("alpaca holds only questions that are answered in turn")
    question, answer = pairs[-1]
    history = [list(pair) for pair in pairs[:-1]]
    record = {"instruction": question, "input": "", "output": answer, "system": system, "history": history}
    return proven(record, example, read, "alpaca")


ALPACA = Format(
    "alpaca",
    matches=lambda record: "instruction" in record and "output" in record,
    read=read,
    answer="output",
    write=write,
)

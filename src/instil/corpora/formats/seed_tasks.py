"""Self-Instruct: `instruction, instances: [{input, output}]`; the first instance is used."""

from __future__ import annotations

from instil.corpora.base import BadRecord, Format, Record, text, turn
from instil.data.messages import Message


def messages(record: Record) -> tuple[Message, ...]:
    """Return the conversation of the task's first instance."""
    instances = record.get("instances")
    if not isinstance(instances, list) or not instances or not isinstance(instances[0], dict):
        raise BadRecord("'instances' is not a list of input and output")
    question, context = text(record, "instruction"), text(instances[0], "input", required=False)
    if context.strip():
        question = f"{question}\n{context}"
    return turn(question, text(instances[0], "output"))


SELF_INSTRUCT = Format(
    "self_instruct", matches=lambda record: {"instruction", "instances"} <= record.keys(), messages=messages
)

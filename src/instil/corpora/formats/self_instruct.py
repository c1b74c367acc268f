"""Self-Instruct: `instruction, instances: [{input, output}]`, with `id`, `name` and `is_classification`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from instil.corpora.base import BadRecord, Format, Record, Row, text, turn
from instil.corpora.formats.writing import proven, single
from instil.data.examples import Example


def read(record: Record) -> Iterable[Row]:
    """Return one row for each instance of the task; they belong together.

    Raises:
        BadRecord: there is no instruction, or an instance without an output.
    """
    instances = record.get("instances")
    if not isinstance(instances, list) or not all(isinstance(each, dict) for each in instances):
        raise BadRecord("'instances' is not a list of input and output")
    if not instances:
        raise BadRecord("'instances' is empty")
    question = text(record, "instruction")
    name = record.get("id")
    group = str(name) if name is not None and len(instances) > 1 else None
    rows = []
    for instance in instances:
        context = text(instance, "input", required=False)
        asked = f"{question}\n{context}" if context.strip() else question
        rows.append(Row(turn(asked, text(instance, "output")), group=group))
    return rows


def write(example: Example) -> Mapping[str, Any]:
    """Return a task with one instance.

    Raises:
        BadRecord: the example has more than one question and one answer.
    """
    question, answer = single(example, "self_instruct")
    record = {
        "id": example.id,
        "name": example.origin.task or example.origin.name,
        "instruction": question,
        "instances": [{"input": "", "output": answer}],
        "is_classification": example.label is not None and example.label.task == "classification",
    }
    return proven(record, example, read, "self_instruct")


SELF_INSTRUCT = Format(
    "self_instruct",
    matches=lambda record: "instruction" in record and "instances" in record,
    read=read,
    write=write,
)

"""What records ask, whether they have an answer or not: the instructions that a teacher is to answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from instil.corpora.base import Format, Record, Row, Task
from instil.corpora.detect import Detector

_UNUSED = "(not used)"
_ASKING = ("user", "human", "client")
_TURNS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("messages", "role", {"role": "assistant", "content": _UNUSED}),
    ("conversations", "from", {"from": "gpt", "value": _UNUSED}),
)


def question_reader(formats: Sequence[Format]) -> Callable[[Record], Iterable[Row | Task]]:
    """Return what reads records of some formats, giving them some answer where they lack one."""
    find = Detector(formats).find

    def read(record: Record) -> Iterable[Row | Task]:
        answered = _answered(record, formats)
        return find(answered).read(answered)

    return read


def question_of(row: Row) -> Row:
    """Return a row without its last answer."""
    return row._replace(turns=row.turns[:-1])


def _answered(record: Record, formats: Iterable[Format]) -> Record:
    """Return a record with some answer where it lacks one, so that its question can be read."""
    for key, who, turn in _TURNS:
        turns: Any = record.get(key)
        if (
            isinstance(turns, list)
            and turns
            and isinstance(turns[-1], dict)
            and turns[-1].get(who) in _ASKING
        ):
            return {**record, key: [*turns, turn]}
    for each in formats:
        if each.answer is None:
            continue
        given, filled = record.get(each.answer), {**record, each.answer: _UNUSED}
        if each.matches(filled):
            return filled if given is None or given == [] or not str(given).strip() else record
    return record

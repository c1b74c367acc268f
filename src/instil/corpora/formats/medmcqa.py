"""MedMCQA: `question, opa, opb, opc, opd, cop, exp`, in which `cop` is counted from 1 or from 0.

The authors' files count `cop` from 1; the hub's table counts it from 0, and has -1 where the test split keeps
its answers back. A number alone does not say which, and a wrong guess would teach a wrong answer in three
rows of four. What tells them apart is the order of the keys, which JSON and Parquet keep: the authors'
objects go `question, exp, cop, opa, …, id`, the hub's columns `id, question, opa, …, opd, cop`. A record in
neither order is taken only where `cop` can be but one of them, 0 or 4. Else it is a failure, and `format`
must say it: `medmcqa_raw` or `medmcqa_hub`.
"""

from __future__ import annotations

from collections.abc import Callable

from instil.corpora.base import BadRecord, Format, Record, Task, text

_OPTIONS = ("opa", "opb", "opc", "opd")
_RAW_ORDER = ("question", "cop", "opa", "id")
_HUB_ORDER = ("id", "question", "opd", "cop")


def read(record: Record) -> tuple[Task]:
    """Return the question with its choices, `cop` counted as the record's own shape says.

    Raises:
        BadRecord: a part is missing, or it cannot be told how `cop` is counted.
    """
    return (_task(record, _first(record)),)


def _reader(first: int) -> Callable[[Record], tuple[Task]]:
    return lambda record: (_task(record, first),)


def _task(record: Record, first: int) -> Task:
    from instil.corpora.tasks import MultipleChoice

    answer = _answer(record) - first
    if not 0 <= answer < len(_OPTIONS):
        raise BadRecord(f"'cop' does not count one of four choices from {first}: {record['cop']}")
    explanation = text(record, "exp", required=False)
    return MultipleChoice(
        question=text(record, "question"),
        choices=tuple(text(record, option) for option in _OPTIONS),
        answer=answer,
        explanation=explanation if explanation.strip() else None,
    )


def _answer(record: Record) -> int:
    given = record.get("cop")
    if given in (None, "", -1, "-1"):
        raise BadRecord("'cop' is kept back: this is the test split")
    if isinstance(given, str) and given.isdecimal():
        # A table of text, such as CSV.
        return int(given)
    if isinstance(given, bool) or not isinstance(given, int):
        raise BadRecord("'cop' is not a number")
    return given


def _first(record: Record) -> int:
    """Return the number of the first choice."""
    answer = _answer(record)
    if not 1 <= answer < len(_OPTIONS):
        return 0 if answer == 0 else 1
    order = [key for key in record if key in _RAW_ORDER or key in _HUB_ORDER]
    if [key for key in order if key in _RAW_ORDER] == list(_RAW_ORDER):
        return 1
    if [key for key in order if key in _HUB_ORDER] == list(_HUB_ORDER):
        return 0
    raise BadRecord("'cop' may be counted from 0 or from 1: say format medmcqa_hub or medmcqa_raw")


def _matches(record: Record) -> bool:
    return "cop" in record and "opa" in record and "question" in record


MEDMCQA = Format("medmcqa", matches=_matches, read=read)
MEDMCQA_RAW = Format("medmcqa_raw", matches=_matches, read=_reader(1))
MEDMCQA_HUB = Format("medmcqa_hub", matches=_matches, read=_reader(0))

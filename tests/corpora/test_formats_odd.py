"""Records with a value of the wrong kind anywhere: each is rows or a reason, in every format."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from instil.corpora.base import BadRecord, Row
from instil.corpora.containers import RawRecord, read_records
from instil.corpora.formats import FORMATS, without_tools
from instil.data.examples import Example, Origin
from instil.data.messages import Message

ROWS = Path(__file__).parent / "rows"
ODD: list[Any] = [
    None, True, 0, -1, 3, 2.5, "", "x", " ", "A", [], [[]], [None], ["a", "b"], [["a", "b"]], {}, {"a": 1},
    {"A": "x", "B": None}, [{}], [{"role": "user"}], [{"role": ["x"], "content": "a"}],
    [{"from": {}, "value": 3}], {"turn_1": {}}, {"turn_1": {"Human": 3}}, 10**30,
]  # fmt: skip


def changed(value: Any, rng: random.Random) -> Any:
    """Return a value of which some parts are gone or something else."""
    if rng.random() < 0.15:
        return rng.choice(ODD)
    if isinstance(value, dict):
        return {key: changed(part, rng) for key, part in value.items() if rng.random() > 0.05}
    return [changed(part, rng) for part in value] if isinstance(value, list) else value


def test_a_value_of_the_wrong_kind_is_rows_or_a_reason() -> None:
    rng = random.Random(1)
    records = [
        each.value
        for path in sorted(ROWS.iterdir())
        for each in read_records(path)
        if isinstance(each, RawRecord)
    ]
    rows = 0
    for _ in range(6000):
        record = changed(rng.choice(records), rng)
        if not isinstance(record, dict):
            continue
        for format_ in FORMATS.values():
            if not format_.matches(record):
                continue
            try:
                for given in format_.read(record):
                    row = given if isinstance(given, Row) else given.row(1)
                    messages = tuple(Message(role=role, content=content) for role, content in row.turns)
                    Example(messages=messages, origin=Origin(kind="corpus", name="odd"))
                    rows += 1
                    without_tools(row.turns)
            except BadRecord:
                continue
    assert rows > 1000

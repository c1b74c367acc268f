"""Records with their own text: the same records as `read_records` reads, and not a character changed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.corpora.base import Failure
from instil.corpora.raw_records import RawRecord, read_raw_records
from instil.corpora.records import read_records
from instil.errors import StageError

_values = st.recursive(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.integers(-(2**53), 2**53),
        st.booleans(),
        st.none(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text('ab\n\\"é', max_size=3), inner)
    ),
    max_leaves=6,
)
_records = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "instruction"]), _values, max_size=3), max_size=6
)

CONTAINERS: dict[str, Callable[[list[Any]], str]] = {
    "lines": lambda rows: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows),
    "lines between blank ones": lambda rows: "\n \n" + "\r\n\n".join(map(json.dumps, rows)),
    "list": lambda rows: json.dumps(rows),
    "indented list": lambda rows: json.dumps(rows, indent=4, ensure_ascii=False),
    "list, a row a line": lambda rows: "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n",
    "indented records": lambda rows: "\n".join(json.dumps(row, indent=1) for row in rows),
}


def read(path: Path) -> list[Any]:
    found: list[Any] = []
    for each in read_raw_records(path):
        if isinstance(each, Failure):
            found.append(each)
            continue
        assert b"\n" not in each.line
        assert orjson.loads(each.line) == each.value
        found.append((each.place, each.value))
    return without_columns(found)


def without_columns(records: Iterable[Any]) -> list[Any]:
    """Return records and failures, these without where in a line of theirs something was found."""
    return [
        Failure(each.place, each.reason.split(":")[0]) if isinstance(each, Failure) else each
        for each in records
    ]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("packed", [False, True])
@given(rows=_records)
def test_every_container_gives_what_read_records_gives(
    tmp_path_factory: pytest.TempPathFactory, container: str, packed: bool, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("raw") / "rows.dat"
    data = CONTAINERS[container](rows).encode()
    path.write_bytes(gzip.compress(data) if packed else data)

    assert read(path) == without_columns(read_records(path))
    if container != "indented records":  # an empty object is `{}` there and then everything after it lines
        assert [each[1] for each in read(path) if not isinstance(each, Failure)] == rows


@pytest.mark.parametrize(
    "record",
    [
        '{"n": 123456789012345678901234567890.10e+05, "a" :1}',
        '{"caf\\u00e9": "\\ud83d\\ude42 \\/ caf\u00e9", "n": 1.0}',
        '{"twice": 1, "twice": 2}',
    ],
)
def test_a_record_keeps_its_text(tmp_path: Path, record: str) -> None:
    path = tmp_path / "rows.json"
    for text in (f"\ufeff{record}\n", f"[{record}, {record}]", f"\ufeff \n[\n  {record}\n ,{record}]"):
        path.write_text(text, encoding="utf-8")
        found = list(read_raw_records(path))
        assert [each.line for each in found if isinstance(each, RawRecord)] == [record.encode()] * len(found)
        assert found


def test_a_record_of_several_lines_is_put_on_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('[\n  {\n    "a b": "c \\n  d",\r\n    "n": [\n1,\n 2]\n  }\n]')
    assert [each.line for each in read_raw_records(path) if isinstance(each, RawRecord)] == [
        b'{"a b": "c \\n  d","n": [1,2]}'
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}\n{"a": \n[1]\n"x"\nnull\n{"a": NaN}\n{"a": "\\ud800"}\n{"a": 2}',
        '[\n{"a": 1},\n{"a": "cut\n},\n{"a": 2}\n]',
        '[\n{"a": 1},\n{"a": 1 "b"}]',
        '{\n"a": 1\n}\n{\n"a": }\n{\n"a": 3\n}',
    ],
)
def test_broken_records_are_reported_where_they_stand_and_the_rest_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)

    found = read(path)
    assert found == without_columns(read_records(path))
    assert any(isinstance(each, Failure) for each in found)


def test_a_list_of_something_else_is_no_record_and_not_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text('["a", [{"a": 1}], {"a": 2}, 3]')

    assert read(path) == [
        Failure("rows.json:record 1", "not a JSON object"),
        Failure("rows.json:record 2", "not a JSON object"),
        ("rows.json:record 3", {"a": 2}),
        Failure("rows.json:record 4", "not a JSON object"),
    ]


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for text in ("", "\n \n", "\ufeff", "[]"):
        path.write_text(text, encoding="utf-8")
        assert read(path) == []


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with pytest.raises(StageError, match="cannot read"):
        list(read_raw_records(path))
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 9999)[:-20])
    with pytest.raises(StageError, match="cannot read"):
        list(read_raw_records(path))
    path.write_bytes(b'["\xff"]')
    with pytest.raises(StageError, match="not UTF-8"):
        list(read_raw_records(path))
    path.write_bytes(b'{"a": "\xff"}\n{"a": 1}')
    assert len(read(path)) == 2

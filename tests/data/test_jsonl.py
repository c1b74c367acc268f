"""Rows survive a crash at any byte, and a full disk costs no finished row."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.jsonl import JsonlWriter, read_jsonl, write_jsonl
from instil.errors import StoreError
from tests.disk import disk_full_after

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
ROWS = st.lists(st.dictionaries(TEXT, VALUES, max_size=4), max_size=6)


def append_all(path: Path, rows: Iterable[object]) -> None:
    with JsonlWriter(path) as writer:
        for row in rows:
            writer.append(row)
        writer.sync()


def rows_of(path: Path) -> list[Any]:
    return [row for _, row in read_jsonl(path)]


@given(rows=ROWS, data=st.data())
def test_rows_cut_at_any_byte_and_resumed_are_the_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "rows.jsonl"
    append_all(path, rows)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])

    survivors = rows_of(path)
    append_all(path, rows[len(survivors) :])

    assert survivors == rows[: whole[:cut].count(b"\n")]
    assert path.read_bytes() == whole
    assert rows_of(path) == rows


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_stays_on_one_line_and_reads_back(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("text") / "rows.jsonl"
    assert write_jsonl(path, [text, {"after": text}]) == 2
    assert list(read_jsonl(path)) == [(1, text), (2, {"after": text})]


def test_text_is_written_as_utf_8_and_not_escaped(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", [{"a": "头痛 é\n", "b": [1, 0.5, None, True]}])
    assert (tmp_path / "rows.jsonl").read_bytes() == '{"a":"头痛 é\\n","b":[1,0.5,null,true]}\n'.encode()


@pytest.mark.parametrize("length", [1, 65_535, 65_536, 65_537, 200_000])
def test_opening_drops_a_torn_last_line_of_any_length(tmp_path: Path, length: int) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a":1}\n' + b"x" * length)
    with JsonlWriter(path):
        pass
    assert path.read_bytes() == b'{"a":1}\n'


def test_a_file_that_is_one_torn_line_becomes_empty(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"y" * 70_000)
    with JsonlWriter(path):
        pass
    assert path.read_bytes() == b""


def test_a_torn_last_line_is_not_shown_even_if_it_is_json(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":2}')
    assert list(read_jsonl(path)) == [(1, {"a": 1})]


def test_rows_are_in_the_file_after_sync_and_before_close(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "rows.jsonl"
    with JsonlWriter(path) as writer:
        writer.append({"a": 1})
        assert rows_of(path) == []
        writer.sync()
        assert rows_of(path) == [{"a": 1}]


def test_a_missing_file_has_no_rows(tmp_path: Path) -> None:
    assert list(read_jsonl(tmp_path / "none.jsonl")) == []


@pytest.mark.parametrize("line", [b"{'a': 2}", b"", b"\xff\xfe", b'{"a": 2}}', b"NaN"])
def test_a_finished_line_that_is_not_json_is_refused_with_its_number(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a":1}\n' + line + b'\n{"a":3}\n')
    rows = read_jsonl(path)
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(StoreError, match=r"rows\.jsonl' line 2 is not JSON") as caught:
        next(rows)
    assert caught.value.hint is not None


@pytest.mark.parametrize("value", [{1, 2}, object(), b"bytes", 2**64, "\ud800"])
def test_what_json_cannot_hold_is_refused_and_leaves_no_trace(tmp_path: Path, value: object) -> None:
    path = tmp_path / "rows.jsonl"
    with JsonlWriter(path) as writer:
        writer.append({"a": 1})
        with pytest.raises(TypeError):
            writer.append({"a": value})
    assert path.read_bytes() == b'{"a":1}\n'


def test_writing_a_new_file_forgets_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [{"a": 1}, {"a": 2}])
    assert write_jsonl(path, iter([{"b": 3}])) == 1
    assert path.read_bytes() == b'{"b":3}\n'


@pytest.mark.parametrize("full_at", ["append", "sync", "close"])
def test_a_full_disk_keeps_finished_rows_and_the_rest_can_follow(tmp_path: Path, full_at: str) -> None:
    path = tmp_path / "rows.jsonl"
    count = 1_000 if full_at == "append" else 40  # more than the buffer holds, or less
    rows: list[Any] = [{"n": number, "text": "x" * 80} for number in range(count)]

    def write() -> None:
        with JsonlWriter(path) as writer:
            for row in rows:
                writer.append(row)
            if full_at == "sync":
                writer.sync()
            assert full_at == "close"

    with (
        disk_full_after(1_000),
        pytest.raises(StoreError, match=r"cannot write .*: File too large") as caught,
    ):
        write()
    assert "make room" in str(caught.value.hint)

    kept = rows_of(path)
    assert 5 < len(kept) < 12
    assert kept == rows[: len(kept)]
    append_all(path, rows[len(kept) :])
    assert rows_of(path) == rows


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot write '.*': Is a directory"):
        JsonlWriter(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write '.*file/rows\.jsonl': "):
        JsonlWriter(tmp_path / "file" / "rows.jsonl")

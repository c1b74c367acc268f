"""Tables as spreadsheets and data frames write them, and as people break them."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.corpora.base import Failure
from instil.corpora.containers import tables
from instil.errors import StageError
from tests.corpora.containers import PACKINGS, failures, read, table, values

ROWS = [{"question": 'Why "so"?', "answer": "a, b;\tc"}, {"question": "two\nlines", "answer": "头疼"}]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for the examples of property tests."""
    return tmp_path_factory.mktemp("tables") / "rows.dat"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("packing", ["plain", "gzip", "zstd"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.tsv.gz"])
def test_a_table_is_known_by_what_it_holds(
    tmp_path: Path, delimiter: str, packing: str, encoding: str, name: str
) -> None:
    data = PACKINGS[packing](table(ROWS, delimiter).encode(encoding))
    assert read(tmp_path / name, data) == [(f"{name}:line 2", ROWS[0]), (f"{name}:line 3", ROWS[1])]


_cells = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('",;\t\n'), max_size=8)


@given(
    rows=st.lists(st.tuples(_cells, _cells, st.just("x")), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t"),
)
def test_any_cells_are_read_back(path: Path, rows: list[tuple[str, str, str]], delimiter: str) -> None:
    written = [dict(zip("abc", row, strict=True)) for row in rows]
    named = path.with_name("rows.csv")
    assert values(read(named, table(written, delimiter))) == written


def test_a_column_alone_is_a_table_where_the_name_says_so(tmp_path: Path) -> None:
    assert values(read(tmp_path / "a.csv", "text\nhello\n\nworld")) == [{"text": "hello"}, {"text": "world"}]
    assert values(read(tmp_path / "a.tsv.gz", gzip.compress(b"text\nhello, world"))) == [
        {"text": "hello, world"}
    ]
    assert read(tmp_path / "a.csv", "question,answer\n") == []


def test_prose_is_no_table(tmp_path: Path) -> None:
    prose = "Dear Sir, good day.\nThis is a letter.\n\nYours, truly, and so on,\nA. B.\n"
    found = read(tmp_path / "letter.txt", prose)
    assert [where for where, _ in failures(found)] == [f"letter.txt:line {number}" for number in (1, 2, 4, 5)]
    assert {reason.split(":")[0] for _, reason in failures(found)} == {"not JSON"}


def test_rows_that_do_not_fit_the_header_fail_with_their_line(tmp_path: Path) -> None:
    text = 'a,b\n1,2\n3\n4,5,6\n\n"7\n8",9,10\n11,12\n'
    assert read(tmp_path / "x.csv", text) == [
        ("x.csv:line 2", {"a": "1", "b": "2"}),
        Failure("x.csv", "1 cell, and the header has 2", line=3),
        Failure("x.csv", "3 cells, and the header has 2", line=4),
        Failure("x.csv", "3 cells over 2 lines, and the header has 2", line=6),
        ("x.csv:line 8", {"a": "11", "b": "12"}),
    ]


def test_a_quote_that_is_never_closed_does_not_take_the_file_with_it(tmp_path: Path) -> None:
    text = 'a,b\n1,2\n3,"never closed\n5,6\n"seven ""7""\nlines",8\n9,10\n'
    found = read(tmp_path / "x.csv", text)
    assert values(found) == [
        {"a": "1", "b": "2"},
        {"a": "5", "b": "6"},
        {"a": 'seven "7"\nlines', "b": "8"},
        {"a": "9", "b": "10"},
    ]
    ((where, reason),) = failures(found)
    assert where == "x.csv:line 3"
    assert reason.startswith("not a row: ")
    found = read(tmp_path / "x.csv", 'a,b\n1,2\n3,"never closed\n5,6\n7,8\n')
    assert values(found) == [{"a": "1", "b": "2"}, {"a": "5", "b": "6"}, {"a": "7", "b": "8"}]
    assert failures(found) == [("x.csv:line 3", "not a row: unexpected end of data")]


def test_bytes_that_are_no_text_fail_with_their_row(tmp_path: Path) -> None:
    data = b'a,b\n1,2\n3,\x004\n5,\xe9\n"6\n\xe9",7\n8,9\n'
    found = read(tmp_path / "x.csv", data)
    assert values(found) == [{"a": "1", "b": "2"}, {"a": "8", "b": "9"}]
    assert failures(found) == [
        ("x.csv:line 3", "a NUL byte"),
        ("x.csv:line 4", "not UTF-8: byte 0xe9 at byte 3"),
        ("x.csv:line 5", "not UTF-8: byte 0xe9 at byte 1"),
    ]


def test_a_row_that_is_too_long_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LONGEST", 1 << 16)
    found = read(tmp_path / "x.csv", "a,b\n1,2\n" + "long " * (1 << 15) + ",3\n4,5\n")
    assert values(found) == [{"a": "1", "b": "2"}, {"a": "4", "b": "5"}]
    assert failures(found) == [("x.csv:line 3", "longer than 64 MB")]
    csv.field_size_limit(1 << 17)


@pytest.mark.parametrize("encoding", ["gb18030", "latin-1"])
def test_a_table_in_an_encoding_that_nobody_named_is_an_error(tmp_path: Path, encoding: str) -> None:
    text = "a,b\n" + ("头疼,吃药\n" if encoding == "gb18030" else "é,è\n") * 4
    with pytest.raises(StageError, match=r"'x\.csv' is not UTF-8 text: byte 0x.. in line 2") as caught:
        read(tmp_path / "x.csv", text.encode(encoding))
    assert "iconv" in (caught.value.hint or "")


def test_columns_with_one_name_are_an_error_and_those_without_get_one(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"x\.csv:line 1: the header names 'a' twice"):
        read(tmp_path / "x.csv", "a,b,a\n1,2,3\n")
    assert values(read(tmp_path / "x.csv", ",a, b ,\n0,1,2,\n")) == [
        {"column 1": "0", "a": "1", "b": "2", "column 4": ""}
    ]


def test_a_header_that_is_none_is_an_error(tmp_path: Path) -> None:
    for text in ('a,"b"c\n1,2\n', "a,\0b\n1,2\n"):
        with pytest.raises(StageError, match=r"x\.csv:line 1: the header cannot be read"):
            read(tmp_path / "x.csv", text)

"""Files as people have them: misnamed, cut, from Windows, half broken."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.corpora.base import Failure
from instil.corpora.records import read_records
from instil.errors import StageError

A, B = {"q": "one", "a": "1"}, {"q": "zwei\u2028drei\x85\x0c", "a": "头疼"}
LINES = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in (A, B))
LIST = json.dumps([A, B], ensure_ascii=False, indent=2)


def read(path: Path, data: str | bytes) -> list[Any]:
    """Return what is read from a file of this content."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(read_records(path))


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.txt", "x.json.gz"])
@pytest.mark.parametrize(
    "data",
    [
        LINES.encode(),
        LINES.rstrip("\n").encode(),
        LINES.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + LINES.encode(),
        gzip.compress(LINES.encode()),
    ],
    ids=["lines", "no last newline", "CRLF", "BOM", "gz"],
)
def test_records_one_a_line_are_read_whatever_the_name(tmp_path: Path, name: str, data: bytes) -> None:
    assert read(tmp_path / name, data) == [(f"{name}:line 1", A), (f"{name}:line 2", B)]


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
@pytest.mark.parametrize(
    "data",
    [
        LIST.encode(),
        LIST.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf\n " + LIST.encode(),
        gzip.compress(LIST.encode()),
        f"{json.dumps(A, indent=2)}\n{json.dumps(B, indent=2)}\n".encode(),
    ],
    ids=["list", "CRLF", "BOM", "gz", "indented, without a list"],
)
def test_a_list_or_indented_records_are_read_whatever_the_name(
    tmp_path: Path, name: str, data: bytes
) -> None:
    assert read(tmp_path / name, data) == [(f"{name}:record 1", A), (f"{name}:record 2", B)]


def test_an_empty_file_and_an_empty_list_have_no_records(tmp_path: Path) -> None:
    assert read(tmp_path / "x.json", "\n \n") == []
    assert read(tmp_path / "x.json", "[]") == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(LINES.encode())[:-12], "cannot read"),
        (gzip.compress(b"x" * 99)[:10] + b"\xff" * 40, "cannot read"),
        (gzip.compress(LINES.encode())[:3], "cannot read"),
        (LINES.encode("gb18030"), "is not UTF-8 text (byte "),
        (LINES.encode("utf-16"), "is not UTF-8 text (byte 0)"),
        (gzip.compress("é".encode("latin-1")), "is not UTF-8 text (byte 0)"),
    ],
    ids=["cut gz", "damaged gz", "gz header", "GB18030", "UTF-16", "latin-1 in gz"],
)
def test_a_file_that_cannot_be_read_is_an_error_with_its_name(
    tmp_path: Path, data: bytes, message: str
) -> None:
    with pytest.raises(StageError, match=r"rows\.jsonl") as caught:
        read(tmp_path / "rows.jsonl", data)
    assert message in str(caught.value)


def test_a_broken_line_is_a_failure_and_the_others_are_read(tmp_path: Path) -> None:
    data = '{"q": 1}\n{"q": \n\n[1]\n{"q": NaN}\n"text"\n{"q": "\\ud83d"}\n{"q": 2}\n'
    good, cut, listed, nan, text, half, last = read(tmp_path / "x.jsonl", data)
    assert (good, last) == (("x.jsonl:line 1", {"q": 1}), ("x.jsonl:line 8", {"q": 2}))
    assert [each.place for each in (cut, listed, nan, text, half)] == [
        f"x.jsonl:line {number}" for number in (2, 4, 5, 6, 7)
    ]
    assert cut.reason.startswith("not JSON: ")
    assert nan.reason.startswith("not JSON: ")
    assert half.reason.startswith("not JSON: ")
    assert listed.reason == text.reason == "not a JSON object"


def test_a_broken_record_of_a_list_is_named_by_record_and_line_and_the_rest_is_read(tmp_path: Path) -> None:
    data = '[\n  {"q": 1},\n  {\n    "q": "never closed,\n    "a": 2\n  },\n  {"q": 3},\n  {"q": 4}\n]\n'
    assert read(tmp_path / "x.json", data) == [
        ("x.json:record 1", {"q": 1}),
        Failure("x.json:record 2 (lines 3 to 4)", "not JSON: Invalid control character at at line 4"),
        ("x.json:record 3", {"q": 3}),
        ("x.json:record 4", {"q": 4}),
    ]


@pytest.mark.parametrize("number", ["NaN", "Infinity", '"\\udc00"'])
def test_what_json_does_not_have_breaks_one_record_of_a_list(tmp_path: Path, number: str) -> None:
    first, broken, last = read(tmp_path / "x.json", f'[{{"q": 1}}, {{"q": {number}}}, {{"q": 2}}]')
    assert (first, last) == (("x.json:record 1", {"q": 1}), ("x.json:record 3", {"q": 2}))
    assert broken.place == "x.json:record 2"
    assert broken.reason.startswith("not JSON: ")


def test_a_list_without_its_end_or_with_a_comma_too_many_loses_nothing(tmp_path: Path) -> None:
    for end in ("", ",", ",\n]", ",\n]\n\n]"):
        assert read(tmp_path / "x.json", f'[{{"q": 1}},\n{{"q": {{"r": "{{"}}}}{end}') == [
            ("x.json:record 1", {"q": 1}),
            ("x.json:record 2", {"q": {"r": "{"}}),
        ]


def test_a_list_cut_in_a_record_says_that_nothing_follows(tmp_path: Path) -> None:
    good, cut = read(tmp_path / "x.json", '[\n{"q": 1},\n{"q": "tw')
    assert good == ("x.json:record 1", {"q": 1})
    assert cut.place == "x.json:record 2 (lines 3 to 3)"
    assert cut.reason.endswith("at line 3; nothing was read after it")


def test_what_is_no_object_in_a_list_is_a_failure(tmp_path: Path) -> None:
    assert read(tmp_path / "x.json", '[{"q": 1}, null, ["q"], {"q": 2}]') == [
        ("x.json:record 1", {"q": 1}),
        Failure("x.json:record 2", "not a JSON object"),
        Failure("x.json:record 3", "not a JSON object"),
        ("x.json:record 4", {"q": 2}),
    ]


_texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('{}[]",\\\n\r\u2028'), max_size=8)
_records = st.lists(st.dictionaries(_texts, _texts | st.integers(-5, 5), max_size=3), min_size=1, max_size=5)


@given(
    records=_records,
    indent=st.sampled_from([None, 2]),
    escaped=st.booleans(),
    comma=st.sampled_from(["", ","]),
)
def test_any_records_are_read_back_as_a_list_or_as_lines(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[dict[str, Any]],
    indent: int | None,
    escaped: bool,
    comma: str,
) -> None:
    path = tmp_path_factory.mktemp("records") / "x"
    listed = json.dumps(records, indent=indent, ensure_ascii=escaped)
    lines = "\n".join(json.dumps(each, ensure_ascii=escaped) for each in records)
    assert [each[1] for each in read(path, f"{listed[:-1]}{comma}]")] == records
    assert [each[1] for each in read(path, lines)] == records

"""JSON as people have it: one a line or not, misnamed, from Windows, half broken."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.corpora.base import Failure
from instil.corpora.containers import RawRecord, json_lines, json_values, read_records
from instil.errors import StageError
from tests.corpora.containers import PACKINGS, failures, lines, read, values

A, B = {"q": "one", "a": "1"}, {"q": "zwei\u2028drei\x85\x0c", "a": "头疼"}
LINES = lines([A, B])
LIST = json.dumps([A, B], ensure_ascii=False, indent=2)

_texts = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('{}[]",:\\\n\r\u2028'), max_size=8
)
_values = st.recursive(
    st.one_of(_texts, st.integers(-(2**53), 2**53), st.booleans(), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text('ab\n\\"é:', max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
_rows = st.lists(st.dictionaries(st.sampled_from(["a", "b", "instruction"]), _values, max_size=3), max_size=6)

CONTAINERS: dict[str, Callable[[list[Any]], str]] = {
    "lines": lambda rows: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows),
    "lines between blank ones": lambda rows: "\n \n" + "\r\n\n".join(map(json.dumps, rows)),
    "list": lambda rows: json.dumps(rows),
    "indented list": lambda rows: json.dumps(rows, indent=4, ensure_ascii=False),
    "list, a row a line": lambda rows: "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n",
    "indented records": lambda rows: "\n".join(json.dumps(row, indent=1) for row in rows),
    "several lists": lambda rows: json.dumps(rows[:1]) + json.dumps(rows[1:], indent=1),
}


@pytest.mark.parametrize(
    ("name", "packing"),
    [
        ("x.json", "plain"), ("x.jsonl", "zstd"), ("x.txt", "bzip2"), ("x.csv", "xz"), ("x.json.gz", "plain"),
        ("x.parquet", "gzip"), ("x.jsonl", "gzip twice over"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "data",
    [
        LINES.encode(),
        LINES.rstrip("\n").encode(),
        LINES.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + LINES.encode(),
        LINES.encode("utf-16"),
        b"\xfe\xff" + LINES.encode("utf-16-be"),
        LINES.encode("utf-32"),
    ],
    ids=["lines", "no last newline", "CRLF", "BOM", "UTF-16", "UTF-16 of the other order", "UTF-32"],
)
def test_records_one_a_line_are_read_whatever_the_name_and_the_packing(
    tmp_path: Path, name: str, packing: str, data: bytes
) -> None:
    assert read(tmp_path / name, PACKINGS[packing](data)) == [(f"{name}:line 1", A), (f"{name}:line 2", B)]


@pytest.mark.parametrize(
    ("name", "packing"), [("x.json", "plain"), ("x.jsonl", "gzip"), ("x.tsv", "zstd"), ("x", "xz")]
)
@pytest.mark.parametrize(
    "data",
    [
        LIST.encode(),
        LIST.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf\n " + LIST.encode(),
        LIST.encode("utf-16"),
        f"{json.dumps(A, indent=2)}\n{json.dumps(B, indent=2)}\n".encode(),
        f"{json.dumps([A])}\n{json.dumps([B], indent=2)}\n".encode(),
    ],
    ids=["list", "CRLF", "BOM", "UTF-16", "indented, without a list", "two lists"],
)
def test_a_list_or_indented_records_are_read_whatever_the_name_and_the_packing(
    tmp_path: Path, name: str, packing: str, data: bytes
) -> None:
    assert read(tmp_path / name, PACKINGS[packing](data)) == [
        (f"{name}:record 1", A),
        (f"{name}:record 2", B),
    ]


@pytest.mark.parametrize("container", CONTAINERS)
@given(
    rows=_rows,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    packing=st.sampled_from(list(PACKINGS)),
)
@settings(max_examples=30)
def test_any_rows_are_read_back_from_any_container_with_their_own_text(
    path: Path,
    container: str,
    encoding: str,
    packing: str,
    rows: list[dict[str, Any]],
) -> None:
    path.write_bytes(PACKINGS[packing](CONTAINERS[container](rows).encode(encoding)))

    found = list(read_records(path))
    if "list" not in container and len(rows) == 1 and _is_mapping(rows[0]):
        return  # a lone object of objects is a mapping
    if container == "indented records" and {} in rows:
        return  # an empty one is a line, and then everything after it is
    assert [each.value for each in found if isinstance(each, RawRecord)] == rows
    assert len(found) == len(rows)
    for each in found:
        assert isinstance(each, RawRecord)
        assert each.line is not None
        assert b"\n" not in each.line
        assert orjson.loads(each.line) == each.value


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for the examples of property tests."""
    return tmp_path_factory.mktemp("json") / "rows.dat"


def _is_mapping(row: dict[str, Any]) -> bool:
    return any(row.values()) and all(isinstance(each, dict) for each in row.values())


@given(
    rows=st.lists(
        st.fixed_dictionaries({"q": _texts, "t": st.lists(st.just({"r": "x"}))}), min_size=2, max_size=5
    ),
    container=st.sampled_from([each for each in CONTAINERS if each != "lines between blank ones"]),
    data=st.data(),
)
def test_whatever_one_character_does_to_a_record_the_others_are_read(
    path: Path, rows: list[dict[str, Any]], container: str, data: st.DataObject
) -> None:
    rows = [{"n": number, **row} for number, row in enumerate(rows)]
    text = CONTAINERS[container](rows)
    number = data.draw(st.integers(0, len(rows) - 1))
    begin = text.index(f'"n": {number},') - 1
    end = text.find(f'"n": {number + 1},') if number + 1 < len(rows) else len(text)
    end = text.rindex("}", begin, end)
    position = data.draw(st.integers(begin + 1, end))
    kept = position + data.draw(st.integers(0, 1))
    text = (
        text[:position]
        + data.draw(st.sampled_from(["", '"', "\\", "}", "{", "]", "[", "x", "\n"]))
        + text[kept:]
    )
    found = values(read(path, text))
    assert [row for row in rows if row["n"] != number] == [
        row for row in found if row.get("n") not in (number, None) and row in rows
    ]


def test_a_broken_line_is_a_failure_and_the_others_are_read(tmp_path: Path) -> None:
    data = '{"q": 1}\n{"q": \n\n[1]\n{"q": NaN}\n"text"\n{"q": "\\ud83d"}\nnull\n{"q": -Infinity}\n{"q": 2}\n'
    found = read(tmp_path / "x.jsonl", data)
    assert values(found) == [{"q": 1}, {"q": 2}]
    assert failures(found) == [
        ("x.jsonl:line 2", "not JSON: unexpected end of data at column 1"),
        ("x.jsonl:line 4", "not a JSON object"),
        ("x.jsonl:line 5", "not JSON: unexpected character, expected a JSON value at column 7"),
        ("x.jsonl:line 6", "not a JSON object"),
        ("x.jsonl:line 7", "not JSON: no low surrogate in string at column 8"),
        ("x.jsonl:line 8", "not a JSON object"),
        ("x.jsonl:line 9", "not JSON: no digit after sign at column 8"),
    ]
    assert found[-1] == ("x.jsonl:line 10", {"q": 2})


def test_lines_whose_first_are_broken_are_still_lines(tmp_path: Path) -> None:
    for first in ("broken", '{"q": "cut', "instruction,output"):
        found = read(tmp_path / "x.dat", f'{first}\n{{"q": 1}}\n{{"q": 2}}\n')
        assert values(found) == [{"q": 1}, {"q": 2}], first
        assert [where for where, _ in failures(found)] == ["x.dat:line 1"]


def test_a_broken_record_of_a_list_is_named_by_record_and_line_and_the_rest_is_read(tmp_path: Path) -> None:
    data = '[\n  {"q": 1},\n  {\n    "q": "never closed,\n    "a": 2\n  },\n  {"q": 3},\n  {"q": 4}\n]\n'
    assert read(tmp_path / "x.json", data) == [
        ("x.json:record 1", {"q": 1}),
        Failure("x.json:record 2 (lines 3 to 4)", "not JSON: Invalid control character at line 4"),
        ("x.json:record 3", {"q": 3}),
        ("x.json:record 4", {"q": 4}),
    ]


def test_after_a_broken_record_no_object_inside_it_is_taken_for_a_record(tmp_path: Path) -> None:
    rows = [{"id": number, "turns": [{"from": "human"}, {"from": "gpt"}]} for number in range(4)]
    for indent in (None, 2):
        text = json.dumps(rows, indent=indent).replace('"id": 2', '"id": 2 2')
        found = read(tmp_path / "x.json", text)
        assert values(found) == [rows[0], rows[1], rows[3]], indent
        assert len(failures(found)) == 1


def test_records_of_a_list_that_are_not_alike_are_read_after_a_broken_one(tmp_path: Path) -> None:
    found = read(tmp_path / "x.json", '[{"a": 1}, {"b": 2 2}, {"c": 3}, {"d": 4}]')
    assert values(found) == [{"a": 1}, {"c": 3}, {"d": 4}]


@pytest.mark.parametrize(
    "container",
    [
        '{"q": 0}\n???\n{"q": 2}\n',
        '[{"q": 0}, ???, {"q": 2}]',
        '[\n {"q": 0},\n ???,\n {"q": 2}\n]',
        '{\n"q": 0\n}\n???\n{\n"q": 2\n}',
    ],
    ids=["lines", "list", "list by line", "indented"],
)
@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('{"q": NaN}', "not JSON: "),
        ('{"q": [-Infinity]}', "not JSON: "),
        ('{"q": "\\udc00"}', "not JSON: "),
        ('{"q": "\\uD83d x"}', "not JSON: "),
        ('{"q": 1, "q": 2}', "the key 'q' stands twice, with different values"),
        ('{"r": [{"q": "a", "q": "b"}]}', "the key 'q' stands twice, with different values"),
        ('{"q" : 1, "q" : [2]}', "the key 'q' stands twice, with different values"),
        ('{"r": {"q": 1}, "r": {"q": 1, "s": "\\":"}}', "the key 'r' stands twice, with different values"),
        ('{"q": ' + "[" * 5000 + "]" * 5000 + "}", ""),
        ("[" * 5000 + "]" * 5000, ""),
        ('["q"]', "not a JSON object"),
        ('[{"q": 1}]', "not a JSON object"),
        ('"q"', "not a JSON object"),
        ("12", "not a JSON object"),
        ("null", "not a JSON object"),
    ],
)
def test_what_is_no_sound_object_is_one_failure_in_every_container(
    tmp_path: Path, container: str, record: str, reason: str
) -> None:
    if container.startswith("{\n") and record.startswith("["):
        return  # this is a list among records, and what it holds is read
    first, failure, last = read(tmp_path / "x.json", container.replace("???", record))
    assert isinstance(first, tuple)
    assert isinstance(last, tuple)
    assert (first[1], last[1]) == ({"q": 0}, {"q": 2})
    assert isinstance(failure, Failure)
    assert failure.reason.startswith(reason)


def test_a_key_that_stands_twice_with_one_value_loses_nothing(tmp_path: Path) -> None:
    record = '{"twice": {"a": ["\\":"]}, "twice": {"a": ["\\":"]}}'
    (found,) = read_records(_written(tmp_path / "x.json", f"[{record}]"))
    assert isinstance(found, RawRecord)
    assert (found.value, found.line) == ({"twice": {"a": ['":']}}, record.encode())


@pytest.mark.parametrize(
    "record",
    [
        '{"n": 123456789012345678901234567890.10e+05, "a" :1}',
        '{"caf\\u00e9": "\\ud83d\\ude42 \\/ caf\u00e9", "n": 1.0}',
        '{"twice": 1, "twice": 1}',
    ],
)
def test_a_record_keeps_its_text(tmp_path: Path, record: str) -> None:
    for text in (f"\ufeff{record}\n", f"[{record}, {record}]", f"\ufeff \n[\n  {record}\n ,{record}]"):
        found = list(read_records(_written(tmp_path / "rows.json", text)))
        assert [each.line for each in found if isinstance(each, RawRecord)] == [record.encode()] * len(found)
        assert found


def test_a_record_of_several_lines_is_put_on_one(tmp_path: Path) -> None:
    text = '[\n  {\n    "a b": "c \\n  d",\r\n    "n": [\n1,\n 2]\n  }\n]'
    (found,) = read_records(_written(tmp_path / "rows.json", text))
    assert isinstance(found, RawRecord)
    assert found.line == b'{"a b": "c \\n  d","n": [1,2]}'


def test_a_list_without_its_end_or_with_a_comma_too_many_loses_nothing(tmp_path: Path) -> None:
    for end in ("", ",", ",\n]", ",\n]\n\n]"):
        assert read(tmp_path / "x.json", f'[{{"q": 1}},\n{{"q": {{"r": "{{"}}}}{end}') == [
            ("x.json:record 1", {"q": 1}),
            ("x.json:record 2", {"q": {"r": "{"}}),
        ]


def test_a_list_cut_in_a_record_says_that_nothing_follows(tmp_path: Path) -> None:
    for end in ('{"q": "tw', '{"q": tr', '{"q', "{", '{"q": 1', '{"q": "\\'):
        good, cut = read(tmp_path / "x.json", '[\n{"q": 1},\n' + end)
        assert good == ("x.json:record 1", {"q": 1})
        assert isinstance(cut, Failure)
        assert cut.place == "x.json:record 2 (lines 3 to 3)"
        assert cut.reason.endswith("at line 3; nothing was read after it")


def test_what_is_no_object_in_a_list_is_a_failure(tmp_path: Path) -> None:
    assert read(tmp_path / "x.json", '[{"q": 1}, null, ["q"], {"q": 2}]') == [
        ("x.json:record 1", {"q": 1}),
        Failure("x.json:record 2", "not a JSON object"),
        Failure("x.json:record 3", "not a JSON object"),
        ("x.json:record 4", {"q": 2}),
    ]
    assert read(tmp_path / "x.json", '["a", [{"a": 1}], 3]') == [
        Failure(f"x.json:record {number}", "not a JSON object") for number in (1, 2, 3)
    ]


def test_lists_that_were_written_one_after_the_other_are_one(tmp_path: Path) -> None:
    found = read(tmp_path / "x.jsonl", '[{"q": 1}, {"q": 2}]\n[{"q": 3}]\n["q"]\n[]\n{"q": 4}')
    assert values(found) == [{"q": number} for number in (1, 2, 3, 4)]
    assert failures(found) == [("x.jsonl:record 4", "not a JSON object")]


def test_an_empty_file_and_an_empty_list_have_no_records(tmp_path: Path) -> None:
    for text in ("", "\n \n", "\ufeff", "\ufeff\n", "[]", "[\n]\n"):
        assert read(tmp_path / "x.json", text) == []


@pytest.mark.parametrize("indent", [None, 2])
def test_an_object_of_objects_is_a_mapping_of_records_with_their_keys(
    tmp_path: Path, indent: int | None
) -> None:
    mapping = {"21645374": {"QUESTION": "q", "CONTEXTS": ["a"]}, "2": {}, "3": {"QUESTION": "r"}}
    assert read(tmp_path / "x.json", json.dumps(mapping, indent=indent)) == [
        ("x.json:record 1", {"_key": "21645374", "QUESTION": "q", "CONTEXTS": ["a"]}),
        ("x.json:record 2", {"_key": "2"}),
        ("x.json:record 3", {"_key": "3", "QUESTION": "r"}),
    ]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_mapping_is_read_on_after_a_record_that_is_none(tmp_path: Path, indent: int | None) -> None:
    text = json.dumps({str(number): {"q": number, "r": {"s": 1}} for number in range(5)}, indent=indent)
    broken = text.replace('"q": 3', '"q": 3 3')
    found = read(tmp_path / "x.json", broken)
    assert [each["_key"] for each in values(found)] == ["0", "1", "2", "4"]
    assert [where.split(" (")[0] for where, _ in failures(found)] == ["x.json:record 4"]


def test_an_object_some_of_whose_values_are_no_objects_is_one_record(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"id": {"a": 1}, "n": 1}, {"1": "yes", "2": "no"}, {"a": {}}, {}]
    for record in records:
        for indent in (None, 1):
            assert values(read(tmp_path / "x.json", json.dumps(record, indent=indent))) == [record]


@pytest.mark.parametrize("indent", [None, 4])
def test_the_instances_of_a_file_of_lmflow_are_records_with_its_type(
    tmp_path: Path, indent: int | None
) -> None:
    file = {"type": "text2text", "instances": [{"input": "a", "output": "b"}, {"input": "c", "output": "d"}]}
    assert read(tmp_path / "x.json", json.dumps(file, indent=indent)) == [
        ("x.json:record 1", {"type": "text2text", "input": "a", "output": "b"}),
        ("x.json:record 2", {"type": "text2text", "input": "c", "output": "d"}),
    ]


def test_a_lone_record_that_has_instances_is_a_record(tmp_path: Path) -> None:
    seed = {"id": "seed", "instruction": "i", "instances": [{"input": "a", "output": "b"}]}
    for indent in (None, 1):
        assert values(read(tmp_path / "x.json", json.dumps(seed, indent=indent))) == [seed]


def test_a_list_is_read_across_the_borders_of_what_is_held_of_it(tmp_path: Path) -> None:
    rows = [{"n": number, "text": '头{}\\"' * (number * 997 % 60_000)} for number in range(40)]
    for indent in (None, 2):
        assert values(read(tmp_path / "x.json", json.dumps(rows, indent=indent, ensure_ascii=False))) == rows
    mapping = {str(row["n"]): row for row in rows[1:]}
    found = values(read(tmp_path / "x.json", json.dumps(mapping)))
    assert found == [{"_key": key, **row} for key, row in mapping.items()]


@pytest.mark.parametrize("container", ['{{"q": 1}}\n{}\n{{"q": 2}}\n', '[{{"q": 1}},\n{},\n{{"q": 2}}]'])
@pytest.mark.parametrize("times", [1.2, 20])
def test_a_record_that_is_too_long_is_a_failure_and_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: str, times: float
) -> None:
    longest = 2 << 20
    for reader in (json_lines, json_values):
        monkeypatch.setattr(reader, "LONGEST", longest)
    path = tmp_path / "x.json"
    path.write_text(container.format('{"q": "' + "x" * int(times * longest) + '"}'))
    tracemalloc.start()
    try:
        found = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert values(found) == [{"q": 1}, {"q": 2}]
    (failure,) = failures(found)
    assert failure[0].startswith(("x.json:line 2", "x.json:record 2"))
    assert failure[1] == "longer than 64 MB"
    assert peak < 8 * longest


def test_one_line_that_is_not_utf8_fails_alone(tmp_path: Path) -> None:
    for text in ('{"q": 1}\n{"q": "?"}\n{"q": "é"}\n', '[{"q": 1},\n {"q": "?"},\n {"q": "é"}]'):
        found = read(tmp_path / "x.json", text.encode().replace(b"?", b"\xe9"))
        assert values(found) == [{"q": 1}, {"q": "é"}]
        ((_, reason),) = failures(found)
        assert reason == "not UTF-8: byte 0xe9 at byte 8"


def test_half_a_surrogate_pair_in_utf16_fails_alone(tmp_path: Path) -> None:
    data = LINES.replace("one", "\ud83d").encode("utf-16", "surrogatepass")
    found = read(tmp_path / "x.jsonl", data)
    assert values(found) == [B]
    assert failures(found) == [("x.jsonl:line 1", "not UTF-8: byte 0xed at byte 8")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lines([B] * 5).encode("gb18030"), r"'rows\.jsonl' is not UTF-8 text: byte 0x.. in line 1"),
        (LINES.encode("utf-16-le"), r"'rows\.jsonl' is not text: byte 0x00 at byte 2"),
        ("é".encode("latin-1"), r"'rows\.jsonl' is not UTF-8 text: byte 0xe9 in line 1"),
        (json.dumps([{"q": "é"}], ensure_ascii=False).encode("latin-1"), "not UTF-8 text: byte 0xe9"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, r"'rows\.jsonl' is not text: byte 0x1a"),
    ],
    ids=["GB18030", "UTF-16 without its mark", "latin-1", "a list in latin-1", "a picture"],
)
def test_a_file_that_is_no_text_is_an_error_that_names_the_byte_and_the_way_out(
    tmp_path: Path, data: bytes, message: str
) -> None:
    with pytest.raises(StageError, match=message) as caught:
        read(tmp_path / "rows.jsonl", data)
    assert caught.value.hint


def test_the_way_out_guesses_the_encoding_and_says_so(tmp_path: Path) -> None:
    rows = [{"q": "头疼应该怎么办，需要去医院检查吗？"}] * 20
    with pytest.raises(StageError) as caught:
        read(tmp_path / "rows.jsonl", lines(rows).encode("gb18030"))
    assert "iconv -f GB18030 -t UTF-8; the encoding is a guess" in (caught.value.hint or "")

    with pytest.raises(StageError) as caught:
        read(tmp_path / "rows.jsonl", lines([{"q": "é"}]).encode("latin-1"))  # too little for a guess
    assert (caught.value.hint or "").endswith("iconv -f ENCODING -t UTF-8")


def test_a_file_that_is_not_there_is_an_error_with_its_name(tmp_path: Path) -> None:
    for path in (tmp_path / "rows.jsonl", tmp_path):
        with pytest.raises(StageError, match="cannot read") as caught:
            read(path)
        assert str(path) in str(caught.value)


@given(
    data=st.binary(max_size=400)
    | st.text(st.sampled_from('{}[]",:\\ \n\r\tq1é\ud7ff\x00'), max_size=60).map(str.encode),
    prefix=st.sampled_from([b"", b'[{"q": ', b'{"q": 1}\n', b"a,b\n", b"\xff\xfe", b"PK\x03\x04", b"PAR1"]),
    packing=st.sampled_from(list(PACKINGS)),
)
def test_no_bytes_do_more_than_fail(path: Path, prefix: bytes, data: bytes, packing: str) -> None:
    path.write_bytes(PACKINGS[packing](prefix + data))
    try:
        for each in read_records(path):
            assert isinstance(each, RawRecord | Failure)
    except StageError as error:
        assert str(error)  # noqa: PT017


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path

"""Files in pieces: together they are the whole, whatever the pieces' size, and lines can be counted on."""

from __future__ import annotations

import gzip
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from instil.corpora.base import Failure
from instil.corpora.containers import SUFFIXES, count_records, open_part, read_records, split
from instil.errors import StageError
from tests.corpora.containers import lines, shown, table, values, zstd
from tests.corpora.test_containers_packed import ARCHIVES


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for the examples of property tests."""
    return tmp_path_factory.mktemp("parts") / "rows.dat"


def in_parts(path: Path, size: int) -> list[Any]:
    """Return what is read from all parts, with lines counted from the beginning of the file."""
    found: list[Any] = []
    before = 0
    for part in split(path, size):
        records = open_part(pickle.loads(pickle.dumps(part)))
        for each in records:
            if isinstance(each, Failure):
                line = None if each.line is None else each.line + before
                found.append(Failure(each.place, each.reason, line))
            elif each.places.unit == "line":
                found.append((f"{each.places.name}:line {each.number + before}", each.value))
            else:
                found.append(shown(each))
        before += records.lines
    return found


_line = st.one_of(
    st.builds(lambda text: json.dumps({"q": text}, ensure_ascii=False), st.text("aé头\u2028", max_size=9)),
    st.sampled_from(["", " ", "{", "[1]", "{}", '{"q": "' + "x" * 70 + '"}', "\r"]),
)


@given(
    rows=st.lists(_line, max_size=20),
    end=st.sampled_from(["", "\n", "\n\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    size=st.integers(1, 120),
)
def test_the_parts_of_lines_are_the_file(path: Path, rows: list[str], end: str, mark: str, size: int) -> None:
    path.write_bytes((mark + '{"q": 0}\n{"q": 1}\n' + "\n".join(rows) + end).encode())
    parts = split(path, size)

    assert in_parts(path, size) == [shown(each) for each in read_records(path)]
    assert [part.start for part in parts[1:]] == [part.end for part in parts[:-1]]
    assert sum(part.size for part in parts) == path.stat().st_size
    assert count_records(path) >= len(list(read_records(path)))


@pytest.mark.parametrize("size", [1, 1000, 1 << 30])
def test_the_parts_of_parquet_are_its_row_groups(tmp_path: Path, size: int) -> None:
    path = tmp_path / "rows.parquet"
    rows: list[dict[str, Any]] = [{"n": number, "text": "x" * 20} for number in range(1000)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=90)
    parts = split(path, size)
    assert len(parts) == {1: 12, 1000: 12, 1 << 30: 1}[size]
    assert in_parts(path, size) == [(f"rows.parquet:record {row['n'] + 1}", row) for row in rows]
    assert count_records(path) == 1000


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("size", [1, 200, 1 << 30])
def test_the_parts_of_an_archive_are_its_files(tmp_path: Path, kind: str, size: int) -> None:
    path = tmp_path / "x"
    files = {f"{name}.jsonl": (lines([{"n": name}] * 5) + "{\n").encode() for name in "abcdef"}
    path.write_bytes(ARCHIVES[kind](files))
    parts = split(path, size)
    assert len(parts) == {1: 6, 200: 2, 1 << 30: 1}[size]
    assert in_parts(path, size) == [shown(each) for each in read_records(path)]
    assert [each.where for each in in_parts(path, size) if isinstance(each, Failure)] == [
        f"x/{name}.jsonl:line 6" for name in "abcdef"
    ]


@pytest.mark.parametrize(
    "data",
    [
        json.dumps([{"q": 1}] * 9).encode(),
        table([{"a": "1", "b": "2"}] * 9).encode(),
        gzip.compress(lines([{"q": 1}] * 9).encode()),
        zstd(lines([{"q": 1}] * 9).encode()),
        lines([{"q": 1}] * 9).encode("utf-16"),
        ARCHIVES["tar.gz"]({"a.jsonl": lines([{"q": 1}] * 9).encode()}),
        ARCHIVES["zip.gz"]({"a.jsonl": lines([{"q": 1}] * 9).encode()}),
        b"",
        ARCHIVES["tar"]({"a.jsonl": lines([{"q": 1}] * 90).encode()})[:1500],
    ],
    ids=["list", "table", "gzip", "zstd", "UTF-16", "tar.gz", "zip.gz", "nothing", "a tar that is cut"],
)
def test_what_must_be_read_from_its_beginning_is_one_part(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "rows.dat"
    path.write_bytes(data)
    (part,) = split(path, 1)
    assert (part.size, part.start, part.end) == (len(data), 0, None)
    assert in_parts(path, 1) == [shown(each) for each in read_records(path)]


def test_a_file_that_cannot_be_read_is_an_error_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"\x89PNG" + bytes(99))
    for path in (tmp_path / "x.jsonl", tmp_path / "missing.jsonl", tmp_path):
        for look in (split, count_records):
            with pytest.raises(StageError):
                look(path)


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (lines([{"q": 1}] * 9), 9),
        (lines([{"q": 1}] * 9).rstrip(), 9),
        (json.dumps([{"q": 1}] * 9), 9),
        (json.dumps({str(number): {"q": 1} for number in range(9)}), 9),
        (table([{"a": "1", "b": "2"}] * 9), 9),
        ("", 0),
        ("[]", 0),
    ],
)
def test_records_are_counted_before_they_are_read(tmp_path: Path, data: str, count: int) -> None:
    for pack in (bytes, gzip.compress, zstd):
        (tmp_path / "x").write_bytes(pack(data.encode()))
        assert count_records(tmp_path / "x") == count


def test_a_file_that_is_cut_has_at_most_as_many_records_as_are_counted(tmp_path: Path) -> None:
    packed = gzip.compress(lines([{"q": str(number)} for number in range(5000)]).encode())
    (tmp_path / "x").write_bytes(packed[:-3000])
    found = [shown(each) for each in read_records(tmp_path / "x")]
    assert len(values(found)) <= count_records(tmp_path / "x") <= 5000


def test_suffixes_are_those_of_files_and_archives() -> None:
    for name in ("a.json", "a.jsonl.gz", "a.csv.zst", "a.parquet", "a.arrow", "a.tar.gz", "a.tgz", "a.zip"):
        assert name.endswith(SUFFIXES)
    for name in ("a.md", "a.txt", "a.py", "a.gz", "a.bin"):
        assert not name.endswith(SUFFIXES)


def test_plain_json_is_read_without_what_only_columns_need() -> None:
    code = "import instil.corpora.containers, sys; print('pyarrow' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]

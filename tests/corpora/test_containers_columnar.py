"""Parquet and Arrow: rows of any type of column, whole row groups and damaged ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, parquet

from instil.corpora.base import Failure
from instil.corpora.containers import count_records, read_records
from instil.errors import StageError
from tests.corpora.containers import failures, read, values

ROWS = [
    {"id": number, "messages": [{"role": "user", "content": f"头疼 {number}"}] * (number % 3), "extra": None}
    for number in range(10_000)
]


def _file(table: Any, path: Path) -> None:
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3000)


def _stream(table: Any, path: Path) -> None:
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3000)


WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "parquet": lambda table, path: parquet.write_table(table, path, row_group_size=3000),
    "parquet in brotli": lambda table, path: parquet.write_table(table, path, compression="brotli"),
    "arrow file": _file,
    "arrow stream": _stream,
    "feather": lambda table, path: feather.write_feather(table, str(path), compression="lz4"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("writer", WRITERS)
def test_rows_are_read_whatever_the_name(tmp_path: Path, writer: str, packed: bool) -> None:
    path = tmp_path / "rows.json"
    WRITERS[writer](pyarrow.Table.from_pylist(ROWS), path)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    found = read(path)
    assert values(found) == ROWS
    assert found[0] == ("rows.json:record 1", ROWS[0])
    assert found[-1] == ("rows.json:record 10000", ROWS[-1])
    assert count_records(path) == len(ROWS)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for the examples of property tests."""
    return tmp_path_factory.mktemp("columnar") / "rows.dat"


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
_turns = st.fixed_dictionaries({"from": _texts, "n": st.booleans()})


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "text": st.none() | _texts,
                "number": st.none() | st.integers(-(2**63), 2**63 - 1),
                "turns": st.none() | st.lists(st.none() | _turns),
                "inner": st.fixed_dictionaries({"list": st.lists(st.lists(_texts, max_size=2), max_size=2)}),
            }
        ),
        max_size=4,
    ),
    writer=st.sampled_from(list(WRITERS)),
)
def test_any_rows_are_read_back(path: Path, rows: list[dict[str, Any]], writer: str) -> None:
    turn = pyarrow.struct([("from", pyarrow.string()), ("n", pyarrow.bool_())])
    schema = pyarrow.schema(
        [
            ("text", pyarrow.string()),
            ("number", pyarrow.int64()),
            ("turns", pyarrow.list_(turn)),
            ("inner", pyarrow.struct([("list", pyarrow.list_(pyarrow.list_(pyarrow.string())))])),
        ]
    )
    WRITERS[writer](pyarrow.Table.from_pylist(rows, schema=schema), path)
    assert values(read(path)) == rows


def test_what_json_cannot_say_is_said_as_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table = pyarrow.table(
        {
            "day": [date(2024, 2, 29)],
            "at": [datetime(2024, 2, 29, 12, 30, tzinfo=UTC)],
            "clock": [time(1, 2, 3)],
            "price": [Decimal("12.50")],
            "old text": pyarrow.array(["头疼".encode()], pyarrow.binary()),
            "picture": pyarrow.array([{"bytes": b"\xff\xd8", "path": "a.jpg"}]),
            "map": pyarrow.array([[("a", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int32())),
            "category": pyarrow.array(["x"]).dictionary_encode(),
        }
    )
    parquet.write_table(table, path)
    (found,) = values(read(path))
    assert found == {
        "day": "2024-02-29",
        "at": "2024-02-29T12:30:00+00:00",
        "clock": "01:02:03",
        "price": "12.50",
        "old text": "头疼",
        "picture": {"bytes": "/9g=", "path": "a.jpg"},
        "map": {"a": 1},
        "category": "x",
    }
    assert json.loads(json.dumps(found)) == found


def test_a_damaged_row_group_is_one_failure_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows = [{"text": f"row {number}"} for number in range(400)]
    parquet.write_table(
        pyarrow.Table.from_pylist(rows), path, row_group_size=100, compression="zstd", use_dictionary=False
    )
    column = parquet.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    middle = column.data_page_offset + column.total_compressed_size // 2
    data[middle : middle + 20] = b"\xff" * 20
    found = read(path, bytes(data))
    assert values(found) == rows[:100] + rows[200:]
    ((where, reason),) = failures(found)
    assert where == "rows.parquet:records 101 to 200"
    assert found[-1] == ("rows.parquet:record 400", rows[399])
    assert reason.startswith("damaged: ")


def test_text_that_is_not_utf8_fails_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.arrow"
    buffers = [
        None,
        pyarrow.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0])),
        pyarrow.py_buffer(b"a\xff"),
    ]
    parquet.write_table(pyarrow.table({"q": pyarrow.Array.from_buffers(pyarrow.string(), 2, buffers)}), path)
    found = read(path)
    assert values(found) == [{"q": "a"}]
    assert failures(found) == [("rows.arrow:record 2", "not UTF-8: byte 0xff")]


def test_offsets_that_point_out_of_a_file_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "rows.arrow"
    table = pyarrow.table({"q": ["a", "b"], "n": [1, 2]})
    _file(pyarrow.concat_tables([table, pyarrow.table({"q": ["c"], "n": [3]})]), path)
    data = path.read_bytes()
    ends = (1).to_bytes(4, "little") + (2).to_bytes(4, "little")
    found = read(path, data.replace(ends, (1 << 20).to_bytes(4, "little") + ends[4:]))
    ((where, reason),) = failures(found)
    assert where == "rows.arrow:records 1 to 2"
    assert reason.startswith("damaged: ")
    assert found[-1] == ("rows.arrow:record 3", {"q": "c", "n": 3})


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_that_is_cut_is_an_error_or_gives_what_is_before(tmp_path: Path, writer: str) -> None:
    path = tmp_path / "rows.dat"
    WRITERS[writer](pyarrow.Table.from_pylist(ROWS), path)
    path.write_bytes(path.read_bytes()[:-3000])
    if writer != "arrow stream":
        with pytest.raises(StageError, match=r"cannot read 'rows\.dat'"):
            read(path)
        return
    *found, failure = read(path)
    assert values(found) == ROWS[:9000]
    assert isinstance(failure, Failure)
    assert failure.place == "rows.dat:record 9001"
    assert failure.reason.endswith("nothing was read after it")


def test_columns_with_one_name_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.arrow"
    _stream(pyarrow.table([[1], [2]], names=["a", "a"]), path)
    with pytest.raises(StageError, match=r"'rows\.arrow' has two columns named 'a'"):
        list(read_records(path))


@pytest.mark.parametrize("writer", ["parquet", "arrow file", "arrow stream"])
def test_names_of_columns_that_are_not_utf8_are_an_error(tmp_path: Path, writer: str) -> None:
    path = tmp_path / "rows.dat"
    WRITERS[writer](pyarrow.table({"question": ["why"]}), path)
    with pytest.raises(StageError, match=r"cannot read 'rows\.dat'"):
        read(path, path.read_bytes().replace(b"question", b"\xffuestion"))


def test_feather_of_the_first_version_is_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="Feather version 1") as caught:
        read(tmp_path / "rows.feather", b"FEA1" + bytes(100))
    assert caught.value.hint

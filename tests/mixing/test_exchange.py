"""Files between steps: what is written by partition is read by partition, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.errors import StoreError
from instil.mixing.exchange import PartitionWriter, read_batches, read_partition, write_table
from instil.mixing.rows import SCHEMA
from tests.disk import disk_full_after

_SCHEMA = pa.schema([pa.field("id", pa.uint64()), pa.field("words", pa.list_(pa.string()))])


def table_of(ids: list[int]) -> pa.Table:
    return pa.table([ids, [[f"word {number}"] * (number % 3) for number in ids]], schema=_SCHEMA)


def read(paths: list[Path], number: int, count: int) -> list[int]:
    found = pa.Table.from_batches(read_partition(paths, number, count), _SCHEMA)
    assert found.column("words").to_pylist() == table_of(found.column("id").to_pylist())["words"].to_pylist()
    ids: list[int] = found.column("id").to_pylist()
    return ids


@given(
    files=st.lists(st.lists(st.lists(st.integers(0, 50), max_size=12), max_size=4), min_size=1, max_size=4),
    count=st.integers(1, 7),
)
def test_a_partition_has_its_rows_of_every_round_and_file_in_the_order_in_which_they_were_added(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[list[int]]], count: int
) -> None:
    directory = tmp_path_factory.mktemp("exchange")
    paths = [directory / f"{number}.arrow" for number in range(len(files))]
    for path, rounds in zip(paths, files, strict=True):
        with PartitionWriter(path, _SCHEMA, count) as writer:
            for ids in rounds:
                writer.add(table_of(ids), np.array(ids, np.int64) % count)
    for number in range(count):
        expected = [each for rounds in files for ids in rounds for each in ids if each % count == number]
        assert read(paths, number, count) == expected
    assert sorted(each.name for each in directory.iterdir()) == sorted(path.name for path in paths)


def test_rows_of_a_mixture_go_through_with_all_their_columns(tmp_path: Path) -> None:
    row: dict[str, Any] = {
        "id": 2**64 - 1,
        "source": 3,
        "group": 2**63,
        "tokens": 7,
        "size": 9,
        "language": "zh",
        "task": "",
        "turns": [{"role": 1, "content": "问"}, {"role": 2, "content": "答🙂\n"}],
        "about": None,
    }
    rows = [{**row, "id": number, "about": "{}" if number % 2 else None} for number in range(9)]
    with PartitionWriter(tmp_path / "rows.arrow", SCHEMA, 4) as writer:
        writer.add(pa.Table.from_pylist(rows, schema=SCHEMA), np.arange(9) % 4)
    back = [
        row
        for number in range(4)
        for batch in read_partition([tmp_path / "rows.arrow"], number, 4)
        for row in batch.to_pylist()
    ]
    assert sorted(back, key=lambda each: each["id"]) == rows


def test_a_row_of_no_partition_is_refused_instead_of_lost(tmp_path: Path) -> None:
    for wrong in (-1, 4):
        with (
            pytest.raises(ValueError, match="partitions are numbered from 0 to 3"),
            PartitionWriter(tmp_path / "rows.arrow", _SCHEMA, 4) as writer,
        ):
            writer.add(table_of([1, 2]), np.array([0, wrong]))
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_read_back_in_batches_and_by_columns(tmp_path: Path) -> None:
    path = tmp_path / "table.arrow"
    write_table(path, table_of(list(range(10))), rows=4)
    batches = list(read_batches(path))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    assert pa.Table.from_batches(batches) == table_of(list(range(10)))
    assert [batch.schema.names for batch in read_batches(path, ["id"])] == [["id"]] * 3
    write_table(path, table_of([]))
    assert sum(batch.num_rows for batch in read_batches(path)) == 0


class Stopped(Exception):
    """What a test raises."""


def write_and_stop(path: Path) -> None:
    with PartitionWriter(path, _SCHEMA, 2) as writer:
        writer.add(table_of([7, 8]), np.array([0, 1]))
        raise Stopped


def test_a_writer_that_raises_leaves_nothing_and_the_older_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rows.arrow"
    with pytest.raises(Stopped):
        write_and_stop(path)
    assert list(tmp_path.iterdir()) == []
    with PartitionWriter(path, _SCHEMA, 2) as writer:
        writer.add(table_of([1, 2]), np.array([1, 0]))
    with pytest.raises(Stopped):
        write_and_stop(path)
    assert list(tmp_path.iterdir()) == [path]
    assert read([path], 0, 2) == [2]


@pytest.mark.parametrize("room", [0, 100, 20_000])
def test_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path: Path, room: int) -> None:
    path = tmp_path / "rows.arrow"
    # What lz4 cannot make smaller.
    noise = pa.table([np.random.default_rng(1).integers(0, 2**64, 20_000, dtype=np.uint64)], names=["id"])
    with disk_full_after(room):
        with (
            pytest.raises(StoreError, match=r"cannot write '.*rows.arrow': ") as caught,
            PartitionWriter(path, noise.schema, 3) as writer,
        ):
            writer.add(noise, np.arange(20_000) % 3)
        assert caught.value.hint == "finished work is kept; make room and run the same command again"
        with pytest.raises(StoreError, match=r"cannot write '.*rows.arrow': "):
            write_table(path, noise)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot write '.*rows.arrow': "):
        PartitionWriter(tmp_path / "missing" / "rows.arrow", _SCHEMA, 3)
    with pytest.raises(StoreError, match=r"cannot write '.*rows.arrow': "):
        write_table(tmp_path / "missing" / "rows.arrow", table_of([1]))


def test_a_torn_or_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    whole = tmp_path / "whole.arrow"
    with PartitionWriter(whole, _SCHEMA, 2) as writer:
        writer.add(table_of(list(range(500))), np.arange(500) % 2)
    data = whole.read_bytes()
    torn = tmp_path / "torn.arrow"
    for size in (0, 5, len(data) // 2, len(data) - 1):
        torn.write_bytes(data[:size])
        for batches in (read_partition([whole, torn], 1, 2), read_batches(torn), read_batches(torn, ["id"])):
            with pytest.raises(StoreError, match=r"cannot read '.*torn.arrow': ") as caught:
                list(batches)
            assert caught.value.hint == "remove the stage's directory and run again"
    with pytest.raises(StoreError, match=r"cannot read '.*gone.arrow': "):
        list(read_partition([tmp_path / "gone.arrow"], 0, 2))

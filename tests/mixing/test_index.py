"""The index of rows: names by number, whatever the order in which they turned up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from instil.errors import StageError
from instil.mixing.exchange import write_table
from instil.mixing.index import read_index
from instil.mixing.rows import SCHEMA
from instil.mixing.unique import INDEX_COLUMNS


def write(path: Path, languages: Sequence[str], tasks: Sequence[str] | None = None, batch: int = 3) -> Path:
    count = len(languages)
    columns = {
        "id": np.arange(count),
        "source": np.zeros(count),
        "group": np.arange(count) * 10,
        "tokens": np.arange(count) + 5,
        "size": np.arange(count) + 7,
        "language": list(languages),
        "task": list(tasks or [""] * count),
    }
    fields = [SCHEMA.field(name) for name in INDEX_COLUMNS]
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in fields]
    write_table(path, pa.Table.from_arrays(arrays, schema=pa.schema(fields)), rows=batch)
    return path


def test_languages_and_tasks_are_numbered_by_their_names(tmp_path: Path) -> None:
    first = write(tmp_path / "0.arrow", ["zh", "en", "zh", "", "fr"], ["b", "b", "a", "c", "a"])
    second = write(tmp_path / "1.arrow", ["fr", "en"], ["", "a"])
    for order, languages in (
        ([first, second], "zh en zh  fr fr en"),
        ([second, first], "fr en zh en zh  fr"),
    ):
        index = read_index(order)
        assert index.languages == ("", "en", "fr", "zh")
        assert index.tasks == ("", "a", "b", "c")
        assert [index.languages[number] for number in index.language] == languages.split(" ")
    assert index.buckets == (2, 5)


def test_the_index_of_some_rows_keeps_their_columns_together(tmp_path: Path) -> None:
    index = read_index([write(tmp_path / "0.arrow", ["zh", "en", "zh", "fr"])])
    some = index.of(np.array([False, True, True, False]))
    assert some.id.tolist() == [1, 2]
    assert some.group.tolist() == [10, 20]
    assert some.tokens.tolist() == [6, 7]
    assert [some.languages[number] for number in some.language] == ["en", "zh"]


def test_more_kinds_of_tasks_than_can_be_numbered_are_refused(tmp_path: Path) -> None:
    tasks = [f"task {number}" for number in range(65_537)]
    path = write(tmp_path / "0.arrow", ["en"] * len(tasks), tasks, 10_000)
    with pytest.raises(StageError, match="the rows are of more than 65,536 values of task") as caught:
        read_index([path])
    assert "such as 'task 0'" in (caught.value.hint or "")
    path = write(tmp_path / "0.arrow", ["en"] * len(tasks[1:]), tasks[1:], 10_000)
    assert len(read_index([path]).tasks) == 65_536

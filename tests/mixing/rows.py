"""Small tables of rows in the files that the steps of a mixture read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from instil.corpora.base import Row
from instil.mixing.exchange import PartitionWriter, read_batches
from instil.mixing.near import Banding
from instil.mixing.ranks import interval
from instil.mixing.rows import SCHEMA, Batch
from instil.mixing.unique import Unique, keep_different


def row(question: str, answer: str = "an answer", **more: Any) -> Row:
    """Return a row of one question."""
    return Row((("user", question), ("assistant", answer)), **more)


def write_parts(
    directory: Path, parts: Sequence[tuple[int, Sequence[Row]]], buckets: int
) -> tuple[Path, ...]:
    """Write the rows of parts of sources, given by number, by bucket, and return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = tuple(directory / f"read-{place}.arrow" for place in range(len(parts)))
    for path, (source, rows) in zip(paths, parts, strict=True):
        with PartitionWriter(path, SCHEMA, buckets) as writer:
            # In two rounds, as of a large part.
            for some in (rows[:3], rows[3:]):
                table = Batch(list(some)).table(source, "", [0] * len(some), [""] * len(some))
                writer.add(table, interval(table.column("id").to_numpy(), buckets))
    return paths


def unique_of(
    directory: Path,
    parts: Sequence[tuple[int, Sequence[Row]]],
    buckets: int = 2,
    banding: Banding | None = None,
    names: tuple[str, ...] = ("a", "b", "c"),
) -> list[Unique]:
    """Return the buckets of parts, whose different rows are written."""
    inputs = write_parts(directory, parts, buckets)
    found = [Unique(inputs, number, buckets, names, banding, directory) for number in range(buckets)]
    for each in found:
        keep_different(each)
    return found


def kept(uniques: Sequence[Unique]) -> list[dict[str, Any]]:
    """Return all different rows in the order of their ids."""
    batches = [batch for each in uniques for batch in read_batches(each.file("rows"))]
    rows: list[dict[str, Any]] = pa.Table.from_batches(batches, SCHEMA).to_pylist()
    assert [each["id"] for each in rows] == sorted({each["id"] for each in rows})
    return rows


def questions(rows: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Return the first question of rows by id."""
    return {each["id"]: each["turns"][0]["content"] for each in rows}


def words(count: int, seed: int) -> list[str]:
    """Return made-up words."""
    return [f"word{number}" for number in np.random.default_rng(seed).integers(0, 5000, count)]

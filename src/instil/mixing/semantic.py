"""Semantic duplicates: rows whose vectors point the same way.

After SemDeDup (Abbas et al., 2023): rows are put into clusters by the nearest of some centres, and only
rows of one cluster are compared. The centres are rows themselves, chosen by their ids, so that nothing
depends on an order; a row is compared in the clusters of its two nearest centres, so that pairs on a border
are seldom missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instil.mixing.exchange import PartitionWriter, read_batches, read_partition, write_table
from instil.mixing.near import VERIFIED
from instil.mixing.ranks import ranks

if TYPE_CHECKING:
    from instil.mixing.work import Result
    from instil.models.embed import Embedder

_ROWS_PER_CENTRE = 1000
_BLOCK = 1024
_NEAREST = 2
_ROUNDING = 1e-5  # of single precision over some thousand dimensions
_SEED = 0

Vectors = npt.NDArray[np.float32]

_COLUMNS = ("id", "group", "size", "source")
_TYPES = {"id": pa.uint64(), "group": pa.uint64(), "size": pa.uint32(), "source": pa.uint16()}


@dataclass(frozen=True)
class Embedding:
    """One bucket whose rows become vectors."""

    rows: Path
    model: str
    output: Path


def embed(job: Embedding) -> Result:
    """Write the vectors of a bucket's rows with what clusters ask of them."""
    tables = []
    for batch in read_batches(job.rows):
        texts = ["\n".join(turn["content"] for turn in turns) for turns in batch.column("turns").to_pylist()]
        vectors = _embedder(job.model).vectors(texts)
        columns = [*(batch.column(name) for name in _COLUMNS), _lists(vectors)]
        tables.append(pa.table(columns, schema=_schema(vectors.shape[1])))
    write_table(job.output, pa.concat_tables(tables) if tables else _schema(1).empty_table())
    return {"rows": sum(table.num_rows for table in tables)}


@dataclass(frozen=True)
class Assigning:
    """One bucket whose vectors are put into clusters."""

    vectors: tuple[Path, ...]
    """Of all buckets: the centres come from all."""
    number: int
    output: Path


def assign(job: Assigning) -> Result:
    """Write the vectors of a bucket by cluster; return how many clusters there are."""
    found = centres(job.vectors)
    batches = list(read_batches(job.vectors[job.number]))
    if not batches:
        return {"clusters": len(found)}
    table = pa.Table.from_batches(batches)
    nearest = _nearest(_vectors(table), found)
    with PartitionWriter(job.output, table.schema, len(found)) as writer:
        for column in range(nearest.shape[1]):
            writer.add(table, nearest[:, column])
    return {"clusters": len(found)}


def _nearest(vectors: Vectors, found: Vectors) -> npt.NDArray[np.int64]:
    """Return the two nearest centres of each vector, or the only one; of equally near ones the first."""
    nearest = np.empty((len(vectors), min(_NEAREST, len(found))), np.int64)
    # In blocks: there may be as many centres as rows in a bucket.
    for start in range(0, len(vectors), _BLOCK):
        similarity = vectors[start : start + _BLOCK] @ found.T
        rows = np.arange(len(similarity))
        for column in range(nearest.shape[1]):
            nearest[start : start + _BLOCK, column] = best = similarity.argmax(axis=1)
            similarity[rows, best] = -np.inf
    return nearest


def centres(paths: tuple[Path, ...]) -> Vectors:
    """Return the vectors of the rows whose ids come first in a shuffle: one for every thousand rows."""
    return _centres(paths, tuple((path.stat().st_size, path.stat().st_mtime_ns) for path in paths))


@lru_cache(maxsize=1)
def _centres(paths: tuple[Path, ...], state: tuple[tuple[int, int], ...]) -> Vectors:  # noqa: ARG001
    # Once in a process, not once for each bucket: all vectors are read for it.
    ids = np.concatenate(
        [batch.column("id").to_numpy() for path in paths for batch in read_batches(path, ["id"])]
    )
    count = -(-len(ids) // _ROWS_PER_CENTRE)
    chosen = np.sort(ids[np.argsort(ranks(ids, _SEED, "centres"))[:count]])
    rows = []
    for path in paths:
        for batch in read_batches(path):
            mine = np.isin(batch.column("id").to_numpy(), chosen)
            if mine.any():
                rows.append(pa.Table.from_batches([batch]).filter(pa.array(mine)))
    return _vectors(pa.concat_tables(rows).sort_by("id"))


@dataclass(frozen=True)
class Comparing:
    """One cluster."""

    inputs: tuple[Path, ...]
    number: int
    clusters: int
    threshold: float
    output: Path


def compare(job: Comparing) -> Result:
    """Write the pairs of a cluster whose cosine similarity is at least the threshold."""
    batches = list(read_partition((path for path in job.inputs if path.exists()), job.number, job.clusters))
    if not batches:
        write_table(job.output, VERIFIED.empty_table())
        return {"alike": 0}
    table = pa.Table.from_batches(batches).sort_by("id")
    vectors = _vectors(table)
    found = [_pairs(vectors, start, job.threshold) for start in range(0, len(vectors), _BLOCK)]
    left, right = (np.concatenate([pair[side] for pair in found]) for side in (0, 1))
    similarity = np.concatenate([pair[2] for pair in found])
    ids = table.column("id").to_numpy()
    columns: list[Any] = [ids[left], ids[right], similarity]
    for name in _COLUMNS[1:]:
        for side in (left, right):
            columns += [table.column(name).to_numpy()[side]]
    write_table(job.output, pa.table(columns, schema=VERIFIED))
    return {"alike": len(left)}


def _pairs(vectors: Vectors, start: int, threshold: float) -> tuple[Any, Any, Any]:
    block = vectors[start : start + _BLOCK] @ vectors.T
    # A vector times itself is one but for rounding.
    left, right = np.nonzero(block >= threshold - _ROUNDING)
    later = right > left + start
    left, right = left[later], right[later]
    return left + start, right, block[left, right].astype(np.float64)


@lru_cache(maxsize=1)
def _embedder(model: str) -> Embedder:
    from instil.models.embed import Embedder

    return Embedder(model)


def _schema(dimensions: int) -> pa.Schema:
    vector = pa.field("vector", pa.list_(pa.float32(), dimensions))
    return pa.schema([*(pa.field(name, _TYPES[name]) for name in _COLUMNS), vector])


def _lists(vectors: Vectors) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])


def _vectors(table: pa.Table) -> Vectors:
    column = table.column("vector").combine_chunks()
    dimensions = table.schema.field("vector").type.list_size
    values: Vectors = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(-1, dimensions)

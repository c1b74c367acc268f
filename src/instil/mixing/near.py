"""Near duplicates: rows whose words overlap so much that one of them teaches nothing new.

MinHash finds candidates (Broder, On the resemblance and containment of documents, 1997; banding as in
Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, 3.4), the exact Jaccard similarity of their
shingles decides. Rows that could be alike lie in different buckets, so they are brought together:

    bands        each row's band keys, by key                 write_bands, in unique.py's step
    candidates   rows that share a key → pairs                find_candidates
    shingles     each row of a pair, to where the pair is     send_shingles
    verified     pairs with their similarity                  verify

and `clusters.py` makes clusters of the verified pairs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instil.mixing.exchange import PartitionWriter, read_batches, read_partition, write_table
from instil.mixing.ranks import interval

if TYPE_CHECKING:
    from instil.mixing.work import Result
    from instil.shingles import Shingler

Ids = npt.NDArray[np.uint64]

_BANDS = pa.schema([pa.field("band", pa.uint64()), pa.field("id", pa.uint64())])
_PAIRS = pa.schema([pa.field("left", pa.uint64()), pa.field("right", pa.uint64())])
_WANTED = pa.schema([pa.field("id", pa.uint64()), pa.field("partition", pa.uint16())])
_SHINGLES = pa.schema(
    [
        pa.field("id", pa.uint64()),
        pa.field("group", pa.uint64()),
        pa.field("size", pa.uint32()),
        pa.field("source", pa.uint16()),
        pa.field("shingles", pa.list_(pa.uint64())),
    ]
)
_NEIGHBOURS = 8  # rows before it that a row is paired with; fewer lose more of the pairs in large families

VERIFIED = pa.schema(
    [
        *_PAIRS,
        pa.field("similarity", pa.float64()),
        *(
            pa.field(f"{name}_{side}", _SHINGLES.field(name).type)
            for name in ("group", "size", "source")
            for side in ("left", "right")
        ),
    ]
)
"""Pairs of rows with their Jaccard similarity, and what clusters ask of both."""


@dataclass(frozen=True)
class Banding:
    """How signatures are cut into keys."""

    ngram: int
    """Words of a shingle; characters in scripts without spaces."""
    permutations: int
    bands: int
    rows: int
    """Minima of a band."""

    def shingler(self) -> Shingler:
        """Return what makes the shingles."""
        from instil.shingles import Shingler

        return Shingler(ngram=self.ngram, permutations=self.permutations)


def write_bands(path: Path, rows: pa.Table, banding: Banding, partitions: int) -> None:
    """Write the band keys of rows, by key."""
    from instil.shingles import texts

    with PartitionWriter(path, _BANDS, partitions) as writer:
        for batch in rows.to_batches(max_chunksize=1 << 14):
            keys = banding.shingler().bands(texts(batch.column("turns")), banding.bands, banding.rows)
            # A row without words has no key: it is like none of the others without.
            ids = np.repeat(batch.column("id").to_numpy(), banding.bands)
            flat = keys.reshape(-1)
            worded = flat != 0
            table = pa.table([flat[worded], ids[worded]], schema=_BANDS)
            writer.add(table, interval(flat[worded], partitions))


@dataclass(frozen=True)
class Pairing:
    """One partition of the keys, of the pairs or of the rows; which, its function says."""

    inputs: tuple[Path, ...]
    number: int
    buckets: int
    output: Path


def find_candidates(job: Pairing) -> Result:
    """Write the pairs of rows that share a key of this partition, and which rows they need.

    Of the rows that share a key, in the order of their ids, each is paired with the first and with some that
    stand before it: what is alike shares many keys with many rows, so that clusters stay connected, and the
    pairs grow with the rows and not with their square.
    """
    table = pa.Table.from_batches(read_partition(job.inputs, job.number, job.buckets), _BANDS)
    pairs = _pairs(table.column("band").to_numpy(), table.column("id").to_numpy())
    home = interval(pairs[:, 0], job.buckets)
    with PartitionWriter(job.output.with_suffix(".pairs"), _PAIRS, job.buckets) as writer:
        writer.add(pa.table([pairs[:, 0].copy(), pairs[:, 1].copy()], schema=_PAIRS), home)
    wanted = np.unique(
        np.concatenate([np.stack([pairs[:, side], home.astype(np.uint64)], axis=1) for side in (0, 1)]),
        axis=0,
    )
    table = pa.table([wanted[:, 0].copy(), wanted[:, 1].astype(np.uint16)], schema=_WANTED)
    with PartitionWriter(job.output.with_suffix(".wanted"), _WANTED, job.buckets) as writer:
        writer.add(table, interval(wanted[:, 0], job.buckets))
    return {"pairs": len(pairs)}


def _pairs(bands: Ids, ids: Ids) -> Ids:
    """Return different pairs of ids that share a band, the smaller one first: `[pairs, 2]`."""
    order = np.lexsort((ids, bands))
    bands, ids = bands[order], ids[order]
    new = np.ones(len(bands), bool)
    new[1:] = bands[1:] != bands[:-1]
    starts = np.maximum.accumulate(np.where(new, np.arange(len(bands)), 0))
    found = [(starts, np.arange(len(bands)))]
    for distance in range(1, _NEIGHBOURS + 1):
        later = np.flatnonzero(bands[distance:] == bands[:-distance]) + distance
        found.append((later - distance, later))
    left, right = (np.concatenate([ids[pair[side]] for pair in found]) for side in (0, 1))
    return np.unique(np.stack([left, right], axis=1)[left != right], axis=0)


@dataclass(frozen=True)
class Sending:
    """One bucket whose rows are asked for."""

    wanted: tuple[Path, ...]
    rows: Path
    number: int
    buckets: int
    banding: Banding
    output: Path


def send_shingles(job: Sending) -> Result:
    """Write the shingles of the rows of a bucket that candidates ask for, to where they ask for them."""
    from instil.shingles import texts

    table = pa.Table.from_batches(read_partition(job.wanted, job.number, job.buckets), _WANTED)
    wanted = np.unique(
        np.stack([table.column(0).to_numpy(), table.column(1).to_numpy().astype(np.uint64)], axis=1), axis=0
    )
    sent = 0
    with PartitionWriter(job.output, _SHINGLES, job.buckets) as writer:
        for batch in read_batches(job.rows) if len(wanted) else ():
            ids = batch.column("id").to_numpy()
            # Rows and wishes are both in the order of their ids.
            mine = wanted[
                np.searchsorted(wanted[:, 0], ids[0]) : np.searchsorted(wanted[:, 0], ids[-1], "right")
            ]
            if not len(mine):
                continue
            unique, back = np.unique(mine[:, 0], return_inverse=True)
            rows = batch.take(pa.array(np.searchsorted(ids, unique)))
            values, ends = job.banding.shingler().shingles(texts(rows.column("turns")))
            offsets = np.concatenate([[0], ends]).astype(np.int32)
            lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
            found = pa.table([*(rows.column(name) for name in _SHINGLES.names[:-1]), lists], schema=_SHINGLES)
            writer.add(found.take(pa.array(back)), mine[:, 1].astype(np.int64))
            sent += len(mine)
    return {"sent": sent}


@dataclass(frozen=True)
class Verifying:
    """One partition of the pairs."""

    pairs: tuple[Path, ...]
    shingles: tuple[Path, ...]
    number: int
    buckets: int
    threshold: float
    output: Path


def verify(job: Verifying) -> Result:
    """Write the pairs of a partition whose Jaccard similarity is at least the threshold."""
    from instil.shingles import jaccard

    table = pa.Table.from_batches(read_partition(job.pairs, job.number, job.buckets), _PAIRS)
    pairs = np.unique(np.stack([table.column(0).to_numpy(), table.column(1).to_numpy()], axis=1), axis=0)
    rows = pa.Table.from_batches(
        read_partition(job.shingles, job.number, job.buckets), _SHINGLES
    ).combine_chunks()
    rows = rows.sort_by("id")
    ids = rows.column("id").to_numpy()
    places = [np.searchsorted(ids, pairs[:, side]) for side in (0, 1)]
    similarity = np.empty(0)
    if len(pairs):
        lists = rows.column("shingles").combine_chunks()
        ends = np.cumsum(_lengths(lists))
        similarity = jaccard(lists.flatten().to_numpy(), ends, places[0], places[1])
    alike = similarity >= job.threshold
    columns: list[Any] = [pairs[alike, 0].copy(), pairs[alike, 1].copy(), similarity[alike]]
    for name in ("group", "size", "source"):
        for side in (0, 1):
            columns += [rows.column(name).take(pa.array(places[side][alike]))]
    write_table(job.output, pa.table(columns, schema=VERIFIED))
    return {"pairs": len(pairs), "alike": int(alike.sum())}


def read_verified(paths: Iterable[Path]) -> pa.Table:
    """Return all verified pairs."""
    return pa.Table.from_batches((batch for path in paths for batch in read_batches(path)), VERIFIED)


def _lengths(lists: pa.ListArray) -> npt.NDArray[np.int64]:
    lengths: npt.NDArray[np.int64] = np.diff(lists.offsets.to_numpy()).astype(np.int64)
    return lengths

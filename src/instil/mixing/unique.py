"""Step two: the different rows of a bucket, and under which keys their near duplicates would be found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from instil.data.jsonl import JsonlWriter
from instil.mixing.exchange import read_partition, write_table
from instil.mixing.near import Banding, write_bands
from instil.mixing.rows import SCHEMA
from instil.mixing.tally import Tally

if TYPE_CHECKING:
    from instil.mixing.work import Result

INDEX_COLUMNS = ("id", "source", "group", "tokens", "size", "language", "task")


@dataclass(frozen=True)
class Unique:
    """One bucket."""

    inputs: tuple[Path, ...]
    number: int
    buckets: int
    names: tuple[str, ...]
    """The sources by their numbers."""
    banding: Banding | None
    directory: Path

    def file(self, kind: str) -> Path:
        """Return the file of one kind of output: `rows`, `index`, `bands` or `duplicates`."""
        suffix = "jsonl" if kind == "duplicates" else "arrow"
        return self.directory / f"{kind}-{self.number:05}.{suffix}"


def keep_different(job: Unique) -> Result:
    """Write the different rows of a bucket in the order of their ids; return how many of each source.

    Of equal conversations the one of the source whose name comes first is kept, within a source the one whose
    other fields come first as text, and of those the one of the smallest group, in whatever order they were
    read.
    """
    batches = read_partition(job.inputs, job.number, job.buckets)
    table = pa.Table.from_batches(batches, SCHEMA)
    ids, sources = table.column("id").to_numpy(), table.column("source").to_numpy()
    order = np.lexsort((sources, ids))
    first = np.ones(len(order), bool)
    first[1:] = ids[order[1:]] != ids[order[:-1]]
    kept = order[first]
    if len(kept) < len(order):
        kept = _by_text(table, order, first)
    steps = _list_duplicates(job, ids, sources, order, first)
    rows = table.take(pa.array(kept)).combine_chunks()
    if job.banding is not None:
        write_bands(job.file("bands"), rows, job.banding, job.buckets)
    write_table(job.file("rows"), rows)
    write_table(job.file("index"), rows.select(INDEX_COLUMNS), rows=1 << 20)
    lost = np.bincount(sources[order[~first]], minlength=len(job.names))
    duplicates = {name: count for name, count in zip(job.names, lost.tolist(), strict=True) if count}
    return {"kept": len(kept), "duplicates": duplicates, "steps": steps.rows()}


def _by_text(
    table: pa.Table, order: np.ndarray[Any, Any], first: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the places of the rows to keep, where some of a source are equal but for their other fields."""
    sources, groups = (table.column(name).to_numpy() for name in ("source", "group"))
    abouts = table.column("about")
    starts = np.flatnonzero(first)
    ends = np.append(starts[1:], len(order))
    kept = order[starts]
    for group in np.flatnonzero(ends - starts > 1).tolist():
        same = order[starts[group] : ends[group]]
        same = same[sources[same] == sources[same[0]]]
        if len(same) > 1:
            kept[group] = min(same.tolist(), key=lambda place: (abouts[place].as_py() or "", groups[place]))
    return kept


def _list_duplicates(
    job: Unique,
    ids: np.ndarray[Any, Any],
    sources: np.ndarray[Any, Any],
    order: np.ndarray[Any, Any],
    first: np.ndarray[Any, Any],
) -> Tally:
    tally = Tally()
    path = job.file("duplicates")
    path.unlink(missing_ok=True)
    starts = np.flatnonzero(first)
    group = np.cumsum(first) - 1
    with JsonlWriter(path) as writer:
        for place in np.flatnonzero(~first).tolist():
            row, keeper = order[place], order[starts[group[place]]]
            name, other = job.names[int(sources[row])], job.names[int(sources[keeper])]
            key = f"{int(ids[row]):016x}"
            writer.append({"source": name, "id": key, "filter": "duplicate", "kept": other})
            tally.add("duplicate", "", key, {"source": name, "kept": other})
    return tally

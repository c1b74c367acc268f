"""Last step: the drawn rows of the buckets in their final order, as shards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from instil.data.examples import Origin
from instil.data.jsonl import encode
from instil.data.shards import join_row, split_row
from instil.mixing.exchange import PartitionWriter, read_batches, read_partition
from instil.mixing.ranks import interval, ranks
from instil.mixing.rows import ROLES, SCHEMA
from instil.store.atomic import atomic_write, writing

if TYPE_CHECKING:
    from instil.mixing.work import Result

OutputFormat = Literal["parquet", "jsonl"]

_ORDERED = pa.schema(
    [*(SCHEMA.field(name) for name in ("source", "turns", "about")), pa.field("rank", pa.uint64())]
)
_MESSAGE = pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())])
_ORIGIN = pa.struct([pa.field(name, pa.string()) for name in ("kind", "name", "license")])
_OUTPUT = pa.schema(
    [
        pa.field("messages", pa.list_(_MESSAGE)),
        pa.field("origin", _ORIGIN),
        pa.field("details", pa.string()),
    ]
)
_ROWS = 8192  # of a row group


@dataclass(frozen=True)
class Ordering:
    """One bucket, and where its rows go."""

    rows: Path
    chosen: Path
    """A file of numpy arrays `copies` and `held_out`, one number for each row of the bucket."""
    seed: int
    train: int
    """Shards of training rows."""
    validation: int
    """Shards of held-out rows; they come after the others."""
    output: Path


def order_rows(job: Ordering) -> Result:
    """Write the drawn rows of a bucket by the shard that they belong to."""
    with np.load(job.chosen) as chosen:
        copies, held_out = chosen["copies"], chosen["held_out"]
    start = 0
    with PartitionWriter(job.output, _ORDERED, job.train + job.validation) as writer:
        for batch in read_batches(job.rows):
            here = slice(start, start + batch.num_rows)
            start += batch.num_rows
            # A row that is repeated for training counts once in the measurement.
            often = np.where(held_out[here], np.minimum(copies[here], 1), copies[here])
            places = np.repeat(np.arange(batch.num_rows), often)
            if not len(places):
                continue
            epochs = np.arange(len(places)) - np.repeat(np.cumsum(often) - often, often)
            order = _order(batch.column("id").to_numpy()[places], epochs, job.seed)
            shards = np.where(
                held_out[here][places],
                job.train + interval(order, max(1, job.validation)),
                interval(order, max(1, job.train)),
            )
            taken = batch.select(["source", "turns", "about"]).take(pa.array(places))
            table = pa.table([*taken.columns, pa.array(order)], schema=_ORDERED)
            writer.add(table, shards)
    return {}


def _order(ids: Any, epochs: Any, seed: int) -> Any:
    order = np.empty(len(ids), np.uint64)
    for epoch in np.unique(epochs).tolist():
        order[epochs == epoch] = ranks(ids[epochs == epoch], seed, "order", epoch)
    return order


@dataclass(frozen=True)
class Shard:
    """One shard of the output."""

    inputs: tuple[Path, ...]
    number: int
    """Among all partitions."""
    partitions: int
    origins: tuple[Origin, ...]
    """Of the sources by their numbers."""
    format: OutputFormat
    output: Path


def write_shard(job: Shard) -> Result:
    """Write one shard of the mixture in its order, and return its entry in the index."""
    table = pa.Table.from_batches(read_partition(job.inputs, job.number, job.partitions), _ORDERED)
    # Copies of different epochs could have one rank, one in 2^64; they stay in the order of their buckets.
    table = table.take(pc.sort_indices(table, [("rank", "ascending")])).combine_chunks()
    if job.format == "parquet":
        _write_parquet(job.output, table, job.origins)
    else:
        _write_jsonl(job.output, table, job.origins)
    data = job.output.read_bytes()
    return {
        "file": job.output.name,
        "rows": table.num_rows,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def _write_parquet(path: Path, table: pa.Table, origins: Sequence[Origin]) -> None:
    with writing(path, pa.ArrowException), atomic_write(path) as file:
        writer = pq.ParquetWriter(file, _OUTPUT, compression="zstd", compression_level=1)
        (batch,) = table.to_batches() or [pa.RecordBatch.from_pylist([], _ORDERED)]
        writer.write_table(pa.Table.from_batches([_output(batch, origins)]), row_group_size=_ROWS)
        writer.close()


def _output(batch: pa.RecordBatch, origins: Sequence[Origin]) -> pa.RecordBatch:
    turns = batch.column("turns")
    roles = pa.array(ROLES).take(turns.values.field("role"))
    messages = pa.ListArray.from_arrays(
        turns.offsets,
        pa.StructArray.from_arrays([roles, turns.values.field("content")], fields=list(_MESSAGE)),
    )
    plain = pa.array(
        [{name: getattr(each, name) for name in ("kind", "name", "license")} for each in origins], _ORIGIN
    )
    origin, details = plain.take(batch.column("source")), batch.column("about")
    if details.null_count < len(details):
        origin, details = _said(origin, details)
    return pa.record_batch([messages, origin, details], schema=_OUTPUT)


def _said(origin: pa.StructArray, details: pa.StringArray) -> tuple[pa.Array, pa.Array]:
    """Return the origins and details of rows of which some say more than their corpus."""
    origins, rest = origin.to_pylist(), details.to_pylist()
    for index, said in enumerate(rest):
        if said is not None:
            row = orjson.loads(said)
            row["origin"] = {**origins[index], **row.get("origin", {})}
            origins[index], left = split_row(row)
            rest[index] = None if left is None else left.decode()
    return pa.array(origins, _ORIGIN), pa.array(rest, pa.string())


def _write_jsonl(path: Path, table: pa.Table, origins: Sequence[Origin]) -> None:
    with atomic_write(path) as file:
        for row in _examples(table, origins):
            file.write(encode(row))


def _examples(table: pa.Table, origins: Sequence[Origin]) -> Iterator[dict[str, Any]]:
    """Yield the rows that the same table gives as Parquet when it is read."""
    plain = [each.model_dump(mode="json") for each in origins]
    for batch in table.to_batches(max_chunksize=_ROWS):
        for row in batch.to_pylist():
            messages = [{"role": ROLES[turn["role"]], "content": turn["content"]} for turn in row["turns"]]
            said = orjson.loads(row["about"]) if row["about"] else {}
            whole = {
                "messages": messages,
                **said,
                "origin": {**plain[row["source"]], **said.get("origin", {})},
            }
            yield join_row(messages, *split_row(whole))

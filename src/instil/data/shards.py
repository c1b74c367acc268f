"""Rows of a finished mixture: a directory of Parquet or JSON Lines shards with an index.

The columns are what other tools read without conversion: `messages` in the OpenAI chat form, `origin` with
kind, name and licence. What only instil asks for stands as JSON text in `details`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from instil.data.jsonl import read_jsonl
from instil.errors import StoreError

INDEX = "index.json"
_ROWS_AT_A_TIME = 1024
_ORIGIN = ("kind", "name", "license")


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSON Lines file that we wrote, or of a directory of shards, in order.

    A missing path has no rows.

    Raises:
        StoreError: a shard is missing, cannot be read, or has not as many rows as the index says.
    """
    if not path.is_dir():
        yield from (row for _, row in read_jsonl(path))
        return
    for shard in read_index(path)["shards"]:
        file = path / shard["file"]
        if not file.is_file():
            raise _damaged(path, f"{file.name} is missing")
        found = 0
        for row in _parquet(file) if file.suffix == ".parquet" else _lines(file):
            found += 1
            yield row
        if found != shard["rows"]:
            raise _damaged(path, f"{file.name} has {found:,} rows and should have {shard['rows']:,}")


def read_index(directory: Path) -> dict[str, Any]:
    """Return the index of a directory of shards: `rows`, and `shards` with `file`, `rows`, `bytes`, `sha256`.

    Raises:
        StoreError: it is missing or damaged.
    """
    try:
        index = orjson.loads((directory / INDEX).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise _damaged(directory, str(error)) from error
    if not _is_index(index):
        raise _damaged(directory, f"{INDEX} is not an index")
    found: dict[str, Any] = index
    return found


def _is_index(index: Any) -> bool:
    shards = index.get("shards") if isinstance(index, dict) else None
    return isinstance(shards, list) and all(
        isinstance(each, dict) and isinstance(each.get("file"), str) and isinstance(each.get("rows"), int)
        for each in shards
    )


def split_row(row: dict[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    """Return the origin that is a column of its own, and as JSON what else an example's row says."""
    origin = row["origin"]
    rest = {key: value for key, value in row.items() if key not in ("messages", "origin")}
    # What says nothing is its default again when the row is read.
    more = {key: value for key, value in origin.items() if key not in _ORIGIN and value not in (None, [], {})}
    if more:
        rest["origin"] = more
    return {key: origin.get(key) for key in _ORIGIN}, orjson.dumps(rest) if rest else None


def join_row(
    messages: list[dict[str, Any]], origin: dict[str, Any], details: str | bytes | None
) -> dict[str, Any]:
    """Return what `split_row` took apart."""
    rest = orjson.loads(details) if details else {}
    return {"messages": messages, **rest, "origin": {**origin, **rest.get("origin", {})}}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from (row for _, row in read_jsonl(path))
    except OSError as error:
        raise _damaged(path.parent, f"{path.name}: {error}") from error


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_A_TIME):
                for row in batch.to_pylist():
                    yield join_row(row["messages"], row["origin"], row["details"])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise _damaged(path.parent, f"{path.name}: {error}") from error


def _damaged(directory: Path, reason: str) -> StoreError:
    return StoreError(
        f"the rows in {str(directory)!r} cannot be read: {reason}",
        hint="remove the stage's directory and run again",
    )

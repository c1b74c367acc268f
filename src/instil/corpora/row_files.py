"""Files of rows in whatever container their name asks for, written whole or not at all.

To add a container, write its class and put its suffix into `_CONTAINERS`.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import orjson

from instil.corpora.formats.lmflow import TYPES
from instil.data.jsonl import encode
from instil.data.shards import split_row
from instil.errors import RequestError
from instil.store.atomic import atomic_write

SUFFIXES = (".jsonl", ".json", ".jsonl.gz", ".json.gz", ".jsonl.zst", ".json.zst", ".parquet")
"""What the name of a file of rows can end with."""

_ROWS_IN_A_GROUP = 8192
_GZIP_LEVEL = 6


class RowFile(Protocol):
    """Where records of one format go."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a record."""
        ...

    def end(self) -> None:
        """Write what stands behind the last record."""
        ...


def check_row_file(path: Path, target: str) -> None:
    """Return if a format can be written to a file of this name.

    Raises:
        RequestError: its suffix says no container, or one that the format has no place in.
    """
    if not path.name.endswith(SUFFIXES):
        raise RequestError(
            f"the name of {str(path)!r} does not say what it will hold",
            hint=f"end it in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}",
        )
    if target in TYPES and not path.name.endswith(".json"):
        raise RequestError(
            f"LMFlow reads files of one JSON object, {path.name!r} is another kind",
            hint="end the name in .json",
        )


@contextmanager
def open_rows(path: Path, target: str) -> Iterator[RowFile]:
    """Open a file for records of one format; it appears when the block ends without an error.

    Args:
        path: its suffix, one of `SUFFIXES`, says the container and how it is compressed.
        target: the name of the format.

    Raises:
        RequestError: the suffix is none of them.
        StoreError: the disk is full or the place cannot be written.
    """
    check_row_file(path, target)
    with atomic_write(path) as file, _compressed(file, path.suffix) as stream:
        inner = path.with_suffix("") if path.suffix in (".gz", ".zst") else path
        rows = _CONTAINERS[inner.suffix](stream, target)
        try:
            yield rows
        finally:
            # Also where it failed: a table that is never closed would write into a file that is.
            rows.end()


class _Lines:
    """A record a line."""

    def __init__(self, file: IO[bytes], target: str) -> None:  # noqa: ARG002
        self._file = file

    def write(self, record: Mapping[str, Any]) -> None:
        self._file.write(encode(record))

    def end(self) -> None:
        """Nothing stands behind the last line."""


class _List:
    """A JSON list, with a record a line so that people can look into it; LMFlow's stands in an object."""

    def __init__(self, file: IO[bytes], target: str) -> None:
        self._file, self._between = file, b"\n  "
        self._typed = target in TYPES
        self._file.write(b'{"type": "%s", "instances": [' % TYPES[target].encode() if self._typed else b"[")

    def write(self, record: Mapping[str, Any]) -> None:
        if self._typed:
            record = {key: value for key, value in record.items() if key != "type"}
        self._file.write(self._between + orjson.dumps(record))
        self._between = b",\n  "

    def end(self) -> None:
        self._file.write(b"\n]}\n" if self._typed else b"\n]\n")


class _Table:
    """Parquet, whose columns are known before the first row."""

    def __init__(self, file: IO[bytes], target: str) -> None:
        import pyarrow.parquet as pq

        self._schema, self._target = _schema(target), target
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[Mapping[str, Any]] = []

    def write(self, record: Mapping[str, Any]) -> None:
        self._rows.append(_columns(record) if self._target == "messages" else record)
        if len(self._rows) == _ROWS_IN_A_GROUP:
            self._flush()

    def end(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._rows, self._schema))
        self._rows.clear()


_CONTAINERS: dict[str, Callable[[IO[bytes], str], RowFile]] = {
    ".jsonl": _Lines,
    ".json": _List,
    ".parquet": _Table,
}


def _columns(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return an example's row as the shards of a mixture hold it: what few rows have is JSON text."""
    origin, details = split_row(dict(record))
    return {"messages": record["messages"], "origin": origin, "details": details and details.decode()}


def _schema(target: str) -> Any:
    import pyarrow as pa

    text, said = pa.string(), pa.list_(pa.struct({"from": pa.string(), "value": pa.string()}))
    messages = pa.list_(pa.struct({"role": text, "content": text}))
    instance = pa.struct({"input": text, "output": text})
    columns: dict[str, dict[str, Any]] = {
        "messages": {
            "messages": messages,
            "origin": pa.struct({"kind": text, "name": text, "license": text}),
            "details": text,
        },
        "alpaca": {
            "instruction": text,
            "input": text,
            "output": text,
            "system": text,
            "history": pa.list_(pa.list_(text)),
        },
        "sharegpt": {"conversations": said, "system": text},
        "hugchat": {"text": text, "prefix": text},
        "prompt_completion": {"prompt": text, "completion": text},
        "self_instruct": {
            "id": text,
            "name": text,
            "instruction": text,
            "instances": pa.list_(instance),
            "is_classification": pa.bool_(),
        },
    }
    return pa.schema(columns[target])


@contextmanager
def _compressed(file: IO[bytes], suffix: str) -> Iterator[IO[bytes]]:
    if suffix == ".gz":
        # Without a name and a time in it, equal rows are equal files.
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as packed:
            yield packed  # type: ignore[misc]
    elif suffix == ".zst":
        import pyarrow as pa

        with pa.CompressedOutputStream(pa.PythonFile(_Kept(file), mode="w"), "zstd") as packed:
            yield packed
    else:
        yield file


class _Kept:
    """A file that whoever writes to it does not close."""

    def __init__(self, file: IO[bytes]) -> None:
        self.write, self.flush, self.closed = file.write, file.flush, False

    def close(self) -> None:
        """Leave it open."""

"""Carries rows between steps: a file of one job holds, for each partition, a batch of its rows.

The file is Arrow's IPC format with `count` batches a round, one for each partition, so that the reader of a
partition seeks to its batches in every file and reads nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instil.errors import StoreError
from instil.store.atomic import writing

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class PartitionWriter:
    """Writes tables by partition; use it in a `with` statement. The file appears when it is whole.

    Raises:
        StoreError: the disk is full or the place cannot be written; then there is no file.
    """

    def __init__(self, path: Path, schema: pa.Schema, count: int) -> None:
        self._path, self._count = path, count
        self._temporary = _temporary(path)
        with writing(path, pa.ArrowException):
            self._writer = pa.ipc.new_file(str(self._temporary), schema, options=_OPTIONS)

    def add(self, table: pa.Table, partitions: npt.NDArray[np.integer]) -> None:
        """Write the rows of a table, each to the partition of its number in [0, count).

        Raises:
            ValueError: there is no such partition.
        """
        if len(partitions) and not 0 <= partitions.min() <= partitions.max() < self._count:
            raise ValueError(f"partitions are numbered from 0 to {self._count - 1}")
        order = np.argsort(partitions, kind="stable")
        ends = np.searchsorted(partitions[order], np.arange(self._count), side="right")
        with writing(self._path, pa.ArrowException):
            taken = table.take(pa.array(order)).combine_chunks()
            start = 0
            for end in ends.tolist():
                self._writer.write_batch(_batch(taken.slice(start, end - start)))
                start = end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with writing(self._path, pa.ArrowException):
                    self._writer.close()
                    self._temporary.replace(self._path)
            else:
                # On a full disk closing fails too; what was wrong first is what the user is told.
                with suppress(OSError, pa.ArrowException):
                    self._writer.close()
        finally:
            self._temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    # Of this process: a worker that outlives its killed driver for a moment writes to a file of its own.
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.to_batches()
    if batches:
        return batches[0]
    return pa.RecordBatch.from_pylist([], schema=table.schema)


def read_partition(paths: Iterable[Path], number: int, count: int) -> Iterator[pa.RecordBatch]:
    """Yield the batches of one of `count` partitions, of every file in the order given.

    Raises:
        StoreError: a file cannot be read.
    """
    for path in paths:
        try:
            with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
                for index in range(number, reader.num_record_batches, count):
                    yield reader.get_batch(index)
        except (OSError, pa.ArrowException) as error:
            raise StoreError(
                f"cannot read {str(path)!r}: {error}", hint="remove the stage's directory and run again"
            ) from error


def write_table(path: Path, table: pa.Table, rows: int = 1 << 14) -> None:
    """Write a table in batches of at most `rows`; the file appears when it is whole.

    Raises:
        StoreError: the disk is full or the place cannot be written; then there is no file.
    """
    temporary = _temporary(path)
    try:
        with writing(path, pa.ArrowException):
            with pa.ipc.new_file(str(temporary), table.schema, options=_OPTIONS) as writer:
                writer.write_table(table, max_chunksize=rows)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a file of `write_table`, or some columns of them.

    Raises:
        StoreError: the file cannot be read.
    """
    try:
        with pa.OSFile(str(path)) as file:
            options = None
            if columns is not None:
                schema = pa.ipc.open_file(file).schema
                options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(c) for c in columns])
            with pa.ipc.open_file(file, options=options) as reader:
                for index in range(reader.num_record_batches):
                    yield reader.get_batch(index)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"cannot read {str(path)!r}: {error}", hint="remove the stage's directory and run again"
        ) from error

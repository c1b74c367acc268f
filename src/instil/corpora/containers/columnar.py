"""Parquet and Arrow: the rows of columns as records, with values that JSON can say."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from instil.corpora.base import Failure
from instil.corpora.containers.record import Places, RawRecord
from instil.errors import StageError

if TYPE_CHECKING:
    import pyarrow

_ROWS = 4096  # that are made records of at once
_PLAIN = (type(None), str, int, float, bool)


def read_parquet(
    file: Any, places: Places, start: int = 0, end: int | None = None
) -> Iterator[RawRecord | Failure]:
    """Yield the rows of Parquet, those of the row groups from `start` up to `end` only.

    Damage in a row group is one failure for those of its rows that cannot be read.

    Raises:
        StageError: it cannot be read at all, or two columns have one name.
    """
    parquet = _open_parquet(file, places.name)
    groups = [parquet.metadata.row_group(index).num_rows for index in range(parquet.num_row_groups)]
    number = sum(groups[:start])
    for group in range(start, len(groups) if end is None else min(end, len(groups))):
        last = number + groups[group]
        try:
            for batch in parquet.iter_batches(_ROWS, row_groups=[group], use_threads=False):
                yield from _records(batch, places, number)
                number += batch.num_rows
        except _damage() as error:
            yield _damaged(places, number, last, error)
        number = last


def row_groups(file: Any, name: str) -> list[tuple[int, int]]:
    """Return the row groups of Parquet: how many bytes each has unpacked, and how many rows.

    Raises:
        StageError: it cannot be read.
    """
    # Columns are not asked for their packed size: pyarrow 26 aborts the process where that is damaged.
    metadata = _open_parquet(file, name).metadata
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    return [(group.total_byte_size, group.num_rows) for group in groups]


def read_arrow(file: Any, places: Places, *, stream: bool) -> Iterator[RawRecord | Failure]:
    """Yield the rows of Arrow's file format (Feather), or of its stream format, which `datasets` writes.

    Damage in a batch is one failure for its rows.

    Raises:
        StageError: it cannot be read at all, or two columns have one name.
    """
    import pyarrow

    number = 0
    try:
        for batch in _batches(file, places.name, stream):
            last = number + batch.num_rows
            try:
                # Offsets in a file of somebody else's may point anywhere in memory.
                batch.validate(full=True)
            except pyarrow.ArrowInvalid as error:
                yield _damaged(places, number, last, error)
            else:
                for begin in range(0, batch.num_rows, _ROWS):
                    yield from _records(batch.slice(begin, _ROWS), places, number + begin)
            number = last
    except _damage() as error:
        reason = f"the file ends early or is damaged: {_first_line(error)}; nothing was read after it"
        yield places.failure(number + 1, reason)


def count_arrow(file: Any, name: str, *, stream: bool) -> int:
    """Return how many rows Arrow has.

    Raises:
        StageError: it cannot be read at all.
    """
    rows = 0
    try:
        for batch in _batches(file, name, stream):
            rows += batch.num_rows
    except _damage():
        rows += 1  # read_arrow yields what could be read, and one failure
    return rows


def _damage() -> tuple[type[Exception], ...]:
    """Return what pyarrow raises for damage, also for names not in UTF-8 and sizes beyond all memory."""
    import pyarrow

    return (OSError, pyarrow.ArrowException, UnicodeDecodeError, MemoryError)


def _open_parquet(file: Any, name: str) -> Any:
    from pyarrow import parquet

    try:
        # Pages are read when they are needed: a row group may have gigabytes.
        found = parquet.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
        names = found.schema_arrow.names
    except _damage() as error:
        raise StageError(f"cannot read {name!r}: {_first_line(error)}") from error
    _check_names(names, name)
    return found


def _batches(file: Any, name: str, stream: bool) -> Iterator[Any]:
    import pyarrow

    try:
        reader = pyarrow.ipc.open_stream(file) if stream else pyarrow.ipc.open_file(file)
        names = reader.schema.names
    except _damage() as error:
        raise StageError(f"cannot read {name!r}: {_first_line(error)}") from error
    _check_names(names, name)
    if stream:
        yield from reader
        return
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)


def _check_names(names: list[str], name: str) -> None:
    repeated = [column for column, count in Counter(names).items() if count > 1]
    if repeated:
        raise StageError(
            f"{name!r} has two columns named {', '.join(map(repr, repeated))}", hint="rename one"
        )


def _records(batch: pyarrow.RecordBatch, places: Places, number: int) -> Iterator[RawRecord | Failure]:
    """Yield the rows of a batch; `number` is that of the row before its first."""
    try:
        columns = [
            column if _is_plain(field.type) else [_plain(value) for value in column]
            for field, column in zip(
                batch.schema, (column.to_pylist() for column in batch.columns), strict=True
            )
        ]
    except UnicodeDecodeError as error:
        if batch.num_rows == 1:
            yield places.failure(number + 1, f"not UTF-8: byte 0x{error.object[error.start]:02x}")
            return
        for index in range(batch.num_rows):
            yield from _records(batch.slice(index, 1), places, number + index)
        return
    names = batch.schema.names
    for index, row in enumerate(zip(*columns, strict=True), start=number + 1):
        yield RawRecord(places, index, None, dict(zip(names, row, strict=True)))


def _is_plain(kind: pyarrow.DataType) -> bool:
    """Whether Python's values of a type are values of JSON."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_plain(kind.value_type)
    if types.is_struct(kind):
        return all(_is_plain(field.type) for field in kind)
    return any(
        told(kind)
        for told in (
            types.is_string,
            types.is_large_string,
            types.is_integer,
            types.is_floating,
            types.is_boolean,
            types.is_null,
        )
    )


def _plain(value: Any) -> Any:
    """Return a value as JSON can say it: times in ISO 8601, decimals as text, bytes as text or in base64."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(each, tuple) for each in value):  # a map
            return {str(_plain(key)): _plain(each) for key, each in value}
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return str(value)
    return str(value)  # durations and what is rarer


def _damaged(places: Places, number: int, last: int, error: Exception) -> Failure:
    return Failure(f"{places.name}:records {number + 1} to {last}", f"damaged: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__

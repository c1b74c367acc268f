"""Rows of text as Arrow lays them out in memory, so that a kernel can read them where they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

Offsets: TypeAlias = npt.NDArray[np.int32] | npt.NDArray[np.int64]


class Texts(NamedTuple):
    """Rows of strings; a row's strings are read one after the other, and no n-gram crosses between two."""

    data: Any
    """UTF-8 in a buffer, such as `bytes`, `pyarrow.Buffer` or an array of bytes."""
    ends: Offsets
    """Where the strings begin and end in the data: one number more than there are strings."""
    rows: Offsets
    """Where the rows begin and end among the strings: one number more than there are rows."""

    @classmethod
    def of(cls, rows: Iterable[Iterable[str]]) -> Texts:
        """Return rows of Python's strings, encoded."""
        strings: list[bytes] = []
        row_ends = [0]
        for row in rows:
            strings.extend(text.encode("utf-8", "surrogatepass") for text in row)
            row_ends.append(len(strings))
        ends = np.zeros(len(strings) + 1, np.int64)
        np.cumsum([len(each) for each in strings], out=ends[1:])
        return cls(b"".join(strings), ends, np.array(row_ends, np.int64))

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self.rows) - 1

    def string(self, index: int) -> str:
        """Return a string, counted from 0 over all rows."""
        start, end = self.ends[index], self.ends[index + 1]
        return bytes(memoryview(self.data)[start:end]).decode("utf-8", "surrogatepass")


def texts(array: pa.Array | pa.ChunkedArray, field: str = "content") -> Texts:
    """Return the rows of an Arrow array; its text is not copied, unless it has nulls or chunks.

    Args:
        array: strings, one a row; lists of strings; or lists of structs, such as messages. Nulls are rows
            without strings, and empty strings. Slices are understood.
        field: what is read of structs.

    Raises:
        TypeError: the array holds something else.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        data, ends = _strings(array)
        return Texts(data, ends, np.arange(len(array) + 1))
    if array.null_count:
        # Arrow lets a null cover values; without them the lists stand close together.
        rows = np.zeros(len(array) + 1, np.int64)
        np.cumsum(pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False), out=rows[1:])
        values = array.flatten()
    else:
        rows = array.offsets.to_numpy(zero_copy_only=False)
        values = array.values.slice(rows[0], rows[-1] - rows[0])
        rows = rows - rows[0] if rows[0] else rows
    if pa.types.is_struct(values.type):
        if values.type.get_field_index(field) < 0:
            raise TypeError(f"the structs have no field {field!r}: {values.type}")
        values = pc.struct_field(values, [field])
    data, ends = _strings(values)
    return Texts(data, ends, rows)


def _strings(array: pa.Array) -> tuple[Any, Offsets]:
    """Return the data of an array of strings and their offsets, which begin where its slice does."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_dictionary(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        array = array.cast(pa.large_string())
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise TypeError(f"texts must be strings, lists of strings or lists of structs with text, not {kind}")
    if array.null_count:
        array = pc.fill_null(array, "")
    _, offsets, data = array.buffers()
    if not len(array):
        return b"", np.zeros(1, np.int64)
    large = pa.types.is_large_string(array.type)
    ends: Offsets = np.frombuffer(offsets, np.int64) if large else np.frombuffer(offsets, np.int32)
    return b"" if data is None else data, ends[array.offset : array.offset + len(array) + 1]

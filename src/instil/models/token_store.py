"""Tokens of training rows on disk, mapped into memory: whole or not there, and read without a copy.

::

    input_ids.npy   the tokens of all documents, those of one packed row after the other
    borders.npy     where each document begins in them, and at the end how many there are
    rows.npy        which document each packed row begins with, and at the end how many there are
    learned.npy     where each range of learned tokens begins, and where it ends; in ascending order
    places.npy      of each document in the order in which they were written: which one it is here
    sources.npy     of each document in the order in which they were written: the example it came from
    store.json      what is in the files, and how long each of them is

A document is a conversation, or what of it is one row. A packed row is several documents that together
have no more tokens than a row may have; where one ends and the next begins is told by the borders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import orjson
from pydantic import ValidationError

from instil.data.messages import Value
from instil.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEADER = "store.json"
INPUT_IDS = "input_ids.npy"
BORDERS, ROWS, LEARNED, PLACES, SOURCES = (
    f"{name}.npy" for name in ("borders", "rows", "learned", "places", "sources")
)


class Header(Value):
    """What a store says of itself."""

    version: Literal[1] = 1
    fingerprint: str
    """What the tokens depend on besides the rows: tokenizer, template, what is learned."""
    dtype: Literal["uint16", "uint32"]
    """Type of the token ids: the smaller one where the vocabulary fits."""
    max_seq_length: int
    """Tokens that a packed row may have."""
    documents: int
    tokens: int
    supervised: int
    """Tokens that are learned."""
    rows: int
    """Packed rows."""
    files: Mapping[str, int]
    """Bytes of each file."""
    notes: Mapping[str, Any]
    """What the writer wants to be told again, such as what became of rows that are not here."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """A document or a packed row; what it shows lies in the files."""

    input_ids: NDArray[np.unsignedinteger[Any]]
    borders: NDArray[np.int64]
    """Where each of its documents begins, and at the end how many tokens there are."""
    learned: NDArray[np.int64]
    """Where each range of learned tokens begins, and where it ends; shape (2, ranges)."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """True where the token is learned; never for the first of a document, which follows nothing."""
        import numpy as np

        mask = np.zeros(len(self.input_ids), dtype=np.bool_)
        for start, end in zip(*self.learned.tolist(), strict=True):
            mask[start:end] = True
        return mask

    @property
    def position_ids(self) -> NDArray[np.int64]:
        """The place of each token in its document."""
        import numpy as np

        starts, ends = self.borders[:-1], self.borders[1:]
        return np.arange(len(self.input_ids)) - np.repeat(starts, ends - starts)


class TokenStore(Sequence[Tokens]):
    """The documents of a directory, in the order in which they were written."""

    def __init__(self, directory: Path) -> None:
        """Open a store.

        Raises:
            StoreError: it is damaged, or none is there.
        """
        self.header = _read_header(directory)
        self._ids = _mapped(directory, INPUT_IDS, self.header.files)
        self._borders = _mapped(directory, BORDERS, self.header.files)
        self._learned = _mapped(directory, LEARNED, self.header.files)
        self._places = _mapped(directory, PLACES, self.header.files)
        self.sources = _mapped(directory, SOURCES, self.header.files)
        """Which example each document came from, counted from 0."""
        self.rows = PackedRows(self, _mapped(directory, ROWS, self.header.files))

    def __len__(self) -> int:
        return self.header.documents

    @property
    def lengths(self) -> list[int]:
        """How many tokens each document has."""
        lengths: list[int] = (self._borders[1:] - self._borders[:-1])[self._places].tolist()
        return lengths

    @overload
    def __getitem__(self, index: int) -> Tokens: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tokens]: ...
    def __getitem__(self, index: int | slice) -> Tokens | list[Tokens]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        place = int(self._places[index])
        return self.documents(place, place + 1)

    def documents(self, first: int, last: int) -> Tokens:
        """Return the documents from `first` up to and without `last`, as they lie in the files."""
        borders = self._borders[first : last + 1]
        start, end = int(borders[0]), int(borders[-1])
        low, high = self._learned[0].searchsorted((start, end))
        return Tokens(self._ids[start:end], borders - start, self._learned[:, low:high] - start)


class PackedRows(Sequence[Tokens]):
    """The packed rows of a store."""

    def __init__(self, store: TokenStore, starts: NDArray[np.int64]) -> None:
        self._store, self._starts = store, starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> Tokens: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tokens]: ...
    def __getitem__(self, index: int | slice) -> Tokens | list[Tokens]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        return self._store.documents(int(self._starts[index]), int(self._starts[index + 1]))


def _read_header(directory: Path) -> Header:
    path = directory / HEADER
    try:
        return Header.model_validate(orjson.loads(path.read_bytes()))
    except (OSError, orjson.JSONDecodeError, ValidationError) as error:
        raise _damaged(path, "there is no readable header") from error


def _mapped(directory: Path, name: str, sizes: Mapping[str, int]) -> NDArray[Any]:
    import numpy as np

    path = directory / name
    try:
        size = path.stat().st_size
        if size != sizes[name]:
            raise _damaged(path, f"it has {size:,} bytes and was written with {sizes[name]:,}")
        # A plain array over the mapped file: slices of numpy's own class for it take longer.
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, KeyError, ValueError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> StoreError:
    return StoreError(
        f"{str(path)!r} is no whole store of tokens: {why}",
        hint="remove its directory; the next run writes it again",
    )

"""Write a store of tokens: documents as they come, then all of them packed.

What is held in memory is a few numbers a document; the tokens wait in a file until it is known which row
each document goes into. A store gets its name when all of it has reached the disk.
"""

from __future__ import annotations

import os
import shutil
from array import array
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson

from instil.models.packing import Packing, pack
from instil.models.render import Rendered
from instil.models.token_store import (
    BORDERS,
    HEADER,
    INPUT_IDS,
    LEARNED,
    PLACES,
    ROWS,
    SOURCES,
    Header,
    TokenStore,
)
from instil.store.atomic import sync_directory, writing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WAITING = "waiting.tmp"
_BUFFERED = 1 << 18


class TokenWriter:
    """Use it in a `with` statement; what `finish` did not end leaves no store behind."""

    def __init__(
        self, directory: Path, *, vocabulary: int, max_seq_length: int, fingerprint: str, seed: int
    ) -> None:
        """Begin a store in the place of an older one.

        Args:
            directory: where it will be.
            vocabulary: one more than the highest token id.
            max_seq_length: tokens that a packed row may have; no document may have more.
            fingerprint: of what the tokens depend on, for those who want to use the store again.
            seed: decides how documents of one length are packed.

        Raises:
            StoreError: the place cannot be written.
        """
        self._directory = directory
        self._work = directory.with_name(f".{directory.name}.writing")
        self._fingerprint, self._limit, self._seed = fingerprint, max_seq_length, seed
        self._ids = array("H" if vocabulary <= 1 << 16 else "I")
        self._lengths, self._sources = array("q"), array("q")
        self._learned, self._ranges = array("q"), array("q")
        with writing(directory):
            shutil.rmtree(self._work, ignore_errors=True)
            self._work.mkdir(parents=True)
            self._file = (self._work / _WAITING).open("wb+")

    def append(self, row: Rendered, source: int) -> None:
        """Add a document; `source` says which example it came from.

        Raises:
            StoreError: the disk is full.
        """
        self._ids.extend(row.input_ids)
        self._lengths.append(len(row.input_ids))
        self._sources.append(source)
        before = len(self._learned)
        _append_runs(row.mask, self._learned)
        self._ranges.append((len(self._learned) - before) // 2)
        if len(self._ids) >= _BUFFERED:
            self._flush()

    def finish(self, notes: Mapping[str, Any]) -> TokenStore:
        """Pack and write what was added, and return it as a store with these notes.

        Raises:
            StoreError: the disk is full.
        """
        import numpy as np

        self._flush()
        lengths = np.frombuffer(self._lengths, dtype=np.int64)
        packing = pack(lengths, self._limit, self._seed)
        borders = np.concatenate([[0], np.cumsum(lengths[packing.documents])]).astype(np.int64)
        learned = self._learned_in(packing, borders)
        places = np.empty(len(lengths), dtype=np.int64)
        places[packing.documents] = np.arange(len(lengths))
        arrays = {
            BORDERS: borders,
            ROWS: packing.rows,
            LEARNED: learned,
            PLACES: places,
            SOURCES: np.frombuffer(self._sources, dtype=np.int64),
        }
        with writing(self._directory):
            self._write_ids(packing, lengths)
            for name, values in arrays.items():
                with (self._work / name).open("wb") as file:
                    np.save(file, values, allow_pickle=False)
                    file.flush()
                    os.fsync(file.fileno())
            header = Header(
                fingerprint=self._fingerprint,
                dtype="uint16" if self._ids.typecode == "H" else "uint32",
                max_seq_length=self._limit,
                documents=len(lengths),
                tokens=int(lengths.sum()),
                supervised=int((learned[1] - learned[0]).sum()),
                rows=len(packing),
                files={name: (self._work / name).stat().st_size for name in (INPUT_IDS, *arrays)},
                notes=notes,
            )
            self._publish(header)
        return TokenStore(self._directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        shutil.rmtree(self._work, ignore_errors=True)

    def _flush(self) -> None:
        with writing(self._directory):
            self._ids.tofile(self._file)
            self._file.flush()
        del self._ids[:]

    def _learned_in(self, packing: Packing, borders: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the learned ranges of the packed documents, counted from the first of all tokens."""
        import numpy as np

        ranges = np.frombuffer(self._ranges, dtype=np.int64)
        counts = ranges[packing.documents]
        firsts = (np.cumsum(ranges) - ranges)[packing.documents]
        # The numbers firsts[i], firsts[i] + 1, … of each document i, without a loop.
        chosen = np.repeat(firsts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        learned = np.frombuffer(self._learned, dtype=np.int64).reshape(-1, 2)[chosen]
        return np.ascontiguousarray(learned.T + np.repeat(borders[:-1], counts))

    def _write_ids(self, packing: Packing, lengths: NDArray[np.int64]) -> None:
        import numpy as np

        dtype = np.dtype(self._ids.typecode)
        starts = ((np.cumsum(lengths) - lengths) * dtype.itemsize)[packing.documents].tolist()
        sizes = (lengths * dtype.itemsize)[packing.documents].tolist()
        waiting = self._file.fileno()
        with (self._work / INPUT_IDS).open("wb") as file:
            shape = {"shape": (int(lengths.sum()),), "fortran_order": False, "descr": dtype.str}
            np.lib.format.write_array_header_1_0(file, shape)
            for start, size in zip(starts, sizes, strict=True):
                # Not through a mapped file: its pages would count as memory of this process.
                file.write(os.pread(waiting, size, start))
            file.flush()
            os.fsync(file.fileno())

    def _publish(self, header: Header) -> None:
        self._file.close()
        (self._work / _WAITING).unlink()
        with (self._work / HEADER).open("wb") as file:
            file.write(orjson.dumps(header.model_dump(mode="json"), option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        shutil.rmtree(self._directory, ignore_errors=True)
        self._work.rename(self._directory)
        sync_directory(self._directory.parent)


def _append_runs(mask: tuple[bool, ...], runs: array[int]) -> None:
    """Append where each run of True begins and ends, without the first token: it follows nothing."""
    end = 1
    try:
        while True:
            start = mask.index(True, end)
            runs.append(start)
            end = mask.index(False, start)
            runs.append(end)
    except ValueError:
        if len(runs) % 2:
            runs.append(len(mask))

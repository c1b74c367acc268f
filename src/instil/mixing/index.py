"""What is known of every different row, in memory: a few numbers for each, never its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from instil.errors import StageError
from instil.mixing.exchange import read_batches

Ids = npt.NDArray[np.uint64]
_MOST_NAMES = 1 << 16


@dataclass
class Index:
    """Columns of equal length, in the order of the buckets and of the ids in them."""

    id: Ids
    group: Ids
    source: npt.NDArray[np.uint16]
    tokens: npt.NDArray[np.uint32]
    size: npt.NDArray[np.uint32]
    """Characters."""
    language: npt.NDArray[np.uint16]
    """Place in `languages`."""
    task: npt.NDArray[np.uint16]
    """Place in `tasks`."""
    languages: tuple[str, ...]
    tasks: tuple[str, ...]
    buckets: tuple[int, ...]
    """Rows of each bucket."""

    def __len__(self) -> int:
        return len(self.id)

    def of(self, rows: npt.NDArray[np.bool_]) -> Index:
        """Return the index of some rows."""
        columns = ("id", "group", "source", "tokens", "size", "language", "task")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})


def read_index(paths: Sequence[Path]) -> Index:
    """Return the index of all buckets.

    Raises:
        StageError: the rows are of more languages or kinds of task than can be numbered.
        StoreError: a file cannot be read.
    """
    columns: dict[str, list[npt.NDArray[np.generic]]] = {
        name: [] for name in ("id", "group", "source", "tokens", "size", "language", "task")
    }
    names: dict[str, dict[str, int]] = {"language": {}, "task": {}}
    buckets = []
    for path in paths:
        rows = 0
        for batch in read_batches(path):
            rows += batch.num_rows
            for name, found in columns.items():
                column = batch.column(name)
                found.append(_numbers(column, name, names[name]) if name in names else column.to_numpy())
        buckets.append(rows)
    whole = {name: np.concatenate(found) if found else np.empty(0) for name, found in columns.items()}
    sorted_names = {name: tuple(sorted(found)) for name, found in names.items()}
    for name, known in names.items():
        # Numbers in the order of the names, not in that in which they turned up.
        place = {each: number for number, each in enumerate(sorted_names[name])}
        places = np.array([place[each] for each in known], np.uint16)
        whole[name] = places[whole[name].astype(np.int64)] if len(places) else whole[name].astype(np.uint16)
    return Index(
        whole["id"].astype(np.uint64, copy=False),
        whole["group"].astype(np.uint64, copy=False),
        whole["source"].astype(np.uint16, copy=False),
        whole["tokens"].astype(np.uint32, copy=False),
        whole["size"].astype(np.uint32, copy=False),
        whole["language"].astype(np.uint16, copy=False),
        whole["task"].astype(np.uint16, copy=False),
        sorted_names["language"],
        sorted_names["task"],
        tuple(buckets),
    )


def _numbers(column: pa.StringArray, name: str, known: dict[str, int]) -> npt.NDArray[np.uint16]:
    encoded = column.dictionary_encode()
    found = [known.setdefault(each, len(known)) for each in encoded.dictionary.to_pylist()]
    if len(known) > _MOST_NAMES:
        raise StageError(
            f"the rows are of more than {_MOST_NAMES:,} values of {name}",
            hint=f"look at what the sources say is the {name} of their rows, such as {next(iter(known))!r}",
        )
    numbers = np.array(found, np.uint16)
    return numbers[encoded.indices.to_numpy()] if len(numbers) else np.empty(0, np.uint16)

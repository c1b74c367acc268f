"""Documents to rows of a fixed length, with as few rows as best-fit-decreasing needs.

The longest document comes first, and each goes into the row with the least room that still holds it
(Ding et al. 2024, "Fewer Truncations Improve Language Modeling", arXiv 2404.10830). No document is cut.

Documents of one length are placed together, as Krell et al. 2021 count them (arXiv 2107.02027): a row that
is the best fit for the first of them stays the best fit until no more of them goes in. So a whole list of
rows with equal room takes its documents at once, and the work grows with the number of lengths more than
with that of documents.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instil.data.random import rank

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Packing:
    """Which documents stand together in a row."""

    documents: NDArray[np.int64]
    """The numbers of all documents, row after row."""
    rows: NDArray[np.int64]
    """Where each row begins in `documents`, and at the end how many there are: one more than rows."""

    def __len__(self) -> int:
        return len(self.rows) - 1


def pack(lengths: NDArray[np.int64], capacity: int, seed: int) -> Packing:
    """Return rows of at most `capacity` tokens that hold each document once.

    Args:
        lengths: tokens of each document, from 1 to `capacity`.
        capacity: tokens that a row holds.
        seed: decides which of the documents of one length stand where, and in which order the rows come.

    Raises:
        ValueError: a document is empty or does not fit into a row.
    """
    import numpy as np

    if lengths.size and not 1 <= lengths.min() <= lengths.max() <= capacity:
        raise ValueError(f"lengths from {lengths.min()} to {lengths.max()} do not fit rows of {capacity}")
    drawn = _shuffled(len(lengths), rank(seed, "packing", "documents"))
    descending = drawn[np.argsort(-lengths[drawn], kind="stable")]
    owners, count = _best_fit(lengths[descending], capacity)
    place = np.empty(count, dtype=np.int64)
    place[_shuffled(count, rank(seed, "packing", "rows"))] = np.arange(count)
    row = place[owners]
    by_row = np.argsort(row, kind="stable")
    rows = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=count))]).astype(np.int64)
    return Packing(descending[by_row], rows)


def _best_fit(descending: NDArray[np.int64], capacity: int) -> tuple[NDArray[np.int64], int]:
    """Return the number of the row of each document, and how many rows there are."""
    import numpy as np

    sizes, counts = np.unique(-descending, return_counts=True)
    owners: list[int] = []
    rooms: dict[int, list[int]] = defaultdict(list)  # rows by the tokens that still go in
    free = 0  # bit r is set where some row has room for r tokens; the lowest one that is enough fits best
    rows = 0
    for size, count in zip((-sizes).tolist(), counts.tolist(), strict=True):
        left = count
        while left:
            above = free >> size
            room = size + (above & -above).bit_length() - 1 if above else capacity
            each = room // size
            wanted = -(-left // each)
            if above:
                waiting = rooms[room]
                taken = waiting[-wanted:]
                del waiting[-wanted:]
                if not waiting:
                    free ^= 1 << room
            else:
                taken = list(range(rows, rows + wanted))
                rows += wanted
            # Every row takes `each` documents, but the last one only what is left.
            last = min(each, left - (len(taken) - 1) * each)
            for members, documents in ((taken[:-1], each), (taken[-1:], last)):
                if members:
                    owners += members * documents
                    rooms[room - documents * size] += members
                    free |= 1 << (room - documents * size)
            left -= (len(taken) - 1) * each + last
    return np.array(owners, dtype=np.int64), rows


def _shuffled(count: int, seed: int) -> NDArray[np.int64]:
    """Return the numbers below `count` in an order that depends on the seed only, on every machine.

    They are sorted by what the SplitMix64 generator (Steele et al. 2014) makes of them.
    """
    import numpy as np

    mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable").astype(np.int64)

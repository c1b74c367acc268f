"""Tables whose sums are given: how much each source gives of each language and kind of task."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_ROUNDS = 500
_PROGRESS = 0.999  # of what was missing; who comes no nearer than that gets nowhere
_CLOSE = 1e-9
_LARGEST = 1e200


@dataclass
class Shortage(Exception):
    """There is no table with the sums that are asked for."""

    rows: list[int]
    """Rows that should sum to more than they can."""
    wanted: int
    """What they should sum to."""
    have: int
    """What there is of the columns that are not in `columns`."""
    columns: list[int]
    """Columns of which there is enough in these rows, but of which no more is asked for."""
    asked: int
    """What is asked for of these columns."""


def fit(available: Table, most: Counts, sums: Sequence[Counts]) -> Table:
    """Return the table that is nearest to `available` in its proportions and has these sums.

    Iterative proportional fitting (Deming & Stephan, 1940): along each axis in turn, every slice is scaled to
    its sum; here a cell that reaches `most` goes no further. That is the table of least relative entropy to
    `available` (Csiszár, I-divergence geometry, 1975). Where there is none, or none but with cells that have
    to become empty, the sums are met only nearly; `rounded` does the rest, or says why it cannot be done.

    Args:
        available: what there is in each cell; an axis for each kind of sum.
        most: what can be given of each cell.
        sums: for each axis, what each slice is to sum to.
    """
    table = np.where((available > 0) & (most > 0), available, 0).astype(np.float64)
    before = np.inf
    for _ in range(_ROUNDS):
        for axis, wanted in enumerate(sums):
            _scale(np.moveaxis(table, axis, 0), np.moveaxis(most, axis, 0), wanted)
        missing = _missing(np.minimum(table, most), sums)
        if missing <= _CLOSE * sums[0].sum() or missing > _PROGRESS * before:
            break
        before = missing
    return np.minimum(table, most)


def _missing(table: Table, sums: Sequence[Counts]) -> float:
    """Return by how much a table misses its sums, in all."""
    missing = 0.0
    for axis, wanted in enumerate(sums):
        others = tuple(each for each in range(table.ndim) if each != axis)
        missing += float(np.abs(table.sum(axis=others) - wanted).sum())
    return missing


def _scale(table: Table, most: Counts, sums: Counts) -> None:
    """Multiply each slice by what makes its cells, each cut at its most, sum to what is wanted."""
    for cells, limits, wanted in zip(table, most, sums, strict=True):
        used = np.flatnonzero(cells.reshape(-1))
        if not len(used):
            continue
        mine, limit = cells.reshape(-1)[used], limits.reshape(-1)[used]
        # In the order in which they reach their limits; `factors[n]` is right if n cells are cut.
        order = np.argsort(limit / mine, kind="stable")
        mine, limit = mine[order], limit[order]
        factors = (wanted - np.cumsum(limit) + limit) / np.cumsum(mine[::-1])[::-1]
        right = np.flatnonzero(factors <= limit / mine)
        factor = factors[right[0]] if len(right) else limit[-1] / mine[-1]
        # A factor that grows without end is one of a sum that cannot be met.
        cells *= min(factor, _LARGEST / mine.max())


def rounded(table: Table, rows: Counts, columns: Counts, most: Counts) -> Counts:
    """Return whole numbers near the cells of a table that have exactly these sums.

    Where the table has these sums, every cell is rounded down or up (controlled rounding: Bacharach, 1966;
    Cox, 1987). Where it has them only nearly, what is missing is moved along paths of cells.

    Args:
        table: at least two numbers.
        rows: what each row is to sum to.
        columns: what each column is to sum to; in all as much as `rows`.
        most: what no cell exceeds.

    Raises:
        Shortage: there is no such table.
    """
    down = np.minimum(np.floor(table).astype(np.int64), most)
    _lower(down, rows)
    _lower(down.T, columns)
    flow = _Flow(down.copy(), rows - down.sum(axis=1), columns - down.sum(axis=0))
    rest = table - down
    up = np.where(rest > _CLOSE, np.minimum(down + 1, most), down)
    # The largest remainders first, as far as the sums allow.
    for cell in np.argsort(-rest, axis=None, kind="stable").tolist():
        row, column = divmod(cell, table.shape[1])
        if up[row, column] > down[row, column]:
            flow.add(row, column, 1)
    flow.fill(down, up)
    short = flow.fill(np.zeros_like(most), most)
    if short is not None:
        reached = np.zeros(len(columns), bool)
        reached[short[1]] = True
        raise Shortage(
            rows=short[0],
            wanted=int(rows[short[0]].sum()),
            have=int(most[short[0]][:, ~reached].sum()),
            columns=short[1],
            asked=int(columns[short[1]].sum()),
        )
    return flow.table


def _lower(table: Counts, sums: Counts) -> None:
    """Take from the largest cells of rows what is above their sums."""
    for row in np.flatnonzero(table.sum(axis=1) > sums).tolist():
        excess = int(table[row].sum() - sums[row])
        for column in np.argsort(-table[row], kind="stable").tolist():
            taken = min(excess, int(table[row, column]))
            table[row, column] -= taken
            excess -= taken


@dataclass
class _Flow:
    """A table that lacks something in its rows and as much in its columns."""

    table: Counts
    rows: Counts
    """What rows lack."""
    columns: Counts
    """What columns lack."""

    def add(self, row: int, column: int, most: int) -> None:
        """Put into a cell what its row and its column lack, but no more than `most`."""
        amount = min(most, int(self.rows[row]), int(self.columns[column]))
        self.table[row, column] += amount
        self.rows[row] -= amount
        self.columns[column] -= amount

    def fill(self, low: Counts, high: Counts) -> tuple[list[int], list[int]] | None:
        """Add what is lacking, with no cell outside its bounds: a maximal flow (Edmonds & Karp, 1972).

        Returns None if nothing lacks then; else the rows that should give more than they can, and the columns
        that they could give of if more of those were asked for.
        """
        while self.rows.any():
            came: dict[int, int] = {}  # to a column: from this row
            left: dict[int, int] = dict.fromkeys(np.flatnonzero(self.rows).tolist(), -1)  # to a row
            end = self._search(low, high, came, left)
            if end is None:
                return sorted(left), sorted(came)
            self._push(end, low, high, came, left)
        return None

    def _search(self, low: Counts, high: Counts, came: dict[int, int], left: dict[int, int]) -> int | None:
        """Return a column that lacks something and can be reached from a row that does."""
        queue = deque(left)
        while queue:
            row = queue.popleft()
            for column in np.flatnonzero(self.table[row] < high[row]).tolist():
                if column in came:
                    continue
                came[column] = row
                if self.columns[column]:
                    return int(column)
                for other in np.flatnonzero(self.table[:, column] > low[:, column]).tolist():
                    if other not in left:
                        left[other] = column
                        queue.append(other)
        return None

    def _push(self, end: int, low: Counts, high: Counts, came: dict[int, int], left: dict[int, int]) -> None:
        """Move along the path to a column as much as its cells take: every second one loses it."""
        gain: list[tuple[int, int]] = []
        lose: list[tuple[int, int]] = []
        column = end
        while True:
            row = came[column]
            gain.append((row, column))
            if left[row] < 0:
                break
            column = left[row]
            lose.append((row, column))
        room: list[Any] = [self.rows[row], self.columns[end]]
        room += [high[cell] - self.table[cell] for cell in gain]
        room += [self.table[cell] - low[cell] for cell in lose]
        amount = min(room)
        for cell in gain:
            self.table[cell] += amount
        for cell in lose:
            self.table[cell] -= amount
        self.rows[row] -= amount
        self.columns[end] -= amount

"""CSV and TSV: a header, then a record for each row."""

from __future__ import annotations

import csv
import io
from collections import Counter, deque
from collections.abc import Iterator
from typing import Literal

from instil.corpora.base import Failure
from instil.corpora.containers.record import LONGEST, TOO_LONG, Places, RawRecord, not_utf8
from instil.corpora.containers.streams import Reader
from instil.errors import StageError

_DELIMITERS = ",;\t"
_ROWS_TRIED = 200
_ALIKE = 0.9  # of the rows have as many cells as the header


def delimiter_of(text: str, ended: bool, named: Literal["csv", "tsv"] | None) -> str | None:
    """Return what stands between the cells of a table: that which cuts most rows as it cuts the header.

    Args:
        text: what the file begins with.
        ended: whether that is all of it.
        named: what the file's name says it is; without it prose with commas must not pass for a table.

    Returns:
        None if it is no table.
    """
    fits = {delimiter: _fit(text, ended, delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=fits.__getitem__)
    alike, columns = fits[best]
    if named:
        return best if columns > 1 else "\t" if named == "tsv" else ","
    return best if columns > 1 and alike >= _ALIKE else None


def _fit(text: str, ended: bool, delimiter: str) -> tuple[float, int]:
    """Return which share of the rows has as many cells as the header, and how many those are."""
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            rows.append(row)
            if len(rows) > _ROWS_TRIED:
                break
    except csv.Error:
        rows.append([])  # what is read before it must do; the last row is dropped
    if rows and (not ended or not rows[-1]):
        rows.pop()
    rows = [row for row in rows if row]
    if not rows or len(rows[0]) < 2 or len(set(rows[0])) < len(rows[0]):
        return 0.0, len(rows[0]) if rows else 0
    alike = sum(len(row) == len(rows[0]) for row in rows[1:])
    return alike / max(1, len(rows) - 1), len(rows[0])


def read_table(file: Reader, places: Places, delimiter: str) -> Iterator[RawRecord | Failure]:
    """Yield a record for every row, under the names of the header.

    A row whose quotes are wrong is a failure of its first line, after which the reading goes on: a quote
    that is never closed does not take the rest of the file with it.

    Raises:
        StageError: the header is no row, or two columns have one name.
    """
    csv.field_size_limit(LONGEST)  # of the whole process, which has 128 KiB otherwise
    lines = _Lines(file)
    header: list[str] = []
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number = lines.begin()
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if not header:
                raise StageError(f"{places.place(number)}: the header cannot be read: {error}") from error
            yield places.failure(number, f"not a row: {error}")
            lines.again()
            rows = csv.reader(lines, delimiter=delimiter, strict=True)
            continue
        problem = lines.problem
        if not row and not problem:
            continue
        if not header:
            if problem:
                raise StageError(f"{places.place(number)}: the header cannot be read: {problem}")
            header = _header(places.place(number), row)
        elif problem:
            yield places.failure(number, problem)
        elif len(row) != len(header):
            yield places.failure(number, _ragged(len(row), len(header), lines.number - number))
        else:
            yield RawRecord(places, number, None, dict(zip(header, row, strict=True)))


def _header(place: str, row: list[str]) -> list[str]:
    # Data frames write their index under no name.
    names = [name.strip() or f"column {number}" for number, name in enumerate(row, start=1)]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise StageError(
            f"{place}: the header names {', '.join(map(repr, repeated))} twice", hint="rename a column"
        )
    return names


def _ragged(cells: int, columns: int, more_lines: int) -> str:
    over = f" over {more_lines + 1} lines" if more_lines else ""
    return f"{cells} cell{'s' * (cells != 1)}{over}, and the header has {columns}"


class _Lines:
    """The lines of a file as text, which knows what is wrong with those of the row that is read."""

    def __init__(self, file: Reader) -> None:
        self._file = file
        self._row: list[tuple[str, str | None]] = []
        self._again: deque[tuple[str, str | None]] = deque()
        self.number = 0

    def begin(self) -> int:
        """Forget the row before; return the number of the next line."""
        self._row.clear()
        return self.number + 1

    def again(self) -> None:
        """Give the lines of this row after its first once more."""
        self._again.extendleft(reversed(self._row[1:]))
        self.number -= len(self._row) - 1

    @property
    def problem(self) -> str | None:
        """What is wrong with the bytes of the row."""
        return next((problem for _, problem in self._row if problem), None)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        self.number += 1
        self._row.append(line)
        return line[0]

    def _read(self) -> tuple[str, str | None]:
        data = self._file.readline(LONGEST + 1)
        if not data:
            raise StopIteration
        if len(data) > LONGEST:
            while data and not data.endswith(b"\n"):
                data = self._file.readline(LONGEST)
            return "\n", TOO_LONG
        wrong = not_utf8(data) or ("a NUL byte" if b"\0" in data else None)
        return data.decode(errors="replace"), wrong

"""The rows of records: the loop that every row of a mixture passes.

It runs once for each of millions of records, so that it does nothing that a record does not need: no objects
but the row itself, no check of what was checked when the recipe was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from instil.corpora.base import BadRecord, Excluded, Failure, Record, Row, Task
from instil.corpora.containers import RawRecord
from instil.corpora.formats import without_tools

WHERE = "where"
TOOL_TURNS = "tool_turns"
"""Why the recipe leaves a row out: the keys that say so."""

_ODD = (TypeError, ValueError, LookupError, AttributeError, RecursionError)

Read = Callable[[Record], Iterable[Row | Task]]


class FileRows:
    """What records give, in their order: rows, what could not be read, and what the recipe leaves out."""

    def __init__(
        self,
        records: Iterable[RawRecord | Failure],
        read: Read,
        where: Callable[[Record], bool] | None,
        seed: int,
        *,
        keep_tools: bool,
    ) -> None:
        self._records, self._read, self._where = records, read, where
        self._seed, self._keep_tools = seed, keep_tools
        self.lines = 0
        """How many lines were read, once all are, where places are lines."""

    def __iter__(self) -> Iterator[Row | Failure | Excluded]:
        """Yield every row once; what became of it, if it is none."""
        read, where, seed, keep_tools = self._read, self._where, self._seed, self._keep_tools
        for each in self._records:
            if isinstance(each, Failure):
                yield each
                continue
            record = each.value
            try:
                if where is not None and not where(record):
                    yield self._excluded(each, WHERE)
                    continue
                for found in read(record):
                    row = found if isinstance(found, Row) else found.row(seed)
                    if keep_tools or not _with_tools(row):
                        yield row
                    else:
                        yield _without_tools(row) or self._excluded(each, TOOL_TURNS)
            except BadRecord as error:
                yield each.failure(str(error))
            except _ODD as error:
                # A value of a kind that nobody thought of must not stop a run over millions of records.
                yield each.failure(f"a value is not what its format says: {type(error).__name__}: {error}")
        self.lines = getattr(self._records, "lines", 0)

    def _excluded(self, record: RawRecord, reason: str) -> Excluded:
        told = record.failure(reason)
        return Excluded(told.place, told.reason, told.line)


def _with_tools(row: Row) -> bool:
    for role, content in row.turns:  # noqa: SIM110 (any() takes three times as long for two turns)
        if role == "tool" or "<tool" in content:
            return True
    return False


def _without_tools(row: Row) -> Row | None:
    try:
        return row._replace(turns=without_tools(row.turns))
    except BadRecord:
        return None  # all that it says is said with tools

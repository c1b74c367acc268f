"""Step one: a part of a source to rows in buckets by content, mended, filtered and counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from instil.corpora.base import CorpusConfigBase, Excluded, Failure, Part, Row, Rows, example
from instil.data.examples import Example
from instil.data.jsonl import JsonlWriter
from instil.mixing.cleaning import clean
from instil.mixing.config import CleanConfig
from instil.mixing.exchange import PartitionWriter
from instil.mixing.rows import SCHEMA, Batch, conversation_id
from instil.mixing.screening import Screen
from instil.mixing.tally import Tally

if TYPE_CHECKING:
    from instil.mixing.work import Result

FAILED = "unreadable record"
# Few texts at a time, which a processor's cache can hold while they are looked at again and again; and many
# bytes of what became of them, because each round of writing has a batch for every bucket.
_CHARACTERS = 1 << 20
_ROWS = 4096
_WRITTEN = 16 << 20


@dataclass(frozen=True)
class Reading:
    """What one job reads, and how."""

    source: int
    corpus: CorpusConfigBase
    part: Part
    seed: int
    buckets: int
    """A power of two."""
    clean: CleanConfig
    screen: Screen
    task: str = ""
    """What kind of task the source's rows are, where they do not say it."""
    output: Path = field(default_factory=Path)
    """Without suffix; `.arrow` gets the rows, `.failures.jsonl` and `.rejected.jsonl` the others."""


def read_part(reading: Reading) -> Result:
    """Write the rows of a part by bucket, and return how many there were of what.

    Returns `asked`, `failed`, `rejected` and `kept` rows, `lines` of the file, the `steps` tally, and
    `changed`, the tally of what was mended.
    """
    return _Reader(reading).run()


class _Reader:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._screen = reading.screen.open()
        self._steps, self._changed = Tally(), Tally()
        self._asked = self._kept = self._failed = self._rejected = 0

    def run(self) -> Result:
        reading = self._reading
        names = [
            reading.output.with_name(f"{reading.output.name}.{kind}.jsonl")
            for kind in ("failures", "rejected")
        ]
        for name in names:
            name.unlink(missing_ok=True)
        rows = reading.corpus.open(reading.part, reading.seed)
        with (
            JsonlWriter(names[0]) as self._failures,
            JsonlWriter(names[1]) as self._rejections,
            PartitionWriter(reading.output.with_suffix(".arrow"), SCHEMA, reading.buckets) as writer,
        ):
            for table in _gathered(self._table(batch) for batch in self._batches(rows)):
                writer.add(table, _bucket(table, reading.buckets))
        return {
            "asked": self._asked,
            "kept": self._kept,
            "failed": self._failed,
            "rejected": self._rejected,
            "lines": rows.lines,
            "steps": self._steps.rows(),
            "changed": self._changed.rows(),
        }

    def _batches(self, rows: Rows) -> Iterator[Batch]:
        kept: list[Row] = []
        size = 0
        for row in rows:
            if type(row) is Row:
                kept.append(row)
                size += len(row.turns[-1][1])
                if size > _CHARACTERS or len(kept) >= _ROWS:
                    yield Batch(kept)
                    kept, size = [], 0
            elif isinstance(row, Failure):
                self._fail(row)
            elif isinstance(row, Excluded):
                self._exclude(row)
        if kept:
            yield Batch(kept)

    def _table(self, batch: Batch) -> pa.Table:
        """Return the rows that are kept of a batch."""
        reading = self._reading
        self._mend(batch)
        screened = self._screen.screen(batch, self._example)
        table = batch.table(reading.source, reading.task, screened.tokens, screened.languages)
        keep = np.ones(len(batch), bool)
        for index, (step, reason, more) in screened.rejected.items():
            keep[index] = False
            self._reject(batch.rows[index], step, reason, more)
        self._asked += len(batch)
        self._kept += int(keep.sum())
        return table if keep.all() else table.filter(pa.array(keep))

    def _mend(self, batch: Batch) -> None:
        mended = clean(batch.contents, batch.array, self._reading.clean)
        if mended:
            batch.replace({index: text for index, (text, _) in mended.items()})
        for index, (_, changes) in mended.items():
            key = _key(batch.rows[batch.row_of(index)])
            for step, before, after in changes:
                self._changed.add(step, "", key, {"before": before, "after": after})

    def _example(self, row: Row) -> Example:
        return example(row, self._reading.corpus.origin)

    def _fail(self, failure: Failure) -> None:
        self._asked += 1
        self._failed += 1
        line = {} if failure.line is None else {"line": failure.line}
        self._steps.add(FAILED, "", failure.place, {"reason": failure.reason, **line})
        said = {"source": self._reading.corpus.name, "place": failure.place, "reason": failure.reason}
        self._failures.append({**said, **line})

    def _exclude(self, excluded: Excluded) -> None:
        self._asked += 1
        self._rejected += 1
        line = {} if excluded.line is None else {"line": excluded.line}
        self._steps.add(excluded.reason, "", excluded.place, line)
        said = {"source": self._reading.corpus.name, "place": excluded.place, "filter": excluded.reason}
        self._rejections.append({**said, **line})

    def _reject(self, row: Row, step: str, reason: str, more: dict[str, Any]) -> None:
        self._rejected += 1
        key = _key(row)
        turns = [{"role": role, "content": content} for role, content in row.turns]
        self._steps.add(step, reason, key, {**more, "text": turns[-1]["content"][:_SHOWN]})
        said = {"source": self._reading.corpus.name, "id": key, "filter": step, "reason": reason}
        self._rejections.append({**said, **more, "messages": turns})


_SHOWN = 120  # characters of a text in a report


def _gathered(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield tables of many rows made of tables of few."""
    waiting: list[pa.Table] = []
    size = 0
    for table in tables:
        if table.num_rows:
            waiting.append(table)
            size += table.nbytes
        if size >= _WRITTEN:
            yield pa.concat_tables(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _bucket(table: pa.Table, buckets: int) -> np.ndarray[Any, np.dtype[np.integer[Any]]]:
    shift = np.uint64(64 - buckets.bit_length() + 1)
    ids = table.column("id").to_numpy()
    return (ids >> shift).astype(np.int64) if buckets > 1 else np.zeros(len(ids), np.int64)


def _key(row: Row) -> str:
    return f"{conversation_id(row.turns):016x}"

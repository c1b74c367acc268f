"""What a file of rows holds, told from reading it once: format, fields, lengths, languages, duplicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from instil.corpora.base import BadRecord, Failure, Record, Row
from instil.corpora.describe.containers import container_of
from instil.corpora.describe.statistics import Columns, Distinct, Lengths, Spread
from instil.corpora.describe.suggest import guess_fields, recipe_entry
from instil.corpora.detect import Detector
from instil.corpora.formats import FORMATS
from instil.corpora.paths import files_of
from instil.data.messages import Turn
from instil.errors import StageError

_SAMPLE = 2048
"""Rows whose language is told, spread over all of them."""
_EXAMPLES = 3
_FAILURES_SHOWN = 5
_SEED = 0
_MOST_REASONS = 50
UNDECIDED = "und"
"""The language of a text that has none, such as numbers."""


@dataclass(frozen=True)
class Description:
    """What was found; every number counts what was read, which may be less than there is."""

    path: Path
    files: int
    containers: dict[str, int]
    """Files by what they are, such as JSON Lines, whatever they are called."""
    size: int
    """Bytes on the disk."""
    records: int
    """What could be read as records."""
    rows: int
    """What records gave."""
    whole: bool
    """Whether all was read."""
    formats: dict[str, int]
    """Records by format, the most frequent first."""
    unknown: int
    """Records in no known format."""
    failures: dict[str, int]
    """What could not be read, by reason, the most frequent first."""
    first_failures: list[dict[str, str]]
    columns: list[dict[str, Any]]
    languages: dict[str, float]
    """Shares of rows, the largest first."""
    turns: dict[str, int]
    """Messages without the system prompt; percentiles over rows."""
    system: int
    """Rows with a system prompt."""
    questions: dict[str, int]
    """Characters of what is asked last."""
    answers: dict[str, int]
    """Characters of the last answer."""
    duplicates: int
    """Rows that are equal to an earlier one."""
    same_question: int
    """Rows that ask the same as an earlier one, answered alike or not."""
    estimated: bool
    """Whether the two numbers before are estimates."""
    examples: list[list[Turn]]
    fields: dict[str, str]
    """For records in no known format: which columns may be the question and the answer."""
    entry: str
    """The lines of a recipe that read it."""

    @property
    def format(self) -> str | None:
        """The format of most records, if there is one."""
        return next(iter(self.formats), None)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        found = {**vars(self), "path": str(self.path), "format": self.format}
        found["examples"] = [
            [{"role": role, "content": content} for role, content in turns] for turns in self.examples
        ]
        return found


def describe(
    path: Path,
    language: Callable[[str], str],
    *,
    limit: int | None = None,
    format_name: str | None = None,
    read: Callable[[int], object] = lambda _count: None,
) -> Description:
    """Return what the files of a path hold.

    Args:
        path: a file, a directory, or a pattern.
        language: tells the language of a text.
        limit: records after which to stop; None: all.
        format_name: the format to read them as; None: it is told from each record.
        read: is called with the number of records after every hundredth one.

    Raises:
        StageError: there is no file, one cannot be read, or they hold no record.
    """
    from instil.corpora.containers import SUFFIXES, read_records

    files = files_of(path, SUFFIXES)
    reading = _Reading(language, format_name)
    records = (record for file in files for record in read_records(file))
    count = 0
    for count, each in enumerate(islice(records, limit), start=1):
        if isinstance(each, Failure):
            reading.failed(each)
        else:
            reading.add(each.place, each.value)
        if count % 100 == 0:
            read(100)
    read(count % 100)
    whole = limit is None or next(records, None) is None
    return reading.description(path, files, whole)


class _Reading:
    """What is known of the records that were read so far."""

    def __init__(self, language: Callable[[str], str], format_name: str | None) -> None:
        self._language = language
        formats = FORMATS.values() if format_name is None else [FORMATS[format_name]]
        self._named = FORMATS[format_name] if format_name else None
        self._find = Detector(tuple(formats)).find
        self._records = self._rows = self._unknown = self._system = 0
        self._formats: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._first: list[Failure] = []
        self._columns = Columns()
        self._turns, self._questions, self._answers = Lengths(), Lengths(), Lengths()
        self._all, self._asked = Distinct(), Distinct()
        self._sample: Spread[tuple[Turn, ...]] = Spread(_SAMPLE)

    def failed(self, failure: Failure) -> None:
        """Count what could not be read."""
        reason = failure.reason
        if reason not in self._reasons and len(self._reasons) >= _MOST_REASONS:
            reason = "other reasons"
        self._reasons[reason] += 1
        if len(self._first) < _FAILURES_SHOWN:
            self._first.append(failure)

    def add(self, place: str, record: Record) -> None:
        """Count one record and what it gives."""
        self._records += 1
        self._columns.add(record)
        try:
            found = self._named or self._find(record)
        except BadRecord as error:
            self._unknown += 1
            self.failed(Failure(place, str(error)))
            return
        self._formats[found.name] += 1
        try:
            for row in _rows(found.read(record)):
                self._add_row(row)
        except BadRecord as error:
            self.failed(Failure(place, str(error)))

    def _add_row(self, row: Row) -> None:
        self._rows += 1
        turns = tuple(row.turns)
        lead = turns[:1] if turns and turns[0][0] == "system" else ()
        self._system += bool(lead)
        self._turns.add(len(turns) - len(lead))
        self._questions.add(len(next((text for role, text in reversed(turns) if role == "user"), "")))
        self._answers.add(len(turns[-1][1]) if turns else 0)
        self._all.add(orjson.dumps(turns))
        self._asked.add(orjson.dumps(turns[:-1]))
        if self._sample.wants():
            self._sample.keep(turns)

    def description(self, path: Path, files: list[Path], whole: bool) -> Description:
        """Return everything that was found.

        Raises:
            StageError: nothing was.
        """
        if not self._records:
            why = "".join(f"; {each.where}: {each.reason}" for each in self._first[:1])
            raise StageError(f"{str(path)!r} holds no record{why}")
        columns = self._columns.summary(self._records)
        fields = guess_fields(columns) if not self._rows else {}
        single = next(iter(self._formats)) if len(self._formats) == 1 else None
        return Description(
            path=path,
            files=len(files),
            containers=dict(Counter(container_of(file) for file in files).most_common()),
            size=sum(file.stat().st_size for file in files),
            records=self._records,
            rows=self._rows,
            whole=whole,
            formats=dict(self._formats.most_common()),
            unknown=self._unknown,
            failures=dict(self._reasons.most_common()),
            first_failures=[failure.row() for failure in self._first],
            columns=columns,
            languages=self._languages(),
            turns=self._turns.summary(),
            system=self._system,
            questions=self._questions.summary(),
            answers=self._answers.summary(),
            duplicates=self._all.repeated,
            same_question=self._asked.repeated,
            estimated=self._all.estimated or self._asked.estimated,
            examples=[list(turns) for turns in self._sample.some(_EXAMPLES)],
            fields=fields,
            entry=recipe_entry(path, single or ("auto" if self._formats else None), fields),
        )

    def _languages(self) -> dict[str, float]:
        found = Counter(self._language("\n".join(text for _, text in turns)) for turns in self._sample.kept)
        return {code: count / found.total() for code, count in found.most_common()}


def _rows(found: Iterable[Any]) -> Iterator[Row]:
    for each in found:
        yield each if isinstance(each, Row) else each.row(_SEED)

"""A file of rows without those that are too much like an earlier one: what `instil dedupe` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson

from instil.corpora.base import Failure
from instil.corpora.containers import RawRecord, read_records
from instil.data.examples import Counts
from instil.data.progress import Progress, Silent
from instil.errors import RequestError, StageError
from instil.novelty import AcceptedTexts, Nearest, Tokenization
from instil.store.atomic import atomic_write

FIELDS = ("instruction", "messages", "conversations", "question", "query", "prompt", "input", "text")
"""Where the text is looked for when no field is named: the first of these that the first row has."""
SIMILAR = "most_similar_instructions"
"""The key under which a kept row names the accepted ones that are most like it, as in Alpaca's files."""

_USERS = ("user", "human", "client", "prompter")
_ROWS_AT_A_TIME = 4096
_FAILURES_SHOWN = 20
_KEYS_SHOWN = 12


@dataclass(frozen=True)
class DedupeOptions:
    """What is compared, and what is written besides the rows that are kept."""

    fields: tuple[str, ...] = ()
    """The keys whose texts are compared, one below the other; of messages, the first of a user. None given:
    one of FIELDS."""
    threshold: float = 0.7
    """A row whose ROUGE-L F1 with an earlier kept one exceeds this is rejected."""
    tokenization: Tokenization = "auto"
    most_similar: int = 0
    """How many of the most similar kept rows are noted with each kept row."""
    rejected: Path | None = None
    """A file for what is not kept: rejected rows with score and nearest one, failures with reason."""


@dataclass(frozen=True)
class Deduplicated:
    """What became of a file."""

    fields: tuple[str, ...]
    """What was compared; empty for a file without rows."""
    others: tuple[str, ...]
    """Other keys under which the first row has text: it may be there that rows differ."""
    counts: Counts
    failures: tuple[Failure, ...]
    """The first rows that could not be compared; the file of the rejected has all."""


def dedupe(
    source: Path, output: Path, options: DedupeOptions, progress: Progress | None = None
) -> Deduplicated:
    """Write the rows of `source` that are new, unchanged, and return what became of all.

    Rows are taken in order, each is compared with all kept before it. `output` is JSON Lines, or a list if
    its name ends in `.json`; it appears when it is whole.

    Raises:
        RequestError: a file would overwrite another, or the first row has nothing to compare.
        StageError: the file cannot be read, no row of it can be compared, or none has text under a field.
        StoreError: a file cannot be written.
    """
    _refuse_overwriting(source, output, options.rejected)
    rows = read_records(source)
    leading = list(_up_to_first_record(rows))
    first = leading[-1] if leading and isinstance(leading[-1], RawRecord) else None
    fields = options.fields or (_detect(source, first) if first else ())
    with ExitStack() as stack:
        task = stack.enter_context((progress or Silent()).task("comparing", total=None, unit="rows"))
        work = _Work(options, fields, stack.enter_context(_RowFile(output)))
        if options.rejected:
            work.rejected = stack.enter_context(_RowFile(options.rejected))
        for batch in _batches(chain(leading, rows)):
            work.take(batch)
            task.advance(len(batch))
        counts = work.counts()
        if counts.asked:
            _refuse_what_no_row_has(source, first, work)
    given = [field for field in FIELDS if first and instruction_of(first.value, field)]
    others = tuple(field for field in given if field not in fields)
    return Deduplicated(fields, others, counts, tuple(work.failures))


def instruction_of(record: Mapping[str, Any], field: str) -> str | None:
    """Return the text under a key, or the first that a user says in a list of messages under it."""
    value = record.get(field)
    if isinstance(value, str):
        return value
    for each in value if isinstance(value, list) else ():
        if isinstance(each, str):
            return each
        if isinstance(each, dict) and each.get("role", each.get("from")) in _USERS:
            content = each.get("content", each.get("value"))
            return content if isinstance(content, str) else None
    return None


class _RowFile:
    """Writes encoded rows to a file that appears when it is whole: a list for `.json`, else a row a line."""

    def __init__(self, path: Path) -> None:
        self._opened = atomic_write(path)
        self._is_list, self._empty = path.suffix == ".json", True

    def __enter__(self) -> Self:
        self._file: IO[bytes] = self._opened.__enter__()
        return self

    def write(self, row: bytes) -> None:
        """Add a row, which is one line of JSON without its end."""
        if not self._is_list:
            self._file.write(row + b"\n")
        else:
            self._file.write((b"[\n" if self._empty else b",\n") + row)
        self._empty = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if kind is None and self._is_list:
            self._file.write(b"[]\n" if self._empty else b"\n]\n")
        return self._opened.__exit__(kind, error, trace)


class _Work:
    """Decides about rows and writes them where they belong."""

    def __init__(self, options: DedupeOptions, fields: tuple[str, ...], kept: _RowFile) -> None:
        self._options, self._fields, self._kept = options, fields, kept
        self.missing = set(fields)
        """The fields of which no row had one yet."""
        self._accepted = AcceptedTexts(options.threshold, options.tokenization)
        self._reasons: Counter[str] = Counter()
        self._count: Counter[str] = Counter()
        self.rejected: _RowFile | None = None
        self.failures: list[Failure] = []

    def take(self, rows: Sequence[RawRecord | Failure]) -> None:
        """Keep, reject or count as failed each of the rows."""
        texts = [self._text(row) for row in rows]
        decisions = iter(self._decide([text for text in texts if text is not None]))
        for row, text in zip(rows, texts, strict=True):
            if isinstance(row, Failure):
                self._fail(row)
            elif text is None:
                self._fail(row.failure(f"no text under {' or '.join(map(repr, self._fields))}"))
            else:
                self._write(row, *next(decisions))

    def counts(self) -> Counts:
        """Return what became of all rows so far."""
        became = {name: self._count[name] for name in ("kept", "rejected", "failed")}
        return Counts(asked=self._count.total(), **became, reasons=dict(sorted(self._reasons.items())))

    def _text(self, row: RawRecord | Failure) -> str | None:
        if isinstance(row, Failure):
            return None
        found = {field: instruction_of(row.value, field) for field in self._fields}
        texts = {field: text for field, text in found.items() if text is not None}
        self.missing.difference_update(texts)
        return "\n".join(filter(None, texts.values())) if texts else None

    def _decide(self, texts: Sequence[str]) -> Iterable[tuple[Nearest | None, Mapping[str, float]]]:
        if not self._options.most_similar:
            return ((nearest, {}) for nearest in self._accepted.filter(texts))
        return (self._compare(text) for text in texts)

    def _compare(self, text: str) -> tuple[Nearest | None, Mapping[str, float]]:
        nearest = self._accepted.nearest(text)
        if nearest:
            return nearest, {}
        similar = self._accepted.most_similar(text, self._options.most_similar)
        self._accepted.accept(text)
        return None, {text: round(score, 4) for text, score in similar.items()}

    def _write(self, row: RawRecord, nearest: Nearest | None, similar: Mapping[str, float]) -> None:
        if nearest is None:
            self._count["kept"] += 1
            self._kept.write(_with_similar(row, similar) if self._options.most_similar else _line(row))
            return
        self._count["rejected"] += 1
        self._reasons[f"ROUGE-L above {self._options.threshold:g} with an earlier row"] += 1
        found = {"place": row.place, "score": round(nearest.score, 4), "nearest": nearest.text}
        self._reject(_with(orjson.dumps(found), "record", _line(row)))

    def _fail(self, failure: Failure) -> None:
        self._count["failed"] += 1
        self._reasons[failure.reason.partition(":")[0]] += 1
        if len(self.failures) < _FAILURES_SHOWN:
            self.failures.append(failure)
        self._reject(orjson.dumps(failure.row()))

    def _reject(self, row: bytes) -> None:
        if self.rejected:
            self.rejected.write(row)


def _with_similar(row: RawRecord, similar: Mapping[str, float]) -> bytes:
    if SIMILAR in row.value:
        return orjson.dumps({**row.value, SIMILAR: similar})
    return _with(_line(row), SIMILAR, orjson.dumps(similar))


def _line(row: RawRecord) -> bytes:
    """Return a record as its file has it, or as JSON where that is something else."""
    return row.line or orjson.dumps(row.value)


def _with(line: bytes, key: str, value: bytes) -> bytes:
    """Return an encoded object that is not empty with a key more."""
    return b"%s,%s:%s}" % (line[:-1].rstrip(), orjson.dumps(key), value)


def _refuse_overwriting(source: Path, output: Path, rejected: Path | None) -> None:
    if not source.is_file():
        raise RequestError(f"no such file: {str(source)!r}")
    written = [path for path in (output, rejected) if path]
    resolved = [path.resolve() for path in (source, *written)]
    if len(set(resolved)) < len(resolved):
        raise RequestError(
            f"{str(source)!r} is read while {' and '.join(repr(str(path)) for path in written)} is written",
            hint="name another file; nothing was changed",
        )
    for path in written:
        if path.suffix == ".gz":
            raise RequestError(
                f"{str(path)!r} is not written compressed", hint=f"name it {path.with_suffix('').name!r}"
            )
        if path.is_dir() or not path.parent.is_dir():
            raise RequestError(f"{str(path)!r} is not in a directory, or is one", hint="name a file")


def _up_to_first_record(rows: Iterator[RawRecord | Failure]) -> Iterator[RawRecord | Failure]:
    for row in rows:
        yield row
        if isinstance(row, RawRecord):
            return


def _detect(source: Path, first: RawRecord) -> tuple[str, ...]:
    """Return what to compare, going by the first record."""
    for field in FIELDS:
        if instruction_of(first.value, field) is not None:
            return (field,)
    raise RequestError(
        f"{first.place}: no text to compare under any of {', '.join(FIELDS)}",
        hint=f"name the key with --field; this row of {source.name!r} has {_keys(first)}",
    )


def _refuse_what_no_row_has(source: Path, first: RawRecord | None, work: _Work) -> None:
    """Raise the error for a file that is no JSON, and for fields that no row has."""
    if first is None:
        problem = work.failures[0]
        raise StageError(
            f"no row of {str(source)!r} can be read; {problem.where}: {problem.reason}",
            hint="JSON, CSV, Parquet and Arrow are read; nothing was written",
        )
    if work.missing:
        raise StageError(
            f"no row of {str(source)!r} has text under {' or '.join(map(repr, sorted(work.missing)))}",
            hint=f"--field names a key; the first row has {_keys(first)}; nothing was written",
        )


def _keys(record: RawRecord) -> str:
    names = list(record.value)
    more = f" and {len(names) - _KEYS_SHOWN:,} more" if len(names) > _KEYS_SHOWN else ""
    return (", ".join(names[:_KEYS_SHOWN]) or "none") + more


def _batches(rows: Iterable[RawRecord | Failure]) -> Iterator[list[RawRecord | Failure]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, _ROWS_AT_A_TIME)):
        yield batch

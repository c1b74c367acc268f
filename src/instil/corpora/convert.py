"""Any corpus in any format as another: what `instil convert` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from instil.corpora.base import BadRecord, Failure
from instil.corpora.files import FilesConfig
from instil.corpora.formats import FORMATS
from instil.corpora.paths import files_of
from instil.corpora.row_files import RowFile, check_row_file, open_rows
from instil.data.examples import Counts, Example, Rejection
from instil.data.progress import Progress, Silent
from instil.errors import RequestError, StageError

WRITABLE = tuple(sorted(name for name, each in FORMATS.items() if each.write))
"""The formats that can be written."""
READABLE = ("auto", *sorted(FORMATS))
"""The formats that can be read, and `auto` for telling them from the fields of each record."""

_ROWS_AT_A_TIME = 1000
_FAILURES_SHOWN = 5
_CHARACTERS_SHOWN = 40


@dataclass(frozen=True)
class ConvertOptions:
    """How a corpus is read, and how it is written."""

    source: str = "auto"
    """The format that is read, one of READABLE."""
    target: str = "messages"
    """The format that is written, one of WRITABLE."""
    limit: int | None = None
    """Stop when so many rows are written."""
    tool_turns: Literal["keep", "drop"] = "keep"
    """Whether calls of tools and their results stay in conversations."""
    license: str | None = None
    """The licence of rows that do not say it themselves."""
    name: str | None = None
    """The corpus that rows come from which do not say it themselves; None: their file's name."""


@dataclass(frozen=True)
class Converted:
    """What became of a corpus."""

    counts: Counts
    first: tuple[str, ...]
    """The first rows that were not written, each with its place and the reason."""
    failures: Path | None
    """The file that has all of them, if there are any."""


def convert(
    sources: Sequence[Path], output: Path, options: ConvertOptions, progress: Progress | None = None
) -> Converted:
    """Write the rows of files, directories or patterns in another format, in their order.

    Rows stream: the memory that is needed does not grow with them. The output appears when it is whole. What
    is not in it stands in `OUTPUT.failures.jsonl`: records that could not be read, with their place, and rows
    that the format cannot hold, with what they say.

    Raises:
        RequestError: a source is missing, the output would replace one, or has a name that says no container.
        StageError: a source cannot be read at all, or no row can be written.
        StoreError: the output cannot be written.
    """
    check_row_file(output, options.target)
    failures = output.with_name(f"{output.name}.failures.jsonl")
    configs = [_config(path, options) for path in sources]
    _refuse_overwriting(configs, (output, failures))
    with ExitStack() as stack:
        work = _Work(options, failures, stack)
        work.kept = stack.enter_context(open_rows(output, options.target))
        task = stack.enter_context((progress or Silent()).task("converting", total=None, unit="rows"))
        for number, each in enumerate(_rows(configs), start=1):
            work.take(each)
            if number % _ROWS_AT_A_TIME == 0:
                task.advance(_ROWS_AT_A_TIME)
            if work.count["kept"] == options.limit:
                break
        task.advance(work.count.total() % _ROWS_AT_A_TIME)
        counts = work.counts()
        if not counts.kept:
            raise StageError(
                f"no row of {counts.asked:,} can be written as {options.target!r}"
                + (f"; {work.first[0]}" if work.first else ": there is none"),
                hint="nothing was written",
            )
    if not counts.rejected and not counts.failed:
        # What an earlier run left there is about other rows.
        failures.unlink(missing_ok=True)
        return Converted(counts, (), None)
    return Converted(counts, tuple(work.first), failures)


class _Work:
    """Writes rows where they belong, and counts them."""

    def __init__(self, options: ConvertOptions, failures: Path, stack: ExitStack) -> None:
        write = FORMATS[options.target].write
        assert write is not None
        self._write, self._target = write, options.target
        self._failures, self._stack = failures, stack
        self._lost: RowFile | None = None
        self._reasons: Counter[str] = Counter()
        self.kept: RowFile
        self.count: Counter[str] = Counter()
        self.first: list[str] = []

    def take(self, row: Example | Failure) -> None:
        """Write a row, or write down why it is not written."""
        if isinstance(row, Failure):
            self._lose("failed", row.reason, row.where, row.row())
            return
        try:
            record = self._write(row)
        except BadRecord as error:
            said = row.conversation.instruction[:_CHARACTERS_SHOWN]
            rejection = Rejection(filter=self._target, reason=str(error), example=row)
            self._lose("rejected", str(error), f"{row.origin.name}: {said!r}", rejection.row())
            return
        self.count["kept"] += 1
        self.kept.write(record)

    def counts(self) -> Counts:
        """Return what became of all rows so far."""
        became = {name: self.count[name] for name in ("kept", "rejected", "failed")}
        return Counts(asked=self.count.total(), **became, reasons=dict(sorted(self._reasons.items())))

    def _lose(self, became: str, reason: str, place: str, row: Mapping[str, Any]) -> None:
        self.count[became] += 1
        self._reasons[reason.partition(":")[0]] += 1
        if len(self.first) < _FAILURES_SHOWN:
            self.first.append(f"{place}: {reason}")
        if self._lost is None:
            self._lost = self._stack.enter_context(open_rows(self._failures, "messages"))
        self._lost.write(row)


def _config(path: Path, options: ConvertOptions) -> FilesConfig:
    try:
        return FilesConfig(
            kind="files",
            name=options.name or path.name.partition(".")[0] or path.resolve().name,
            path=path,
            format=options.source,
            license=options.license,
            tool_turns=options.tool_turns,
        )
    except ValidationError as error:
        raise RequestError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


def _rows(configs: Sequence[FilesConfig]) -> Iterator[Example | Failure]:
    for config in configs:
        yield from config.read()


def _refuse_overwriting(configs: Sequence[FilesConfig], written: Sequence[Path]) -> None:
    from instil.corpora.containers import SUFFIXES

    if written[0].is_dir() or not written[0].parent.is_dir():
        raise RequestError(f"{str(written[0])!r} is not in a directory, or is one", hint="name a file")
    read = {path.resolve() for config in configs for path in files_of(config.path, SUFFIXES)}
    for path in written:
        if path.resolve() in read:
            raise RequestError(
                f"{str(path)!r} would be read while it is written",
                hint="name another file; nothing was changed",
            )

"""A data set in a directory of its own, as other tools load it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from instil.corpora.base import BadRecord, Failure
from instil.corpora.row_files import RowFile, open_rows
from instil.data.examples import Counts, Rejection
from instil.data.progress import Progress, Silent, Task
from instil.errors import RequestError, StageError
from instil.export.card import CARD, DATASET_INFO, RECIPE_COPY, Facts, card, llama_factory_names
from instil.export.contents import Contents
from instil.export.licences import consequences
from instil.export.rows import TRAIN, Rows, Source, open_source
from instil.export.targets import Target, target
from instil.store.atomic import atomic_write, sync_directory, writing

_ROWS_AT_A_TIME = 1000
_LOOKED_AT = 100
"""Rows that the most hasty reader tells the types of columns from."""
_FAILURES_SHOWN = 5
_CHARACTERS_SHOWN = 40


@dataclass(frozen=True)
class ExportOptions:
    """How a data set is written."""

    target: str = "messages"
    """One of `TARGETS`."""
    name: str | None = None
    """What it is called; None: as its run or file."""
    license: str | None = None
    """The licence of rows of files that do not say it themselves."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    name: str
    files: Mapping[str, str]
    """The data file of each split."""
    rows: Mapping[str, int]
    """By split."""
    counts: Counts
    first: tuple[str, ...]
    """The first rows that are not in it, each with its place and the reason."""
    failures: Path | None
    """The file that has all of them, if there are any."""
    terms: tuple[str, ...]
    """What the licences of the sources ask for."""


def export_data(
    path: Path, output: Path, options: ExportOptions, progress: Progress | None = None
) -> Exported:
    """Write a run's rows, or those of files, as a directory that other tools load.

    It holds a data file for each split, a card with licences, sources and counts (`README.md`), the entry
    for LLaMA-Factory (`dataset_info.json`) where that reads the format, and the recipe of a run. It appears
    when it is whole. Rows that the format cannot say, and records that could not be read, stand in
    `OUTPUT.failures.jsonl`.

    Args:
        path: a run, a stage's directory, or files in any format.
        output: the directory; it must be new or empty.
        options: the format, a name, a licence.
        progress: where it is told how far it is.

    Raises:
        RequestError: there are no rows at `path`, the format is unknown or one for models, or the directory
            holds something.
        StageError: no row can be written.
        StoreError: the directory cannot be written, or the run was changed outside instil.
    """
    chosen = target(options.target)
    source = open_source(path, options.license)
    _check(output)
    failures = output.with_name(f"{output.name}.failures.jsonl")
    name = re.sub(r"[^\w.-]+", "_", options.name or source.name)
    with _appearing(output) as directory, ExitStack() as stack:
        work = _Work(chosen, failures, stack)
        with (progress or Silent()).task("exporting", total=None, unit="rows") as task:
            for split, rows in source.splits.items():
                work.write(split, rows, directory, task)
        counts = work.contents.counts
        if not work.contents.rows[TRAIN]:
            raise StageError(
                f"no row of {counts.asked:,} can be written as {chosen.name!r}"
                + (f"; {work.first[0]}" if work.first else ": there is none"),
                hint="nothing was written",
            )
        _describe(directory, name, chosen, source, work)
    if not work.first:
        # What an earlier export left there is about other rows.
        failures.unlink(missing_ok=True)
    return Exported(
        name=name,
        files=work.files,
        rows=dict(work.contents.rows),
        counts=counts,
        first=tuple(work.first),
        failures=failures if work.first else None,
        terms=tuple(consequences(work.contents.origins)),
    )


class _Work:
    """Writes rows where they belong, and counts them."""

    def __init__(self, chosen: Target, failures: Path, stack: ExitStack) -> None:
        self._target, self._failures, self._stack = chosen, failures, stack
        self._lost: RowFile | None = None
        self.contents = Contents()
        self.first: list[str] = []
        self.files: dict[str, str] = {}

    def write(self, split: str, rows: Rows, directory: Path, task: Task) -> None:
        """Write the file of a split; none where no row can be written."""
        path = directory / f"{split}{self._target.suffix}"
        telling: int | None = None
        number = 0
        with open_rows(path, self._target.writer) as file:
            for number, row in enumerate(rows(), start=1):
                if number % _ROWS_AT_A_TIME == 0:
                    task.advance(_ROWS_AT_A_TIME)
                if isinstance(row, Failure):
                    self._lose(split, "failed", row.reason, row.where, row.row())
                    continue
                try:
                    record = self._target.record(row)
                except BadRecord as error:
                    said = row.conversation.instruction[:_CHARACTERS_SHOWN]
                    rejection = Rejection(filter=self._target.name, reason=str(error), example=row)
                    self._lose(split, "rejected", str(error), f"{row.origin.name}: {said!r}", rejection.row())
                    continue
                if telling is None and self._target.tells(record):
                    telling = self.contents.rows[split]
                file.write(record)
                self.contents.add(row, split)
        task.advance(number % _ROWS_AT_A_TIME)
        if not self.contents.rows[split]:
            path.unlink()
            return
        if telling is not None and telling >= _LOOKED_AT and path.suffix == ".jsonl":
            _move_to_front(path, telling)
        self.files[split] = path.name

    def _lose(self, split: str, became: str, reason: str, place: str, row: Mapping[str, Any]) -> None:
        self.contents.lose(reason, failed=became == "failed")
        if len(self.first) < _FAILURES_SHOWN:
            self.first.append(f"{place}: {reason}")
        if self._lost is None:
            self._lost = self._stack.enter_context(open_rows(self._failures, "messages"))
        self._lost.write({"split": split, **row})


def _describe(directory: Path, name: str, chosen: Target, source: Source, work: _Work) -> None:
    """Write what stands beside the data."""
    if source.recipe is not None:
        with atomic_write(directory / RECIPE_COPY) as file:
            file.write(source.recipe.read_bytes())
    if chosen.llama_factory is not None:
        names = llama_factory_names(name, list(work.files))
        entries = {
            names[split]: {"file_name": path, **chosen.llama_factory} for split, path in work.files.items()
        }
        with atomic_write(directory / DATASET_INFO) as file:
            file.write(orjson.dumps(entries, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    facts = Facts(name, chosen, work.files, work.contents, source.links, source.recipe is not None)
    with atomic_write(directory / CARD) as file:
        file.write(card(facts).encode())


def _move_to_front(path: Path, number: int) -> None:
    """Let a line come first, from which readers can tell the types of all columns."""
    with path.open("rb") as lines, atomic_write(path) as file:
        file.write(next(islice(lines, number, None)))
        lines.seek(0)
        file.writelines(line for place, line in enumerate(lines) if place != number)


def _check(output: Path) -> None:
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise RequestError(
            f"{str(output)!r} is there already",
            hint="name a new directory, or remove it; nothing was changed",
        )
    if not output.resolve().parent.is_dir():
        raise RequestError(f"{str(output.parent)!r} is not a directory", hint="create it first")


@contextmanager
def _appearing(output: Path) -> Iterator[Path]:
    """Yield a directory that gets its name when the block ends without an error, and is gone otherwise."""
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with writing(output):
            temporary.mkdir()
        yield temporary
        with writing(output):
            # An empty directory may be replaced.
            temporary.replace(output)
            sync_directory(output.resolve().parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)

"""Tables, progress and colours: the only user of rich.

Results go to standard output, progress and warnings to standard error. Where standard error is no
terminal, progress is a plain line now and then; with `--quiet` there is none.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from instil.data.progress import Progress, Silent, Task
from instil.data.text import printable
from instil.store.manifest import Manifest

if TYPE_CHECKING:
    # It loads every stage, and most commands need none.
    from instil.pipeline import Step

_SECONDS_BETWEEN_LINES = 10.0
_MARKS = {"reuse": "=", "run": "+", "continue": ">", "rebuild": "~", "depends": "?"}


def open_progress(*, quiet: bool) -> Progress:
    """Return the progress display that suits standard error."""
    if quiet:
        return Silent()
    return _Bars() if sys.stderr.isatty() else _Lines()


def command_name() -> str:
    """Return how the user can call us: by name, or by path where the environment is not active."""
    if shutil.which("instil"):
        return "instil"
    called = Path(sys.argv[0])
    return os.path.relpath(called) if called.name == "instil" else f"{sys.executable} -m instil"


def print_json(value: object) -> None:
    """Write a value to standard output as indented JSON."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_plan(steps: Sequence[Step]) -> None:
    """Write a plan to standard output, one stage a line with its reasons below each other."""
    for step in steps:
        first, *others = step.reasons or ("",)
        click.echo(
            f"{_MARKS[step.action.value]} {step.stage:<10}{step.action.value:<10}{printable(first)}".rstrip()
        )
        for reason in others:
            click.echo(f"{'':<22}{printable(reason)}")
        if step.estimate.calls:
            click.echo(f"{'':<22}{'' if step.estimate.paid else 'free: '}{step.estimate}")
            for assumption in step.estimate.assumptions:
                click.echo(f"{'':<24}{printable(assumption)}")


def counts_line(stage: str, manifest: Manifest) -> str:
    """Return what became of a stage's rows, as a sum that adds up."""
    counts = manifest.counts
    line = f"{stage:<10}{counts.asked:,} asked = {counts.kept:,} kept"
    line += f" + {counts.rejected:,} rejected + {counts.failed:,} failed"
    return line


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows to standard output in aligned columns; numbers stand on the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(row[index][:1].isdigit() or not row[index] for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    # Not narrower than a page where the output is a file.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(table)


def print_reasons(reasons: Mapping[str, int]) -> None:
    """Write each reason with its number."""
    for reason, count in reasons.items():
        click.echo(f"{'':<12}{count:>6,}  {printable(reason)}")


class _Bars:
    """Live bars of rich: done, rate, remaining time and a note."""

    @contextmanager
    def task(self, what: str, *, total: int | None, unit: str) -> Iterator[Task]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Task as RichTask
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: RichTask) -> Text:
                return Text(f"{task.speed:,.1f}/s" if task.speed else "")

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn(unit),
            Rate(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=Console(stderr=True)) as bars:
            yield _Bar(bars, bars.add_task(what, total=total, note=""))

    def say(self, line: str) -> None:
        click.echo(printable(line), err=True)


class _Bar:
    def __init__(self, bars: object, task_id: object) -> None:
        self._bars, self._id = bars, task_id

    def advance(self, amount: int = 1, note: str | None = None) -> None:
        update = getattr(self._bars, "update")  # noqa: B009
        if note is None:
            update(self._id, advance=amount)
        else:
            update(self._id, advance=amount, note=note)


class _Lines:
    """Plain lines for a log."""

    @contextmanager
    def task(self, what: str, *, total: int | None, unit: str) -> Iterator[Task]:
        line = _Line(what, total, unit)
        yield line
        line.end()

    def say(self, line: str) -> None:
        click.echo(printable(line), err=True)


class _Line:
    def __init__(self, what: str, total: int | None, unit: str) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._done, self._note = 0, ""
        self._start = self._last = time.monotonic()

    def advance(self, amount: int = 1, note: str | None = None) -> None:
        self._done += amount
        self._note = self._note if note is None else note
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            self._write(now)

    def end(self) -> None:
        self._write(time.monotonic())

    def _write(self, now: float) -> None:
        seconds = max(now - self._start, 1e-9)
        rate = self._done / seconds
        # More is done than was planned where something is asked again.
        of = "" if self._total is None or self._done > self._total else f" of {self._total:,}"
        left = ""
        if self._total and self._done and self._done < self._total:
            left = f", {(self._total - self._done) / rate:,.0f} s left"
        note = f", {self._note}" if self._note else ""
        text = (
            f"  {self._what}: {self._done:,}{of} {self._unit} in {seconds:,.0f} s, {rate:,.1f}/s{left}{note}"
        )
        click.echo(printable(text), err=True)


def excerpt(text: str, width: int = 100) -> str:
    """Return the beginning of a text on one line, without anything that could move the cursor."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= width else line[: width - 1] + "…"

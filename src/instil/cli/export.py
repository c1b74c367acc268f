"""export: a run's data for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from instil.cli import display
from instil.data.text import printable
from instil.export.data import Exported, ExportOptions, export_data
from instil.export.targets import TARGETS

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("source", metavar="RUN_OR_FILE", type=_PATH)
@click.option("-o", "--output", metavar="DIR", type=_PATH, required=True, help="A new directory.")
@click.option(
    "--to",
    "target",
    metavar="FORMAT",
    default="messages",
    show_default=True,
    help=f"{', '.join(TARGETS)}.",
)
@click.option("--name", help="What the data set is called; by default as its run or file.")
@click.option("--license", "licence", metavar="NAME", help="Licence of rows that do not say it.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def export(
    source: Path,
    output: Path,
    target: str,
    name: str | None,
    licence: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the rows of RUN_OR_FILE as a data set that other tools load.

    RUN_OR_FILE is a run such as runs/clinic-zh, whose last rows count (those of mix, else of curate, else of
    generate), the directory of a stage, or files in any format. DIR gets a data file for each split, a card
    with sources, licences and counts, and LLaMA-Factory's dataset_info.json; it appears when it is whole.
    Rows that the format cannot say stand in DIR.failures.jsonl.
    """
    options = ExportOptions(target, name, licence)
    found = export_data(source, output, options, display.open_progress(quiet=quiet))
    for line in found.first:
        click.echo(f"  {printable(line)}", err=True)
    lost = found.counts.rejected + found.counts.failed
    if lost > len(found.first):
        click.echo(f"  and {lost - len(found.first):,} more", err=True)
    if as_json:
        display.print_json(_as_json(output, found))
        return
    for split, file in found.files.items():
        click.echo(f"{output / file}: {found.rows[split]:,} rows for {split}")
    counts = found.counts
    became = f"{counts.kept:,} kept + {counts.rejected:,} rejected + {counts.failed:,} failed"
    click.echo(f"{counts.asked:,} rows = {became}")
    display.print_reasons(counts.reasons)
    if found.failures:
        click.echo(f"each of them, and why: {found.failures}")
    for sentence in found.terms:
        click.echo(printable(sentence))


def _as_json(output: Path, found: Exported) -> dict[str, object]:
    return {
        "output": str(output),
        "name": found.name,
        "files": {split: str(output / file) for split, file in found.files.items()},
        "rows": dict(found.rows),
        "failures": str(found.failures) if found.failures else None,
        "terms": list(found.terms),
        **found.counts.model_dump(mode="json"),
    }

"""convert: a corpus in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from instil.cli import display
from instil.corpora.convert import READABLE, WRITABLE, Converted, ConvertOptions
from instil.corpora.convert import convert as convert_files
from instil.data.text import printable

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("sources", metavar="IN…", nargs=-1, required=True, type=_PATH)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    type=_PATH,
    required=True,
    help="Ends in .jsonl, .json (a list) or .parquet; .gz or .zst behind the first two.",
)
@click.option(
    "--from",
    "source",
    metavar="FORMAT",
    type=click.Choice(READABLE),
    default="auto",
    show_default=True,
    help=f"Format of IN; by default told from the fields of each record: {', '.join(READABLE[1:])}.",
)
@click.option(
    "--to",
    "target",
    metavar="FORMAT",
    type=click.Choice(WRITABLE),
    default="messages",
    show_default=True,
    help=f"Format of OUT: {', '.join(WRITABLE)}.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Stop when N rows are written.")
@click.option(
    "--tool-turns",
    type=click.Choice(("keep", "drop")),
    default="keep",
    show_default=True,
    help="Keep calls of tools and their results in conversations, or drop them.",
)
@click.option("--license", "licence", metavar="NAME", help="Licence of rows that do not say it.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def convert(
    sources: tuple[Path, ...],
    output: Path,
    source: str,
    target: str,
    limit: int | None,
    tool_turns: Literal["keep", "drop"],
    licence: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the rows of IN in another format.

    IN are files, directories and patterns such as 'data/**/*.jsonl'; JSON Lines, JSON lists, CSV, Parquet,
    Arrow and archives of them are read whatever their names are. OUT appears when it is whole; what is not in
    it, and why, stands in OUT.failures.jsonl.
    """
    options = ConvertOptions(source, target, limit, tool_turns, licence)
    found = convert_files(sources, output, options, display.open_progress(quiet=quiet))
    for line in found.first:
        click.echo(f"  {printable(line)}", err=True)
    lost = found.counts.rejected + found.counts.failed
    if lost > len(found.first):
        click.echo(f"  and {lost - len(found.first):,} more", err=True)
    if as_json:
        display.print_json(_as_json(output, found))
        return
    counts = found.counts
    became = f"{counts.kept:,} kept + {counts.rejected:,} rejected + {counts.failed:,} failed"
    click.echo(f"{counts.asked:,} rows = {became}")
    display.print_reasons(counts.reasons)
    if found.failures:
        click.echo(f"each of them, and why: {found.failures}")


def _as_json(output: Path, found: Converted) -> dict[str, object]:
    failures = str(found.failures) if found.failures else None
    return {"output": str(output), "failures": failures, **found.counts.model_dump(mode="json")}

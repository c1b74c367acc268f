"""dedupe: a file without rows that are too much like earlier ones."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from instil.cli import display
from instil.data.text import printable
from instil.dedupe import DedupeOptions, Deduplicated
from instil.dedupe import dedupe as dedupe_file
from instil.novelty import Tokenization
from instil.novelty.kernel import problem

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("source", metavar="IN", type=_PATH)
@click.option(
    "-o", "--output", type=_PATH, required=True, help="Rows that are kept; a list if it ends in .json."
)
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="KEY",
    help="Key of the text to compare, also several times; by default found in the first row.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.7,
    show_default=True,
    help="Reject a row whose ROUGE-L F1 with an earlier kept one exceeds this.",
)
@click.option(
    "--tokenization",
    type=click.Choice(get_args(Tokenization)),
    default="auto",
    show_default=True,
    help="What counts as a token: as rouge_score, or words and characters of any script.",
)
@click.option(
    "--most-similar", type=click.IntRange(0), default=0, metavar="K", help="Note the K most similar rows."
)
@click.option(
    "--rejected", type=_PATH, help="What is not kept, and why; JSON Lines or a list like the output."
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def dedupe(
    source: Path,
    output: Path,
    fields: tuple[str, ...],
    threshold: float,
    tokenization: Tokenization,
    most_similar: int,
    rejected: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the rows of IN that are new, unchanged; IN is JSON, CSV, Parquet or Arrow, packed or not.

    A row is rejected when its ROUGE-L F1 with a row that was kept before it exceeds the threshold: exactly
    the novelty filter of Self-Instruct. `--rejected` has each one's nearest row and score.
    """
    progress = display.open_progress(quiet=quiet)
    if reason := problem():
        progress.say(f"the novelty kernel is missing, this will take longer: {reason}")
    options = DedupeOptions(fields, threshold, tokenization, most_similar, rejected)
    found = dedupe_file(source, output, options, progress)
    for failure in found.failures:
        click.echo(f"  {printable(failure.where)}: {printable(failure.reason)}", err=True)
    if found.counts.failed > len(found.failures):
        click.echo(f"  and {found.counts.failed - len(found.failures):,} more", err=True)
    if as_json:
        display.print_json(_as_json(found))
        return
    counts = found.counts
    became = f"{counts.kept:,} kept + {counts.rejected:,} rejected + {counts.failed:,} failed"
    click.echo(f"{counts.asked:,} rows = {became}")
    display.print_reasons(counts.reasons)
    if found.fields and not fields:
        click.echo(f"compared: {found.fields[0]!r}, found in the first row; --field names another")
    if found.others and counts.rejected > counts.kept:
        others = " ".join(f"--field {each}" for each in found.others)
        click.echo(f"most rows are rejected; if it is another key in which they differ, try {others}")


def _as_json(found: Deduplicated) -> dict[str, object]:
    failures = [failure.row() for failure in found.failures]
    return {"fields": found.fields, **found.counts.model_dump(mode="json"), "failures": failures}

"""report: a run as one self-contained page."""

from __future__ import annotations

from pathlib import Path

import click

from instil.cli import display


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the path as JSON.")
def report(run: Path, as_json: bool) -> None:
    """Write RUN/report.html: counts, scores beside the base, answers side by side, lineage."""
    from instil.report import page

    path = str(page.write(run))
    if as_json:
        display.print_json({"report": path})
    else:
        click.echo(path)

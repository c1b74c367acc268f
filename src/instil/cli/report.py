"""report: a run as one self-contained page."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
def report(run: Path) -> None:
    """Write RUN/report.html: counts, scores beside the base, answers side by side, lineage."""
    from instil.report import page

    click.echo(str(page.write(run)))

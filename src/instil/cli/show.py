"""show: what a run holds and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from instil.cli import display
from instil.data.text import with_error
from instil.errors import StoreError
from instil.pipeline import STAGES, UNFINISHED
from instil.stages.evaluate import SCORES_FILE
from instil.store.lineage import Link, lineage, verify


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--licenses", is_flag=True, help="Show the licences of the training data.")
@click.option("--verify", "verifying", is_flag=True, help="Compare every file with its record.")
def show(run: Path, as_json: bool, licenses: bool, verifying: bool) -> None:
    """Show the counts, scores and lineage of RUN, a directory such as runs/clinic-zh."""
    links = lineage(run, [stage.name for stage in STAGES])
    if verifying:
        _verify(links, as_json=as_json)
    elif licenses:
        _licenses(links, as_json=as_json)
    elif as_json:
        display.print_json([_as_json(link) for link in links])
    else:
        _show(links)


def _as_json(link: Link) -> dict[str, Any]:
    found = link.manifest.model_dump(mode="json")
    return {
        "directory": str(link.directory),
        "digest": link.manifest.digest,
        "fingerprint": link.manifest.fingerprint,
        "stale_inputs": list(link.stale),
        **found,
    }


def _show(links: tuple[Link, ...]) -> None:
    for link in links:
        manifest = link.manifest
        click.echo(display.counts_line(manifest.stage, manifest))
        display.print_reasons(manifest.counts.reasons)
        inputs = manifest.identity.get("inputs", {})
        came = (
            f"from {', '.join(f'{name} {digest}' for name, digest in inputs.items())}"
            if inputs
            else "from files"
        )
        click.echo(f"{'':<10}{manifest.digest} {came}; {manifest.finished_at}, {manifest.seconds:,.1f} s")
        if link.stale:
            click.echo(f"{'':<10}out of date: {', '.join(link.stale)} has another content now")
        _details(manifest.details)
    _scores(links)


def _details(details: Any) -> None:
    sources = details.get("sources")
    if sources:
        columns = ["source", "weight", "read", "failed", "duplicates", "different", "drawn", "licence"]
        rows = [
            [
                name,
                f"{row['weight']:g}",
                *(f"{row[key]:,}" for key in columns[2:7]),
                row["license"] or "not stated",
            ]
            for name, row in sources.items()
        ]
        display.print_table(columns, rows)
    if facts := _numbers(details):
        click.echo(f"{'':<10}{facts}")
    for name in ("traffic", "documents"):
        if facts := _numbers(details.get(name, {})):
            click.echo(f"{'':<10}{name}: {facts}")
    if unfinished := details.get(UNFINISHED):
        click.echo(f"{'':<10}{unfinished}; the next run tries again")


def _numbers(facts: Mapping[str, Any]) -> str:
    """Return the numbers among named facts, to be read."""
    numbers = {
        key.replace("_", " "): value
        for key, value in facts.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return ", ".join(
        f"{key} {value:,.4g}" if isinstance(value, float) else f"{key} {value:,}"
        for key, value in numbers.items()
    )


def _scores(links: tuple[Link, ...]) -> None:
    for link in links:
        path = link.directory / SCORES_FILE
        if link.manifest.stage == "evaluate" and path.exists():
            rows = [
                [
                    row["benchmark"],
                    row["metric"],
                    row["subject"],
                    with_error(row["value"], row["stderr"]),
                    str(row["n"]),
                ]
                for row in orjson.loads(path.read_bytes())
            ]
            display.print_table(["benchmark", "metric", "model", "value ± stderr", "rows"], rows)


def _licenses(links: tuple[Link, ...], *, as_json: bool) -> None:
    found = {
        name: row["license"]
        for link in links
        if link.manifest.stage == "mix"
        for name, row in link.manifest.details.get("sources", {}).items()
    }
    if as_json:
        display.print_json(found)
        return
    if not found:
        click.echo("this run mixed no corpora; generated rows follow the terms of their teacher")
    for name, license_ in found.items():
        click.echo(f"{name:<20}{license_ or 'not stated'}")
    if any(license_ and "NC" in license_.upper().replace("-", " ").split() for license_ in found.values()):
        click.echo("a source forbids commercial use (NC); so does what is trained on it")


def _verify(links: tuple[Link, ...], *, as_json: bool) -> None:
    changed = verify(links)
    files = sum(len(link.manifest.files) for link in links)
    if as_json:
        display.print_json({"files": files, "changed": changed})
    elif not changed:
        click.echo(f"{files} files of {len(links)} stages are as they were written")
    if changed:
        raise StoreError(
            f"{len(changed)} of {files} files are not as they were written:\n       "
            + "\n       ".join(changed),
            hint="remove the stage's directory to have it made again",
        )

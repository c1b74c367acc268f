"""mix: the mixture of a recipe as a table, and the making of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from instil import pipeline
from instil.cli import display
from instil.errors import RecipeError
from instil.recipe import load_recipe
from instil.stages.mix import details, open_mixing


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--dry-run", is_flag=True, help="Show what would be mixed; write no mixture.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def mix(recipe: Path, overrides: tuple[str, ...], dry_run: bool, quiet: bool, as_json: bool) -> None:
    """Mix the sources of RECIPE: read, clean, deduplicate, draw, split and shuffle.

    Runs the stages up to `mix` and shows how many rows each source gives, and what was taken from it why.
    With --dry-run the same table comes without the writing; what was read serves the run.
    """
    loaded = load_recipe(recipe, overrides)
    if loaded.mix is None:
        raise RecipeError(f"{recipe}: the recipe has no `mix`", hint="add `mix:` with its corpora")
    run_dir = pipeline.run_dir_for(recipe, loaded)
    progress = display.open_progress(quiet=quiet)
    if dry_run:
        with pipeline.aside(loaded, run_dir, "mix", progress) as context:
            found: Mapping[str, Any] = details(loaded.mix, open_mixing(loaded.mix, context).run(dry=True))
    else:
        outcomes = pipeline.execute(loaded, run_dir, until="mix", progress=progress)
        found = outcomes[-1].manifest.details
    if as_json:
        display.print_json({**found, "dry_run": dry_run})
        return
    _print_sources(found)
    _print_steps("rejected", found["steps"])
    _print_steps("mended", found["cleaned"])
    if short := found.get("evaluation_items_too_short", {}).get("count"):
        click.echo(f"\n{short:,} evaluation items are too short to be told from any other text")
    verb = "would be" if dry_run else "are"
    click.echo(f"\n{found['train']:,} rows {verb} for training, {found['validation']:,} held out")


_COUNTS = {
    "read": ("read",),
    "failed": ("failed",),
    "rejected": ("rejected",),
    "duplicate": ("duplicates",),
    "alike": ("near_duplicate", "semantic_duplicate"),
    "left": ("different",),
    "drawn": ("drawn",),
    "different": ("drawn_different",),
}
"""Columns of the table, and which counts of a source each sums."""


def _print_sources(found: Mapping[str, Any]) -> None:
    total = max(1, found["rows"])
    by_tokens = any("tokens" in row for row in found["sources"].values())
    rows = []
    for name, row in found["sources"].items():
        counts = (sum(row.get(key, 0) for key in keys) for keys in _COUNTS.values())
        tokens = [f"{row.get('tokens', 0):,}"] if by_tokens else []
        rows.append([name, *(f"{count:,}" for count in counts), f"{row['drawn'] / total:.1%}", *tokens])
    display.print_table(["source", *_COUNTS, "share", *(["tokens"] if by_tokens else [])], rows)
    for kind in ("languages", "tasks"):
        sums: dict[str, int] = {}
        for row in found["sources"].values():
            for name, count in row.get(kind, {}).items():
                sums[name] = sums.get(name, 0) + count
        if sums:
            said = ", ".join(f"{name} {count / total:.1%}" for name, count in sorted(sums.items()))
            click.echo(f"{kind}: {said}")


def _print_steps(what: str, steps: Mapping[str, Any]) -> None:
    if not steps:
        return
    click.echo(f"\n{what}:")
    for step, reasons in steps.items():
        for reason, found in reasons.items():
            click.echo(f"  {found['count']:>9,}  {step}{': ' + reason if reason else ''}")
            for example in found["examples"]:
                click.echo(f"             {display.excerpt(_example(example))}")


def _example(example: Mapping[str, Any]) -> str:
    if "before" in example:
        return f"{example['before']!r} -> {example['after']!r}"
    said = ", ".join(f"{key} {value}" for key, value in example.items() if key not in ("id", "text"))
    return f"{example['id']}  {said}  {example.get('text', '')}".rstrip()

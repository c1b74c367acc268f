"""preview: training rows token by token, what is learned of them and what is not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from instil import pipeline
from instil.cli import display
from instil.errors import RecipeError, RequestError, StageError
from instil.recipe import Recipe, load_recipe
from instil.stages.train import TRAIN, TrainConfig
from instil.store.manifest import read_manifest

_MEASURED = 2000


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--rows",
    default=3,
    show_default=True,
    metavar="N",
    type=click.IntRange(min=0),
    help="Show the first N rows.",
)
@click.option("--row", metavar="I", type=click.IntRange(min=1), help="Show only the row I, counted from 1.")
@click.option("--ids", is_flag=True, help="Show one token a line, with its id.")
@click.option(
    "--all", "measure_all", is_flag=True, help=f"Measure every row, not only the first {_MEASURED:,}."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def preview(
    recipe: Path,
    overrides: tuple[str, ...],
    rows: int,
    row: int | None,
    ids: bool,
    measure_all: bool,
    as_json: bool,
) -> None:
    """Show the rows that RECIPE would train on, as tokens; nothing is trained.

    Rows come from the finished stage before `train`. Learned tokens are highlighted, or stand in ⟦ ⟧ without
    colours. │ parts tokens, ⏎ is a line break, and a small number behind a character says how many tokens it
    has.
    """
    # Not above: they know of models, which no other command should wait for.
    from instil.cli.preview_text import as_json as preview_json
    from instil.cli.preview_text import lines
    from instil.stages.train.preview import look
    from instil.stages.train.rows import row_paths

    loaded = load_recipe(recipe, overrides)
    config = loaded.train
    if config is None:
        raise RecipeError(
            f"{recipe}: there is no `train`, which says by which tokenizer and template rows are rendered",
            hint="add `train:` with a base_model",
        )
    TRAIN.preflight(config)
    path, _ = row_paths(config, _inputs(recipe, loaded, config))
    measure = 0 if row is not None else None if measure_all else max(_MEASURED, rows)
    found = look(
        config,
        path,
        show=slice(0, rows) if row is None else slice(row - 1, row),
        measure=measure,
        progress=display.open_progress(quiet=as_json),
    )
    if row is not None and not found.rows:
        raise RequestError(
            f"there is no row {row:,}" + (f"; there are {found.total:,}" if found.total else "")
        )
    if as_json:
        display.print_json(preview_json(found, config, loaded.seed))
    else:
        coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        for line in lines(found, config, loaded.seed, ids=ids, coloured=coloured):
            click.echo(line)
    fatal = [finding for finding in found.findings if finding.fatal]
    if fatal:
        raise StageError("\n       ".join(finding.text for finding in fatal), hint=fatal[0].hint)


def _inputs(path: Path, recipe: Recipe, config: TrainConfig) -> dict[str, Path]:
    """Return the directories of the finished stages that training reads."""
    if config.examples:
        return {}
    run_dir = pipeline.run_dir_for(path, recipe)
    inputs = {name: run_dir.stage(name) for name in TRAIN.inputs(set(recipe.present))}
    for name, directory in inputs.items():
        if read_manifest(directory) is None:
            raise RequestError(
                f"there are no rows yet: {name} has not finished",
                hint=f"{display.command_name()} run {path} --until {name}",
            )
    return inputs

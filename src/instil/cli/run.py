"""check, plan and run."""

from __future__ import annotations

from pathlib import Path

import click

from instil import pipeline
from instil.cli import display
from instil.recipe import load_recipe
from instil.store.manifest import Manifest

_RECIPE = click.argument("recipe", type=click.Path(path_type=Path))
_OVERRIDES = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
_UNTIL = click.option("--until", metavar="STAGE", help="Stop after this stage.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.command()
@_RECIPE
@_OVERRIDES
@_JSON
def check(recipe: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Find every mistake of RECIPE, with its place and a way out; nothing starts."""
    loaded = load_recipe(recipe, overrides)
    if as_json:
        display.print_json({"name": loaded.name, "stages": loaded.present})
    else:
        click.echo(f"{recipe}: good; the run {loaded.name!r} has the stages {', '.join(loaded.present)}")


@click.command()
@_RECIPE
@_OVERRIDES
@_UNTIL
@_JSON
def plan(recipe: Path, overrides: tuple[str, ...], until: str | None, as_json: bool) -> None:
    """Show what RECIPE would run, and why; nothing starts."""
    loaded = load_recipe(recipe, overrides)
    steps = pipeline.plan(loaded, pipeline.run_dir_for(recipe, loaded), until=until)
    if as_json:
        display.print_json(
            [
                {
                    "stage": step.stage,
                    "action": step.action.value,
                    "reasons": step.reasons,
                    "calls": step.estimate.calls,
                    "output_tokens_at_most": step.estimate.output_tokens,
                    "cost_usd_at_most": step.estimate.cost_usd,
                    "assumptions": step.estimate.assumptions,
                }
                for step in steps
            ]
        )
    else:
        display.print_plan(steps)


@click.command()
@_RECIPE
@_OVERRIDES
@_UNTIL
@click.option("--rebuild", is_flag=True, help="Allow paid teacher calls that replace a finished result.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
@_JSON
def run(
    recipe: Path, overrides: tuple[str, ...], until: str | None, rebuild: bool, quiet: bool, as_json: bool
) -> None:
    """Run the stages of RECIPE that are not up to date.

    What was cut off goes on where it stopped; results lie in runs/NAME beside the recipe.
    """
    loaded = load_recipe(recipe, overrides)
    run_dir = pipeline.run_dir_for(recipe, loaded)

    def on_stage(step: pipeline.Step, manifest: Manifest) -> None:
        if not as_json:
            reused = (
                "  (reused)" if step.action is pipeline.Action.REUSE else f"  ({manifest.seconds:,.1f} s)"
            )
            click.echo(display.counts_line(step.stage, manifest) + reused)

    outcomes = pipeline.execute(
        loaded,
        run_dir,
        until=until,
        rebuild=rebuild,
        progress=display.open_progress(quiet=quiet),
        on_stage=on_stage,
    )
    if as_json:
        display.print_json(
            {
                "run": str(run_dir.root),
                "stages": [
                    {
                        "stage": outcome.step.stage,
                        "action": outcome.step.action.value,
                        "counts": outcome.manifest.counts.model_dump(),
                        "digest": outcome.manifest.digest,
                    }
                    for outcome in outcomes
                ],
            }
        )
        return
    click.echo(f"results in {_short(run_dir.root)}")
    if loaded.train and (until is None or until == "evaluate"):
        name, root = display.command_name(), _short(run_dir.root)
        click.echo(f"next: {name} show {root}   or   {name} chat {root}")


def _short(path: Path) -> Path:
    """Return a path relative to where the user is, if it lies below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path

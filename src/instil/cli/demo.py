"""demo: the whole road, offline, in minutes, ending in a chat."""

from __future__ import annotations

import time
from pathlib import Path

import click
import orjson

from instil import pipeline
from instil.cli import display
from instil.cli.chat import open_chat
from instil.cli.init import DEFAULT_SCENARIO, make_workspace
from instil.data.text import printable, with_error
from instil.recipe import load_recipe
from instil.stages.evaluate import SCORES_FILE, TRANSCRIPTS_FILE
from instil.store.manifest import Manifest

_SHOWN = 3


@click.command()
@click.option("--scenario", default=DEFAULT_SCENARIO, show_default=True, help="A packaged scenario.")
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Where; default instil-demo/SCENARIO."
)
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
def demo(scenario: str, directory: Path | None, quiet: bool) -> None:
    """Run a packaged scenario from seed tasks to a chat: no network, no GPU, no key.

    The same as `instil init`, `instil run`, `instil report` and `instil chat`; a second time
    everything is reused.
    """
    workspace = directory or Path("instil-demo") / scenario
    recipe_path = workspace / "recipe.yaml"
    if recipe_path.exists():
        click.echo(f"$ cd {workspace}   # made before")
    else:
        click.echo(f"$ instil init {workspace} --scenario {scenario}")
        make_workspace(workspace, scenario)
    click.echo(f"$ instil run {recipe_path}")
    started = time.monotonic()
    recipe = load_recipe(recipe_path)
    run_dir = pipeline.run_dir_for(recipe_path, recipe)
    run = recipe_path.parent / "runs" / recipe.name

    def on_stage(step: pipeline.Step, manifest: Manifest) -> None:
        took = "reused" if step.action is pipeline.Action.REUSE else f"{manifest.seconds:,.1f} s"
        click.echo(f"  {display.counts_line(step.stage, manifest)}  ({took})")
        for reason, count in manifest.counts.reasons.items():
            click.echo(f"  {'':<12}{count:>5,}  {printable(reason)}")

    pipeline.execute(recipe, run_dir, progress=display.open_progress(quiet=quiet), on_stage=on_stage)
    _scores(run)
    click.echo(f"$ instil report {run}")
    from instil.report import page

    click.echo(f"  {page.write(run)}")
    _transcript(run)
    click.echo(f"done in {time.monotonic() - started:,.0f} s; everything lies in {workspace}")
    name = display.command_name()
    click.echo("next:")
    click.echo(f"  {name} chat {run}    talk to it")
    click.echo(f"  {name} show {run}    counts, scores, where every file came from")
    click.echo(f"  edit {recipe_path}, then {name} run {recipe_path}: only what changed is done again")
    click.echo(f"  {name} init my-domain --scenario blank    start your own")


def _scores(run: Path) -> None:
    rows = orjson.loads((run / "evaluate" / SCORES_FILE).read_bytes())
    chosen = [row for row in rows if row["metric"] in ("bits per byte", "expected words")]
    click.echo("  held-out rows that the model never saw (bits per byte: less is better):")
    for row in chosen:
        value = with_error(row["value"], row["stderr"])
        click.echo(
            f"    {row['benchmark']:<18}{row['metric']:<16}{row['subject']:<9}{value}  ({row['n']} rows)"
        )


def _transcript(run: Path) -> None:
    """Ask the trained model a question of each task type, through the chat, beside what it said before."""
    rows = [orjson.loads(line) for line in (run / "evaluate" / TRANSCRIPTS_FILE).read_bytes().splitlines()]
    before = {row["question"]: row["answer"] for row in rows if row["subject"] == "base"}
    by_task = {row["task"]: row for row in reversed(rows) if row["subject"] == "tuned" and row["right"]}
    session = open_chat(str(run))
    click.echo(f"$ instil chat {run}")
    if session.engine.notice:
        click.echo(f"  {printable(session.engine.notice)}")
    click.echo("  (held-out questions that it gets right; the report shows all, the wrong answers too)")
    for row in list(by_task.values())[-_SHOWN:]:
        session.clear()
        click.echo(f"  > {_line(row['question'])}")
        click.echo(f"    before  {_line(before.get(row['question'], ''))[:40] or '(no readable text)'}…")
        click.echo(f"    after   {_line(''.join(session.ask(row['question'])))}")


def _line(text: str) -> str:
    """Return text on one line, safe for a terminal."""
    return printable(" ".join(text.split()))

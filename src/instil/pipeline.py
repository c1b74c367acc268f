"""What a recipe would run and why, and the running of it.

`plan` only reads manifests. `execute` asks the same question again before each stage, because what
came out of the stage before may be what was there already.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from instil import __version__
from instil.data.fingerprint import differences, fingerprint
from instil.data.progress import Progress, Silent
from instil.errors import RecipeError, RequestError, StageError
from instil.recipe import Recipe, dump_recipe
from instil.stages.base import Context, Estimate, Stage
from instil.stages.curate import CURATE
from instil.stages.evaluate import EVALUATE
from instil.stages.generate import GENERATE
from instil.stages.mix import MIX
from instil.stages.seeds import SEEDS
from instil.stages.train import TRAIN
from instil.store.atomic import atomic_write
from instil.store.manifest import Manifest, read_manifest, record_files, write_manifest
from instil.store.run_dir import RECIPE, RunDir

STAGES: tuple[Stage[Any], ...] = (SEEDS, GENERATE, CURATE, MIX, TRAIN, EVALUATE)


UNFINISHED = "unfinished"
"""Key in the details of a manifest: why the next run works on this stage again."""


class Action(Enum):
    """What becomes of a stage."""

    REUSE = "reuse"
    """It is up to date."""
    RUN = "run"
    """There is no result yet."""
    CONTINUE = "continue"
    """It was cut off; it goes on where it stopped."""
    REBUILD = "rebuild"
    """There is a result, of something else than what is asked for now."""
    DEPENDS = "depends"
    """A stage before it runs; if that gives what it gave before, this one is reused."""


@dataclass(frozen=True)
class Step:
    """One stage of a plan."""

    stage: str
    action: Action
    reasons: tuple[str, ...] = ()
    estimate: Estimate = field(default_factory=Estimate)


@dataclass(frozen=True)
class Outcome:
    """What became of a stage."""

    step: Step
    manifest: Manifest


def run_dir_for(recipe_path: Path, recipe: Recipe) -> RunDir:
    """Return `runs/NAME` beside the recipe; for the recipe that lies in a run, that run."""
    directory = recipe_path.resolve().parent
    if recipe_path.name == RECIPE and directory.parent.name == "runs" and directory.name == recipe.name:
        return RunDir(directory)
    return RunDir(directory / "runs" / recipe.name)


def plan(recipe: Recipe, run_dir: RunDir, *, until: str | None = None) -> tuple[Step, ...]:
    """Return what would run and why; reads manifests and input files, changes nothing.

    Raises:
        RecipeError: `until` is no stage of the recipe, or the seed tasks cannot be read.
        StoreError: a manifest is damaged.
    """
    steps = _steps(recipe, run_dir, until)
    stages = chosen_stages(recipe, until)
    found = []
    with TemporaryDirectory() as aside:
        made: dict[str, Path] = {}
        for stage, step in zip(stages, steps, strict=True):
            if step.action is Action.REUSE:
                found.append(step)
                continue
            # Where another input is still to be made, the estimate is of what can be known without it.
            context = _context(stage, recipe, run_dir, Silent(), made)
            found.append(replace(step, estimate=stage.estimate(getattr(recipe, stage.name), context)))
            if stage.quick:
                made[stage.name] = Path(aside, stage.name)
                made[stage.name].mkdir()
                stage.run(getattr(recipe, stage.name), replace(context, work=made[stage.name]))
    return tuple(found)


def _steps(recipe: Recipe, run_dir: RunDir, until: str | None) -> tuple[Step, ...]:
    """Return what would run and why, without estimates: those can take longer than a start may."""
    steps: list[Step] = []
    pending: set[str] = set()
    for stage in chosen_stages(recipe, until):
        inputs = stage.inputs(set(recipe.present))
        waits = [name for name in inputs if name in pending]
        if waits:
            action = Action.DEPENDS if read_manifest(run_dir.stage(stage.name)) else Action.RUN
            step = Step(stage.name, action, tuple(f"after {name}" for name in waits))
        else:
            step = _decide(stage, recipe, run_dir)
        if step.action is not Action.REUSE:
            pending.add(stage.name)
        steps.append(step)
    return tuple(steps)


def execute(
    recipe: Recipe,
    run_dir: RunDir,
    *,
    until: str | None = None,
    rebuild: bool = False,
    progress: Progress | None = None,
    on_stage: Callable[[Step, Manifest], None] = lambda _step, _manifest: None,
    clock: Callable[[], float] = time.time,
) -> tuple[Outcome, ...]:
    """Run what is not up to date, and return what became of every stage.

    Args:
        recipe: what to do.
        run_dir: where; locked while this runs.
        until: the last stage to run.
        rebuild: allow to pay for teacher calls that replace a finished result.
        progress: where the stages tell how far they are.
        on_stage: called when a stage is up to date, with its manifest.
        clock: seconds since 1970.

    Raises:
        RequestError: something is missing that a stage will need; nothing was started.
        InstilError: a stage failed; what was finished is kept.
    """
    progress = progress or Silent()
    stages = chosen_stages(recipe, until)
    with run_dir.lock():
        for step in _steps(recipe, run_dir, until):
            if step.action is not Action.REUSE:
                stage = next(stage for stage in stages if stage.name == step.stage)
                stage.preflight(getattr(recipe, step.stage))
                _ask_first(stage, step, recipe, run_dir, rebuild=rebuild)
        _write_recipe(recipe, run_dir)
        commit = _git_commit(run_dir.root)
        outcomes = []
        for stage in stages:
            step = _decide(stage, recipe, run_dir)
            if step.action is not Action.REUSE:
                _ask_first(stage, step, recipe, run_dir, rebuild=rebuild)
                progress.say(f"{stage.name}: {step.action.value}")
                _run(stage, recipe, run_dir, progress, clock, commit)
            manifest = read_manifest(run_dir.stage(stage.name))
            assert manifest is not None  # it was reused or has just been written
            on_stage(step, manifest)
            outcomes.append(Outcome(step, manifest))
    return tuple(outcomes)


@contextmanager
def aside(recipe: Recipe, run_dir: RunDir, name: str, progress: Progress) -> Iterator[Context]:
    """Lock a run and yield what a stage would be given, to look at what it would do.

    What is worked out in the stage's directory serves the next `execute` of the same recipe.

    Raises:
        RequestError: a stage before it has not finished.
    """
    (stage,) = (stage for stage in STAGES if stage.name == name)
    with run_dir.lock():
        for before in stage.inputs(set(recipe.present)):
            if read_manifest(run_dir.stage(before)) is None:
                raise RequestError(
                    f"{name} needs {before}, which has not finished",
                    hint=f"instil run RECIPE --until {before}",
                )
        stage.preflight(getattr(recipe, name))
        run_dir.begin(name, _identity(stage, recipe, run_dir))
        yield _context(stage, recipe, run_dir, progress)


def chosen_stages(recipe: Recipe, until: str | None) -> tuple[Stage[Any], ...]:
    """Return the stages of a recipe in order, up to and with `until`."""
    present = [stage for stage in STAGES if stage.name in recipe.present]
    if until is None:
        return tuple(present)
    names = [stage.name for stage in present]
    if until not in names:
        raise RecipeError(f"--until {until}: not a stage of this recipe; it has {', '.join(names)}")
    return tuple(present[: names.index(until) + 1])


def _identity(stage: Stage[Any], recipe: Recipe, run_dir: RunDir) -> dict[str, Any]:
    digests = {}
    for name in stage.inputs(set(recipe.present)):
        manifest = read_manifest(run_dir.stage(name))
        if manifest is None:
            raise StageError(f"{stage.name} needs {name}, which has not finished")
        digests[name] = manifest.digest
    return {
        "stage": stage.name,
        "version": stage.version,
        "seed": recipe.seed,
        "config": getattr(recipe, stage.name).identity(),
        "inputs": digests,
    }


def _decide(stage: Stage[Any], recipe: Recipe, run_dir: RunDir) -> Step:
    """Say what becomes of a stage whose inputs are there."""
    identity = _identity(stage, recipe, run_dir)
    manifest = read_manifest(run_dir.stage(stage.name))
    if manifest is not None and manifest.fingerprint == fingerprint(identity):
        if unfinished := manifest.details.get(UNFINISHED):
            return Step(stage.name, Action.CONTINUE, (f"{unfinished}; tried again",))
        return Step(stage.name, Action.REUSE)
    if run_dir.continues(stage.name, identity):
        return Step(stage.name, Action.CONTINUE, ("it was cut off",))
    if manifest is None:
        return Step(stage.name, Action.RUN)
    reasons = tuple(_in_words(line) for line in differences(dict(manifest.identity), identity))
    return Step(stage.name, Action.REBUILD, reasons)


def _in_words(difference: str) -> str:
    place, _, values = difference.partition(": ")
    if place.startswith("inputs."):
        return f"{place.removeprefix('inputs.')} gave another result"
    return f"{place}: {values}" if len(values) < 100 else f"{place}: the content changed"


def _estimate(stage: Stage[Any], recipe: Recipe, run_dir: RunDir) -> Estimate:
    return stage.estimate(getattr(recipe, stage.name), _context(stage, recipe, run_dir, Silent()))


def _context(
    stage: Stage[Any],
    recipe: Recipe,
    run_dir: RunDir,
    progress: Progress,
    made: Mapping[str, Path] | None = None,
) -> Context:
    """Return what a stage is given; `made` has inputs that lie elsewhere."""
    names = stage.inputs(set(recipe.present))
    inputs = {name: run_dir.stage(name) for name in names}
    inputs |= {name: path for name, path in (made or {}).items() if name in names}
    return Context(
        seed=recipe.seed,
        work=run_dir.work(stage.name),
        inputs=inputs,
        shared=run_dir.root,
        progress=progress,
    )


def _ask_first(stage: Stage[Any], step: Step, recipe: Recipe, run_dir: RunDir, *, rebuild: bool) -> None:
    """Refuse to pay again for what a finished result holds, unless it is allowed."""
    if step.action is not Action.REBUILD or rebuild:
        return
    estimate = _estimate(stage, recipe, run_dir)
    if estimate.calls and estimate.paid:
        raise RequestError(
            f"{stage.name} has a finished result and would ask the teacher again: {estimate} "
            f"({'; '.join(step.reasons)})",
            hint="pass --rebuild to allow it, or give the run another name: name=OTHER",
        )


def _run(
    stage: Stage[Any],
    recipe: Recipe,
    run_dir: RunDir,
    progress: Progress,
    clock: Callable[[], float],
    commit: str | None,
) -> None:
    identity = _identity(stage, recipe, run_dir)
    work = run_dir.begin(stage.name, identity)
    started = clock()
    result = stage.run(getattr(recipe, stage.name), _context(stage, recipe, run_dir, progress))
    if not result.counts.adds_up:
        raise AssertionError(f"{stage.name} lost rows: {result.counts}")
    finished = clock()
    manifest = Manifest(
        stage=stage.name,
        identity=identity,
        files=record_files(work),
        counts=result.counts,
        details={**result.details, **({UNFINISHED: result.unfinished} if result.unfinished else {})},
        seconds=round(finished - started, 3),
        finished_at=datetime.fromtimestamp(finished, UTC).isoformat(timespec="seconds"),
        instil_version=__version__,
        commit=commit,
    )
    write_manifest(work, manifest)
    run_dir.finish(stage.name)


def _write_recipe(recipe: Recipe, run_dir: RunDir) -> None:
    with atomic_write(run_dir.root / RECIPE) as file:
        file.write(dump_recipe(recipe, run_dir.root).encode())


def _git_commit(directory: Path) -> str | None:
    """Return the commit of the workspace, or None where there is no git or no repository."""
    git = shutil.which("git")
    if git is None:
        return None
    found = subprocess.run(  # noqa: S603 (a fixed command)
        [git, "-C", str(directory), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or None if found.returncode == 0 else None

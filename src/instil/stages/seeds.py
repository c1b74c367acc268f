"""Read and check the seed tasks that a human wrote."""

from __future__ import annotations

from pathlib import Path

import orjson
from pydantic import ValidationError

from instil.config.base import Config, InputFile
from instil.data.examples import Counts, SeedTask
from instil.data.jsonl import write_jsonl
from instil.data.text import read_text
from instil.errors import RecipeError
from instil.stages.base import SEEDS_FILE, Context, Result, Stage


class SeedsConfig(Config):
    """The seed tasks of a run."""

    path: InputFile
    """JSON Lines of `{"id", "name", "instruction", "instances": [{"input", "output"}]}`; tasks of one
    type share their `name`."""


def read_seed_tasks(path: Path) -> tuple[SeedTask, ...]:
    """Return the seed tasks of a file, in order, with their white space and language untouched.

    Raises:
        RecipeError: naming every line that is not a seed task, an id that stands twice, an empty file.
    """
    tasks: list[SeedTask] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    text = read_text(path)
    # Not splitlines(): a seed may hold U+2028 or a form feed, which JSON does not escape.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            task = SeedTask.model_validate(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            problems.append(f"{path}:{number}: not JSON: {error}")
            continue
        except ValidationError as error:
            problems += [f"{path}:{number}: {_described(details)}" for details in error.errors()]
            continue
        if task.id in lines:
            problems.append(
                f"{path}:{number}: the id {task.id!r} stands twice; the first is at line {lines[task.id]}"
            )
        lines.setdefault(task.id, number)
        tasks.append(task)
    if problems:
        raise RecipeError(problems, hint="every line of a seed file is one task, for example " + _EXAMPLE)
    if not tasks:
        raise RecipeError(
            f"{path}: the seed file is empty", hint="write at least one task, for example " + _EXAMPLE
        )
    return tuple(tasks)


_EXAMPLE = '{"id": "1", "name": "triage", "instruction": "…", "instances": [{"input": "", "output": "…"}]}'


def _described(details: object) -> str:
    assert isinstance(details, dict)
    place = ".".join(map(str, details["loc"]))
    return f"{place}: {str(details['msg']).removeprefix('Value error, ')}" if place else str(details["msg"])


def _run(config: SeedsConfig, context: Context) -> Result:
    tasks = read_seed_tasks(config.path)
    write_jsonl(context.work / SEEDS_FILE, (task.model_dump(mode="json") for task in tasks))
    by_name: dict[str, int] = {}
    for task in tasks:
        by_name[task.name] = by_name.get(task.name, 0) + 1
    return Result(Counts(asked=len(tasks), kept=len(tasks)), {"tasks": by_name})


def _preflight(config: SeedsConfig) -> None:
    read_seed_tasks(config.path)


SEEDS = Stage[SeedsConfig](name="seeds", version=1, reads=(), run=_run, preflight=_preflight, quick=True)

"""Examples to kept and rejected, each rejection with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

from pydantic import ValidationError

from instil.config.base import Config, InputFile, Items
from instil.corpora.base import Failure
from instil.corpora.records import read_records
from instil.data.examples import Counts, Example, Origin, SeedTask
from instil.data.jsonl import JsonlWriter, read_jsonl
from instil.data.messages import Message
from instil.errors import StageError
from instil.filters import FilterConfig
from instil.filters.base import Filter
from instil.stages.base import (
    EXAMPLES_FILE,
    KEPT_FILE,
    REJECTED_FILE,
    SEEDS_FILE,
    Context,
    Result,
    Stage,
)


class CurateConfig(Config):
    """Filters over generated examples, in order; the first no decides."""

    filters: Annotated[tuple[FilterConfig, ...], Items] = ()
    """Tests that an example must pass."""
    examples: InputFile | None = None
    """Examples to filter, where the recipe does not generate any."""


def _run(config: CurateConfig, context: Context) -> Result:
    filters: list[Filter] = [each.build() for each in config.filters]
    for seed in _seeds(context):
        # Self-Instruct compares with the human's tasks too.
        for each in filters:
            each.accept(seed)
    reasons: Counter[str] = Counter()
    kept = 0
    for name in (KEPT_FILE, REJECTED_FILE):
        (context.work / name).unlink(missing_ok=True)
    with (
        JsonlWriter(context.work / KEPT_FILE) as keep,
        JsonlWriter(context.work / REJECTED_FILE) as reject,
        context.progress.task("curating", total=None, unit="examples") as task,
    ):
        for example in _examples(config, context):
            rejection = next((no for each in filters if (no := each.check(example))), None)
            if rejection:
                reject.append(rejection.row())
                reasons[f"{rejection.filter}: {rejection.reason}"] += 1
            else:
                _accept(filters, example)
                keep.append(example.row())
                kept += 1
            task.advance()
        keep.sync()
        reject.sync()
    rejected = reasons.total()
    return Result(
        Counts(asked=kept + rejected, kept=kept, rejected=rejected, reasons=dict(sorted(reasons.items())))
    )


def _examples(config: CurateConfig, context: Context) -> Iterator[Example]:
    """Yield what this run generated, or the rows of a file of the user's.

    Raises:
        StageError: a row of the user's file is not an example.
    """
    if config.examples is None:
        for _, row in read_jsonl(context.inputs["generate"] / EXAMPLES_FILE):
            yield Example.model_validate(row)
        return
    hint = "every row has `messages` and `origin`, as in the examples.jsonl of a run"
    for each in read_records(config.examples):
        if isinstance(each, Failure):
            raise StageError(f"{each.place}: {each.reason}", hint=hint)
        place, record = each
        try:
            yield Example.model_validate(record)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise StageError(f"{place}: not an example: {where}: {first['msg']}", hint=hint) from error


def _accept(filters: list[Filter], example: Example) -> None:
    for each in filters:
        each.accept(example)


def _seeds(context: Context) -> list[Example]:
    if "seeds" not in context.inputs:
        return []
    found = []
    for _, row in read_jsonl(context.inputs["seeds"] / SEEDS_FILE):
        task = SeedTask.model_validate(row)
        messages = (Message(role="user", content=task.instruction), Message(role="assistant", content=""))
        found.append(Example(messages=messages, origin=Origin(kind="seed", name=task.id)))
    return found


CURATE = Stage[CurateConfig](name="curate", version=1, reads=(("generate",), ("seeds",)), run=_run)

"""Examples to kept and rejected, each rejection with its reason.

The rows pass the filters one by one and are never held together. A filter that needs a teacher's
answers (`judged`) makes this a series of passes: each collects what is still to be asked, counting an
example that waits for its judge as kept; then all of it is asked at once, and the rows are read again.
The last pass, in which every answer is known, is the result. So it depends on the answers and not on
when they came, and only examples that the filters before the judge let pass are ever judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Annotated

from pydantic import ValidationError

from instil.config.base import Config, InputFile, Items
from instil.corpora.base import Failure
from instil.corpora.containers import read_records
from instil.data.examples import Counts, Example, Rejection, SeedTask
from instil.data.jsonl import JsonlWriter, read_jsonl
from instil.errors import StageError
from instil.filters import FilterConfig
from instil.filters.base import seed_examples
from instil.filters.chain import Chain, Unjudged
from instil.filters.judged import JudgedConfig
from instil.filters.judging import Judge, judges_of
from instil.stages.base import (
    EXAMPLES_FILE,
    FAILURES_FILE,
    KEPT_FILE,
    REJECTED_FILE,
    SEEDS_ANSWERED,
    SEEDS_FILE,
    Context,
    Estimate,
    Result,
    Stage,
)
from instil.store.manifest import read_manifest
from instil.teachers.forecast import HOW_COUNTED, Forecast
from instil.teachers.prices import price_of


class CurateConfig(Config):
    """Filters over generated examples, in order; the first no decides."""

    filters: Annotated[tuple[FilterConfig, ...], Items] = ()
    """Tests that an example must pass."""
    examples: InputFile | None = None
    """Examples to filter, where the recipe does not generate any."""


def _run(config: CurateConfig, context: Context) -> Result:
    judges = judges_of(config.filters, context.shared, context.seed)
    while True:
        chain = _read_all(config, context, judges)
        waiting = [judge for judge in judges.values() if judge.needed]
        if not waiting:
            return _result(chain)
        for judge in waiting:
            with context.progress.task("asking the judge", total=len(judge.needed), unit="calls") as task:
                asyncio.run(judge.ask(_examples(config, context), task.advance))


def _read_all(config: CurateConfig, context: Context, judges: Mapping[int, Judge]) -> Chain:
    """Write the files of the stage, and return the filters with their counts."""
    with ExitStack() as stack:
        chain = stack.enter_context(_chain(config, context, judges))
        keep, reject, fail = (
            stack.enter_context(_new_file(context, name))
            for name in (KEPT_FILE, REJECTED_FILE, FAILURES_FILE)
        )
        files = {Example: keep, Rejection: reject, Unjudged: fail}
        task = stack.enter_context(context.progress.task("curating", total=None, unit="examples"))
        for example in _examples(config, context):
            outcome = chain.decide(example)
            files[type(outcome)].append(outcome.row())
            task.advance()
        for writer in files.values():
            writer.sync()
    return chain


@contextmanager
def _chain(config: CurateConfig, context: Context, judges: Mapping[int, Judge]) -> Iterator[Chain]:
    """Open the filters; they have accepted the human's tasks, with which Self-Instruct compares too."""
    with Chain(config.filters, judges) as chain:
        for seed in seed_examples(_seeds(context)):
            chain.accept(seed)
        yield chain


def _result(chain: Chain) -> Result:
    failed, rejected = chain.failed.total(), chain.rejected.total()
    counts = Counts(
        asked=chain.kept + rejected + failed,
        kept=chain.kept,
        rejected=rejected,
        failed=failed,
        reasons=dict(sorted((chain.rejected + chain.failed).items())),
    )
    again = chain.passing_failures
    unfinished = f"{again:,} call{'s' * (again > 1)} to the judge failed for a passing reason"
    return Result(counts, {"filters": chain.table()}, unfinished=unfinished if again else None)


def _new_file(context: Context, name: str) -> JsonlWriter:
    (context.work / name).unlink(missing_ok=True)
    return JsonlWriter(context.work / name)


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
            raise StageError(f"{each.where}: {each.reason}", hint=hint)
        try:
            yield Example.model_validate(each.value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise StageError(f"{each.place}: not an example: {where}: {first['msg']}", hint=hint) from error


def _seeds(context: Context) -> Iterator[SeedTask]:
    generated = read_manifest(context.inputs["generate"]) if "generate" in context.inputs else None
    if generated and generated.details.get(SEEDS_ANSWERED):
        return  # nothing would be new beside them
    if "seeds" in context.inputs:
        for _, row in read_jsonl(context.inputs["seeds"] / SEEDS_FILE):
            yield SeedTask.model_validate(row)


def _preflight(config: CurateConfig) -> None:
    for each in config.filters:
        # Finds a missing package and a list that cannot be used before anything is generated.
        each.build()
        if isinstance(each, JudgedConfig):
            each.teacher.preflight()


def _estimate(config: CurateConfig, context: Context) -> Estimate:
    """Return what the judges would be asked first: what passes the other filters and has no answer yet."""
    judges = judges_of(config.filters, context.shared, context.seed)
    if not judges:
        return Estimate()
    with _chain(config, context, judges) as chain:
        for example in _examples(config, context):
            chain.decide(example)
    found = [_asking(judge, config, context) for judge in judges.values() if judge.needed]
    costs = [each.cost_usd for each in found if each.cost_usd is not None]
    return Estimate(
        calls=sum(each.calls for each in found),
        paid=any(each.paid for each in found),
        input_tokens=sum(each.input_tokens for each in found),
        output_tokens=sum(each.output_tokens for each in found),
        cost_usd=sum(costs) if found and len(costs) == len(found) else None,
        assumptions=tuple(dict.fromkeys(line for each in found for line in each.assumptions)),
    )


def _asking(judge: Judge, config: CurateConfig, context: Context) -> Estimate:
    found = price_of(judge.teacher)
    forecast = Forecast()
    for request in judge.requests(_examples(config, context)):
        forecast.add(request)
    return Estimate(
        calls=len(judge.needed),
        paid=judge.teacher.paid,
        input_tokens=forecast.input_tokens(),
        output_tokens=forecast.output_tokens(),
        cost_usd=forecast.cost_usd(found),
        assumptions=(
            "a row that the judge rejects can make room for a similar one, which is judged then",
            HOW_COUNTED,
            f"price: {found.source}" if found else "no price is known for the judge; give `teacher.price`",
        ),
    )


CURATE = Stage[CurateConfig](
    name="curate",
    version=1,
    reads=(("generate",), ("seeds",)),
    run=_run,
    preflight=_preflight,
    estimate=_estimate,
)

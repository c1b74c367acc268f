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
from contextlib import ExitStack
from typing import Annotated

from pydantic import ValidationError

from instil.config.base import Config, InputFile, Items
from instil.corpora.base import Failure
from instil.corpora.records import read_records
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
    SEEDS_FILE,
    Context,
    Estimate,
    Result,
    Stage,
)
from instil.teachers import teacher_identity
from instil.teachers.base import Usage
from instil.teachers.budgeted import worst_case
from instil.teachers.journaling import JOURNAL, journal_key, journaled_keys
from instil.teachers.prices import price_of

_BYTES_PER_TOKEN = 3  # a rough mean over English (4) and Chinese (2 to 3)


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
        chain = stack.enter_context(Chain(config.filters, judges))
        for seed in seed_examples(_seeds(context)):
            # Self-Instruct compares with the human's tasks too.
            chain.accept(seed)
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
            raise StageError(f"{each.place}: {each.reason}", hint=hint)
        place, record = each
        try:
            yield Example.model_validate(record)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise StageError(f"{place}: not an example: {where}: {first['msg']}", hint=hint) from error


def _seeds(context: Context) -> Iterator[SeedTask]:
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
    """Return what judging every row that the journal does not know would take."""
    judged = [each for each in config.filters if isinstance(each, JudgedConfig)]
    found = [each for each in (_judging(each, config, context) for each in judged) if each.calls]
    costs = [each.cost_usd for each in found if each.cost_usd is not None]
    return Estimate(
        calls=sum(each.calls for each in found),
        paid=any(each.paid for each in found),
        input_tokens=sum(each.input_tokens for each in found),
        output_tokens=sum(each.output_tokens for each in found),
        cost_usd=sum(costs) if found and len(costs) == len(found) else None,
        assumptions=tuple(dict.fromkeys(line for each in found for line in each.assumptions)),
    )


def _judging(judged: JudgedConfig, config: CurateConfig, context: Context) -> Estimate:
    known, identity = journaled_keys(context.shared / JOURNAL), teacher_identity(judged.teacher)
    judge, found = judged.build(), price_of(judged.teacher)
    asked, worst, calls = 0, Usage(), 0
    for example in _examples(config, context):
        request = judge.request(example)
        key = journal_key(identity, request)
        if key not in known:
            known.add(key)
            calls += 1
            asked += sum(len(message.content.encode()) for message in request.messages)
            worst += worst_case(request)
    return Estimate(
        calls=calls,
        paid=judged.teacher.paid,
        input_tokens=asked // _BYTES_PER_TOKEN,
        output_tokens=worst.output_tokens,
        cost_usd=found.price.of(worst) if found else None,
        assumptions=(
            "every row is judged; those that earlier filters reject will not be",
            f"input counted as {_BYTES_PER_TOKEN} bytes a token, output as the most that max_tokens allows",
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

"""Seed tasks, entities and a prompt template, through a teacher, to examples.

First every call that the journal does not know is asked; then the examples are read out of the
journal in the order of the calls. So the result depends on the answers and not on when they came,
and everything after a paid answer can be done again for free.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from pydantic import Field, model_validator

from instil.config.base import Config, InputFile
from instil.data.examples import Counts, Example, Origin, Rejection, SeedTask
from instil.data.jsonl import read_jsonl, write_jsonl
from instil.data.messages import Message, ask
from instil.data.random import stream
from instil.errors import RecipeError, StageError
from instil.stages.base import (
    EXAMPLES_FILE,
    FAILURES_FILE,
    REJECTED_FILE,
    SEEDS_FILE,
    Context,
    Estimate,
    Result,
    Stage,
)
from instil.stages.generate.calls import Call, plan_calls
from instil.stages.generate.collect import collect
from instil.stages.generate.entities import Entity, read_entities
from instil.stages.generate.parse import Item, Malformed, parse_items
from instil.stages.generate.prompts import PromptTemplate
from instil.teachers import TeacherConfig, open_teacher, teacher_identity
from instil.teachers.base import Completion, Request
from instil.teachers.budgeted import Ledger, worst_case
from instil.teachers.journaling import Journal, journal_key, journaled_keys

JOURNAL = "journal.jsonl"
_BYTES_PER_TOKEN = 3  # a rough mean over English (4) and Chinese (2 to 3) for estimates


class GenerateConfig(Config):
    """Instruction data written by a teacher (Self-Instruct, arXiv 2212.10560)."""

    num_examples: int = Field(gt=0)
    """Examples to ask for; calls = num_examples / items_per_call, rounded up."""
    items_per_call: int = Field(default=3, gt=0)
    """Examples that the prompt asks for in one call."""
    prompt: InputFile
    """The template: text with <sample_list>, <NAME_list> and <item_count>, or Jinja in a *.j2 file."""
    seeds_per_prompt: int = Field(default=2, gt=0)
    """Seed tasks shown in one call, of one task type as far as there are enough."""
    entities: dict[str, InputFile] = Field(default_factory=dict)
    """Entity lists by name: lines, a JSON list, or a JSON object of groups."""
    entities_per_prompt: int = Field(default=3, gt=0)
    """Entities of each list in one call."""
    system: str | None = None
    """A system prompt for the teacher."""
    teacher: TeacherConfig
    """Who writes."""

    @model_validator(mode="after")
    def _template_fits(self) -> GenerateConfig:
        try:
            for path in self.entities.values():
                read_entities(path)
            PromptTemplate(self.prompt, self.entities)
        except RecipeError as error:
            # Reported with every other mistake of the recipe, under the place of `generate`.
            raise ValueError("\n       ".join(error.problems)) from error
        return self


def build_requests(
    config: GenerateConfig, seeds: tuple[SeedTask, ...], context: Context
) -> Iterator[tuple[Call, Request]]:
    """Yield the calls of a run and their requests, all of different content."""
    template = PromptTemplate(config.prompt, config.entities)
    if seeds and not template.shows_seeds:
        context.progress.say(f"note: {config.prompt.name} has no <sample_list>; the seed tasks are not shown")
    calls = plan_calls(
        seeds,
        _entities(config),
        seeds_per_prompt=config.seeds_per_prompt,
        entities_per_prompt=config.entities_per_prompt,
        random_for=lambda *purpose: stream(context.seed, "generate", *purpose),
    )
    drawn: Counter[str] = Counter()
    for call in islice(calls, -(-config.num_examples // config.items_per_call)):
        prompt = template.render(call, item_count=config.items_per_call)
        messages = ask(prompt, system=config.system)
        yield call, Request(messages=messages, sampling=config.teacher.sampling, draw=drawn[prompt])
        drawn[prompt] += 1


def _entities(config: GenerateConfig) -> Mapping[str, tuple[Entity, ...]]:
    return {name: read_entities(path) for name, path in config.entities.items()}


def _seeds(context: Context) -> tuple[SeedTask, ...]:
    if "seeds" not in context.inputs:
        return ()
    rows = read_jsonl(context.inputs["seeds"] / SEEDS_FILE)
    return tuple(SeedTask.model_validate(row) for _, row in rows)


@dataclass
class _Sorted:
    """Where the items of all answers went."""

    examples: list[Example] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    asked: int = 0


def _run(config: GenerateConfig, context: Context) -> Result:
    planned = tuple(build_requests(config, _seeds(context), context))
    ledger = Ledger(config.teacher.price, config.teacher.budget)
    with Journal(context.shared / JOURNAL, teacher_identity(config.teacher)) as journal:
        missing = tuple(request for _, request in planned if request not in journal)
        failures = asyncio.run(_ask(config, missing, journal, ledger, context))
        if len(failures) == len(planned):
            raise StageError(
                f"the teacher answered none of {len(planned)} calls; the last: {list(failures.values())[-1]}",
                hint="when the cause is removed, run the same command again",
            )
        found = _Sorted()
        for call, request in planned:
            answer = journal.get(request)
            if answer is None:
                found.asked += config.items_per_call
                found.failures.append({"request": request.key, "reason": failures[request.key]})
            else:
                _sort(found, config, call, request, answer)
    write_jsonl(context.work / EXAMPLES_FILE, (example.row() for example in found.examples))
    write_jsonl(context.work / REJECTED_FILE, (rejection.row() for rejection in found.rejections))
    write_jsonl(context.work / FAILURES_FILE, found.failures)
    return _result(config, found, len(planned))


async def _ask(
    config: GenerateConfig, requests: tuple[Request, ...], journal: Journal, ledger: Ledger, context: Context
) -> dict[str, str]:
    if not requests:
        return {}
    jitter = stream(context.seed, "retry")
    with context.progress.task("asking the teacher", total=len(requests), unit="calls") as task:

        def on_answer(_completion: Completion) -> None:
            cost = "" if ledger.cost_usd is None else f", ${ledger.cost_usd:,.2f} so far"
            task.advance(1, f"{ledger.spent.output_tokens:,} tokens{cost}")

        async with open_teacher(config.teacher, context.shared, journal, ledger, jitter) as teacher:
            return await collect(
                requests, teacher, max_concurrency=config.teacher.max_concurrency, on_answer=on_answer
            )


def _sort(found: _Sorted, config: GenerateConfig, call: Call, request: Request, answer: Completion) -> None:
    """Put every item of an answer where it belongs, and every item that was asked for and is not there."""
    origin = Origin(
        kind="teacher",
        name=answer.model or config.teacher.kind,
        parents=tuple(seed.id for seed in call.seeds),
        entities=tuple(entity.name for items in call.entities.values() for entity in items),
        request=request.key,
    )
    items = list(parse_items(answer.text, cut_off=answer.finish_reason == "length"))
    if answer.finish_reason == "content_filter":
        # Whole items before the stop are kept; what is missing has this reason and no other.
        blocked = "stopped by the server's content filter"
        items = [Malformed(blocked, item.text) if isinstance(item, Malformed) else item for item in items]
    for item in items:
        if isinstance(item, Malformed):
            found.rejections.append(
                Rejection(filter="parse", reason=item.reason, text=item.text, request=request.key)
            )
        else:
            found.examples.append(Example(messages=_messages(item), origin=origin))
    short = max(0, config.items_per_call - len(items))
    found.rejections += [
        Rejection(filter="parse", reason="asked for and not in the answer", request=request.key)
    ] * short
    found.asked += len(items) + short


def _messages(item: Item) -> tuple[Message, ...]:
    return (Message(role="user", content=item.question), Message(role="assistant", content=item.output))


def _result(config: GenerateConfig, found: _Sorted, calls: int) -> Result:
    reasons = Counter(f"{rejection.filter}: {rejection.reason}" for rejection in found.rejections)
    failed = len(found.failures) * config.items_per_call
    if failed:
        reasons["call failed"] = failed
    counts = Counts(
        asked=found.asked,
        kept=len(found.examples),
        rejected=len(found.rejections),
        failed=failed,
        reasons=dict(sorted(reasons.items())),
    )
    return Result(counts, {"calls": calls, "unit": "items: those asked for, and any that the teacher added"})


def _estimate(config: GenerateConfig, context: Context) -> Estimate:
    known = journaled_keys(context.shared / JOURNAL)
    identity = teacher_identity(config.teacher)
    seeds = _seeds(context)
    new = [r for _, r in build_requests(config, seeds, context) if journal_key(identity, r) not in known]
    asked = sum(len(message.content.encode()) for request in new for message in request.messages)
    worst = [worst_case(request, config.teacher.max_tokens) for request in new]
    price = config.teacher.price
    return Estimate(
        calls=len(new),
        paid=config.teacher.paid,
        input_tokens=asked // _BYTES_PER_TOKEN,
        output_tokens=sum(usage.output_tokens for usage in worst),
        cost_usd=sum(price.of(usage) for usage in worst) if price else None,
    )


def _preflight(config: GenerateConfig) -> None:
    config.teacher.preflight()


GENERATE = Stage[GenerateConfig](
    name="generate",
    version=1,
    reads=(("seeds",),),
    run=_run,
    preflight=_preflight,
    estimate=_estimate,
)

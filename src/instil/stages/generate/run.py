"""Make the calls of a run, and turn their answers into rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

from instil.data.examples import SeedTask
from instil.data.jsonl import read_jsonl, write_jsonl
from instil.data.progress import Task
from instil.data.random import stream
from instil.errors import StageError, TeacherError
from instil.filters.base import seed_examples
from instil.filters.chain import Chain
from instil.stages.base import COVERAGE_FILE, SEEDS_ANSWERED, SEEDS_FILE, Context, Result
from instil.stages.generate.calls import Call, Plan
from instil.stages.generate.config import GenerateConfig
from instil.stages.generate.coverage import Coverage
from instil.stages.generate.entities import read_entities
from instil.stages.generate.modes import Mode, Setting
from instil.stages.generate.sort import Sorter
from instil.teachers import open_teacher, teacher_identity
from instil.teachers.base import Completion, Request, Teacher
from instil.teachers.budgeted import Ledger
from instil.teachers.collect import InOrder, collect
from instil.teachers.journaling import JOURNAL, Journal
from instil.teachers.offsets import Offsets
from instil.teachers.prices import price_of
from instil.teachers.telling import telling
from instil.teachers.traffic import Traffic

_MOST_IN_MEMORY = 1024
_64_BITS = (1 << 64) - 1
_IN_VAIN = 10  # so many calls in a row of which nothing is kept, and no further ones are made


@dataclass
class Generation:
    """A mode with what it works with, and the requests that its calls become."""

    config: GenerateConfig
    mode: Mode
    coverage: Coverage
    numbers_calls: bool = False
    _number: int = 0
    _drawn: Offsets = field(default_factory=Offsets)

    def requests(self, calls: Iterable[Call]) -> Iterator[tuple[Call, Request]]:
        """Yield calls with their requests, all of different content."""
        teacher = self.config.teacher
        for call in calls:
            if self.numbers_calls:
                self._number += 1
                call = replace(call, number=self._number)
            messages = self.mode.messages(call)
            # Its hash stands for the content: the prompts of a hundred thousand calls need not stay.
            content = hash(tuple(message.content for message in messages)) & _64_BITS
            draw = self._drawn.get(content) or 0
            self._drawn[content] = draw + 1
            form = self.mode.schema(call)
            yield (
                call,
                Request(
                    messages=messages,
                    sampling=teacher.sampling,
                    response_schema=teacher.schema_for(form) if form else None,
                    draw=draw,
                ),
            )


def open_generation(config: GenerateConfig, context: Context, seeds: tuple[SeedTask, ...]) -> Generation:
    """Return the mode of a recipe, ready to make calls.

    Raises:
        StageError: the mode needs seed tasks and there are none, or cannot read what it works on.
    """
    if config.mode.needs_seeds and not seeds:
        raise StageError(
            f"generate.mode {config.mode.kind!r} needs seed tasks, and the recipe has none",
            hint="add `seeds:` with a `path`",
        )
    plan = Plan(
        seeds=seeds,
        entities={name: read_entities(path) for name, path in config.entities.items()},
        seeds_per_prompt=config.mode.seeds_in_call or config.seeds_per_prompt,
        entities_per_prompt=config.entities_per_prompt,
        random_for=lambda *purpose: stream(context.seed, "generate", *purpose),
        attributes=config.weights,
        task_weights=config.task_weights,
        items=config.items_per_call,
    )
    if unknown := sorted(set(config.task_weights) - {seed.name for seed in seeds}):
        raise StageError(f"generate.task_weights: no seed task is of type {', '.join(map(repr, unknown))}")
    coverage = Coverage(plan)
    template = config.template()
    setting = Setting(
        plan=plan,
        coverage=coverage,
        prompt=template,
        system=config.system,
        answers=config.answers,
        num_examples=config.num_examples,
        wave_calls=config.wave_calls,
        evenly=config.coverage == "even",
    )
    numbers = template is not None and template.numbers_calls
    return Generation(config, config.mode.open(setting), coverage, numbers)


def build_requests(
    config: GenerateConfig, seeds: tuple[SeedTask, ...], context: Context
) -> Iterator[tuple[Call, Request]]:
    """Yield the calls of the first wave and their requests: all calls, where nothing is steered."""
    generation = open_generation(config, context, seeds)
    for wave in generation.mode.waves():
        yield from generation.requests(wave)
        return


def read_seeds(context: Context) -> tuple[SeedTask, ...]:
    """Return the seed tasks of the run, or none where it has no seeds."""
    if "seeds" not in context.inputs:
        return ()
    rows = read_jsonl(context.inputs["seeds"] / SEEDS_FILE)
    return tuple(SeedTask.model_validate(row) for _, row in rows)


def run(config: GenerateConfig, context: Context) -> Result:
    """Generate examples into the working directory of the stage.

    Raises:
        StageError: the teacher answers nothing.
        TeacherRefused: no call can succeed, or the budget is spent; answers so far are in the journal.
    """
    seeds = read_seeds(context)
    template = config.template()
    if seeds and template is not None and not template.shows_seeds and config.mode.kind == "seed":
        context.progress.say(f"note: {template.path.name} has no place for seed tasks; they are not shown")
    generation = open_generation(config, context, seeds)
    with (
        Journal(context.shared / JOURNAL, teacher_identity(config.teacher)) as journal,
        open_sorter(generation, seeds, context) as sorter,
    ):
        asker = _Asker(generation, journal, sorter, context)
        asyncio.run(asker.ask_all())
        if not sorter.calls:
            raise StageError("generate: there is nothing to ask", hint="is there a question in any row?")
        if sorter.failed_calls == sorter.calls:
            raise StageError(
                f"the teacher answered none of {sorter.calls} calls; the last: {asker.last_failure}",
                hint=(asker.last_failure and asker.last_failure.hint)
                or "when the cause is removed, run the same command again",
            )
        sorter.sync()
    write_jsonl(context.work / COVERAGE_FILE, generation.coverage.rows())
    details: dict[str, Any] = {
        "calls": sorter.calls,
        "unit": "items: those asked for, and any that the teacher added",
        **generation.mode.details,
    }
    if config.filters:
        details["filters"] = sorter.filters
    if config.mode.seeds_are_instructions:
        details[SEEDS_ANSWERED] = True
    if sorter.reasoned:
        details["answers with reasoning"] = sorter.reasoned
    if asker.traffic.attempts:
        details["traffic"] = {name: value for name, value in asdict(asker.traffic).items() if value}
    again = sorter.passing_failures
    unfinished = f"{again:,} call{'s' * (again > 1)} failed for a passing reason" if again else None
    return Result(sorter.counts, details, unfinished=unfinished)


@contextmanager
def open_sorter(generation: Generation, seeds: tuple[SeedTask, ...], context: Context) -> Iterator[Sorter]:
    """Open what reads the answers of a run; it writes into the working directory of the stage."""
    config = generation.config
    with (
        Chain(config.filters, {}) as chain,
        Sorter(generation.mode, generation.coverage, chain, context, config.teacher.kind) as sorter,
    ):
        # Self-Instruct compares with the human's tasks too.
        for seed in () if config.mode.seeds_are_instructions else seed_examples(seeds):
            chain.accept(seed)
        yield sorter


def waves(
    generation: Generation, sorter: Sorter, say: Callable[[str], None] = lambda _line: None
) -> Iterator[Iterable[Call]]:
    """Yield the calls wave by wave, and those for what is missing after that if the recipe wants it.

    Args:
        generation: makes the calls.
        sorter: has read all answers of a wave when the next is taken.
        say: is told if fewer examples were kept than the recipe wants.
    """
    config, mode = generation.config, generation.mode

    def allowed(calls: Iterable[Call]) -> Iterator[Call]:
        return islice(calls, max(0, config.most_calls - sorter.calls))

    for wave in mode.waves():
        yield allowed(wave)
    in_vain = 0
    while config.shortfall == "ask_again" and (missing := config.num_examples - sorter.kept) > 0:
        calls, kept = sorter.calls, sorter.kept
        if calls >= config.most_calls or in_vain >= _IN_VAIN:
            why = f"the last {in_vain} gave nothing" if in_vain >= _IN_VAIN else "max_calls allows no more"
            say(f"note: {kept:,} of {config.num_examples:,} kept after {calls:,} calls; {why}")
            return
        yield allowed(mode.more(missing))
        in_vain = 0 if sorter.kept > kept else in_vain + sorter.calls - calls


class _Asker:
    """Asks wave after wave, and has the answers sorted in the order of the calls."""

    def __init__(self, generation: Generation, journal: Journal, sorter: Sorter, context: Context) -> None:
        self._generation, self._journal, self._sorter, self._context = generation, journal, sorter, context
        self._config = generation.config
        found = price_of(self._config.teacher)
        self._ledger = Ledger(found.price if found else None, self._config.teacher.budget)
        self.traffic = Traffic()
        self.last_failure: TeacherError | None = None

    async def ask_all(self) -> None:
        """Ask everything that the mode plans, and what is missing after that if the recipe wants it."""
        context, teacher = self._context, self._config.teacher
        jitter = stream(context.seed, "retry")
        with (
            context.progress.task(
                "asking the teacher", total=self._config.planned_calls, unit="calls"
            ) as task,
            telling(context.progress.say),
        ):
            async with open_teacher(
                teacher, context.shared, self._journal, self._ledger, jitter, self.traffic
            ) as asked:
                for wave in waves(self._generation, self._sorter, context.progress.say):
                    await self._ask(wave, asked, task)

    async def _ask(self, calls: Iterable[Call], teacher: Teacher, task: Task) -> None:
        """Ask the calls of one wave; return when every answer has been read."""
        waiting: dict[int, Call] = {}

        def requests() -> Iterator[Request]:
            for index, (call, request) in enumerate(self._generation.requests(calls)):
                waiting[index] = call
                yield request

        def on_answer(index: int, request: Request, completion: Completion) -> None:
            # Where many wait for one that is late, they are read again from the journal when it has come.
            soon = order.backlog < _MOST_IN_MEMORY
            key, kept = ("", completion) if soon else (self._journal.key(request), None)
            order.put(index, _Outcome(waiting.pop(index), request.key, key, kept))
            task.advance(1, self._note())

        def on_failure(index: int, request: Request, error: TeacherError) -> None:
            self.last_failure = error
            order.put(index, _Outcome(waiting.pop(index), request.key, "", error))

        async with InOrder[_Outcome](self._sort) as order:
            await collect(
                requests(),
                teacher,
                max_concurrency=self._config.teacher.workers,
                on_answer=on_answer,
                on_failure=on_failure,
            )
        task.advance(0, self._note())

    def _sort(self, outcome: _Outcome) -> None:
        if isinstance(outcome.came, TeacherError):
            self._sorter.fail(outcome.call, outcome.request, outcome.came)
            return
        answer = outcome.came or self._journal.read(outcome.journaled)
        assert answer is not None
        self._sorter.answer(outcome.call, outcome.request, answer)

    def _note(self) -> str:
        spent = self._ledger.spent
        cost = self._ledger.cost_usd if self._config.teacher.paid else None
        money = "" if cost is None else f", ${cost:,.2f} so far"
        return f"{self._sorter.kept:,} kept, {spent.output_tokens:,} tokens{money}"


@dataclass(frozen=True)
class _Outcome:
    """What came of one call."""

    call: Call
    request: str
    journaled: str
    """The key in the journal."""
    came: Completion | TeacherError | None
    """None for an answer that is read from the journal."""

"""Get the answers that a `judged` filter needs, out of the journal or from its teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from instil.data.examples import Example
from instil.data.random import stream
from instil.filters.base import FilterConfigBase
from instil.filters.judged import JudgedConfig, JudgedFilter
from instil.teachers import open_teacher, teacher_identity
from instil.teachers.base import Completion, Request, Teacher
from instil.teachers.budgeted import Ledger
from instil.teachers.collect import CallFailed, collect
from instil.teachers.journaling import JOURNAL, Journal, PaidAnswers
from instil.teachers.prices import price_of


def judges_of(configs: Sequence[FilterConfigBase], home: Path, seed: int) -> dict[int, Judge]:
    """Return the judges among filters, by their place."""
    return {
        index: Judge(config, home, seed)
        for index, config in enumerate(configs)
        if isinstance(config, JudgedConfig)
    }


class Judge:
    """One `judged` filter's teacher, and what is still to be asked of it.

    Args:
        config: the filter.
        home: the directory of the run, in which its journal lies.
        seed: the recipe's, for the waits before retries.

    Attributes:
        teacher: who judges.
        needed: keys of the requests that were needed since `answering` began and have no answer.
    """

    def __init__(self, config: JudgedConfig, home: Path, seed: int) -> None:
        self._config, self._home, self._seed = config, home, seed
        self.teacher, self._identity = config.teacher, teacher_identity(config.teacher)
        found = price_of(config.teacher)
        self._ledger = Ledger(found.price if found else None, config.teacher.budget)
        self._failures: dict[str, CallFailed] = {}
        self.needed: set[str] = set()

    @contextmanager
    def answering(self, judged: JudgedFilter) -> Iterator[None]:
        """Let a filter see the answers in the journal while the block runs."""
        self.needed.clear()
        with PaidAnswers(self._home / JOURNAL, self._identity) as paid:
            judged.answers = paid.get
            yield

    def need(self, request: Request) -> CallFailed | None:
        """Return why a request has no answer, or None and note that it is to be asked."""
        failure = self._failures.get(request.key)
        if failure is None:
            self.needed.add(request.key)
        return failure

    async def ask(self, examples: Iterable[Example], on_answer: Callable[[int, str], None]) -> None:
        """Ask what is needed; the answers are in the journal then, and failures are remembered.

        Args:
            examples: what the requests are about, and maybe more.
            on_answer: told how many calls have ended, and what was spent so far.

        Raises:
            TeacherRefused: no request can succeed, or the budget is spent; answers so far are kept.
            StageError: the teacher answers nothing at all.
        """
        teacher = self.teacher
        with Journal(self._home / JOURNAL, self._identity) as journal:
            jitter = stream(self._seed, "retry", self._config.name)
            async with open_teacher(teacher, self._home, journal, self._ledger, jitter) as asked:
                await self._ask(self.requests(examples), asked, on_answer)

    async def _ask(
        self, requests: Iterator[Request], teacher: Teacher, on_answer: Callable[[int, str], None]
    ) -> None:
        def answered(_index: int, _request: Request, _completion: Completion) -> None:
            on_answer(1, self._note())

        def failed(_index: int, request: Request, error: CallFailed) -> None:
            self._failures[request.key] = error
            on_answer(1, self._note())

        await collect(
            requests,
            teacher,
            max_concurrency=min(self.teacher.workers, len(self.needed)),
            on_answer=answered,
            on_failure=failed,
        )

    def requests(self, examples: Iterable[Example]) -> Iterator[Request]:
        """Yield what is needed about these examples, each once, without holding it all."""
        judged, left = self._config.build(), set(self.needed)
        for example in examples:
            request = judged.request(example)
            if request.key in left:
                left.discard(request.key)
                yield request

    def _note(self) -> str:
        spent, cost = self._ledger.spent, self._ledger.cost_usd
        return f"{spent.output_tokens:,} tokens" + ("" if cost is None else f", ${cost:,.2f} so far")

"""Budgets are never overrun, and nothing stays reserved."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.jsonl import encode
from instil.errors import TeacherRefused, TeacherUnavailable
from instil.teachers import open_teacher
from instil.teachers.base import Budget, Completion, Price, Request, Teacher, Usage
from instil.teachers.budgeted import BudgetedTeacher, Ledger, worst_case
from instil.teachers.journaling import Journal
from instil.teachers.recorded import RecordedConfig
from tests.fakes import ScriptedTeacher, completion, request

PRICE = Price(input_usd=1.0, output_usd=10.0)  # per million tokens
# "ask" is 3 bytes and a message 8 more: at worst 11 + 100 tokens, $0.001011.
ASK = request("ask", max_tokens=100)


def ask(teacher: Teacher, ledger: Ledger, times: int = 1) -> None:
    async def run() -> None:
        layer = BudgetedTeacher(teacher, ledger)
        for _ in range(times):
            await layer.complete(ASK)

    asyncio.run(run())


def test_the_worst_case_is_a_token_for_each_byte_and_the_whole_answer() -> None:
    assert worst_case(request("你好"), 50) == Usage(input_tokens=14, output_tokens=50)


def test_books_what_was_used_and_what_it_cost() -> None:
    ledger = Ledger(PRICE, None)
    ask(ScriptedTeacher(completion(used=(200, 50)), completion(used=(100, 10))), ledger, times=2)

    assert ledger.spent == Usage(input_tokens=300, output_tokens=60)
    assert ledger.cost_usd == pytest.approx(0.0009)


def test_without_a_price_there_is_no_cost_and_without_a_budget_no_end() -> None:
    ledger = Ledger(None, None)
    ask(ScriptedTeacher(completion(used=(10**9, 10**9))), ledger, times=3)

    assert ledger.cost_usd is None


@pytest.mark.parametrize(
    ("budget", "price", "calls"),
    [
        (Budget(max_tokens=111), None, 1),
        (Budget(max_tokens=110), None, 0),
        # After n calls of 5 tokens: 5·n + 111 <= 130 for n up to 3.
        (Budget(max_tokens=130), None, 4),
        # After n calls of $0.000023: 23·n + 1011 <= 1034 for n up to 1.
        (Budget(max_cost_usd=0.001034), PRICE, 2),
        (Budget(max_cost_usd=0.001010), PRICE, 0),
        (Budget(max_cost_usd=1.0, max_tokens=110), PRICE, 0),
    ],
)
def test_a_call_that_could_overrun_the_budget_is_not_made(
    budget: Budget, price: Price | None, calls: int
) -> None:
    teacher = ScriptedTeacher(completion(used=(3, 2)))

    with pytest.raises(TeacherRefused, match=r"the budget of .* does not allow another call") as caught:
        ask(teacher, Ledger(price, budget), times=10)

    assert len(teacher.asked) == calls
    assert "raise generate.teacher.budget" in str(caught.value.hint)


def test_a_call_that_failed_gives_back_what_was_set_aside() -> None:
    ledger = Ledger(None, Budget(max_tokens=111))
    with pytest.raises(TeacherUnavailable):
        ask(ScriptedTeacher(TeacherUnavailable("busy")), ledger)

    assert ledger.spent == Usage()
    ask(ScriptedTeacher(completion()), ledger)


def test_an_answer_that_does_not_say_what_it_used_counts_as_the_worst_case() -> None:
    ledger = Ledger(None, Budget(max_tokens=300))
    teacher = ScriptedTeacher(completion(used=(0, 0)))
    with pytest.raises(TeacherRefused):
        ask(teacher, ledger, times=10)

    assert len(teacher.asked) == 2
    assert ledger.spent == Usage(input_tokens=22, output_tokens=200)


def test_an_answer_in_the_journal_spends_nothing(tmp_path: Path) -> None:
    recording = tmp_path / "answers.jsonl"
    row = {"request": ASK.model_dump(mode="json"), "completion": completion().model_dump(mode="json")}
    recording.write_bytes(encode(row))
    config = RecordedConfig(kind="recorded", path=recording)
    ledger = Ledger(None, Budget(max_tokens=111))

    async def run() -> list[Completion]:
        with Journal(tmp_path / "journal.jsonl", {}) as journal:
            async with open_teacher(config, tmp_path, journal, ledger, random.Random(0)) as teacher:
                return [await teacher.complete(ASK) for _ in range(3)]

    assert asyncio.run(run()) == [completion()] * 3
    assert ledger.spent == Usage(input_tokens=3, output_tokens=2)


class Slow:
    """Uses the worst case, or fails; counts what it gave."""

    def __init__(self, outcomes: list[int]) -> None:
        self.outcomes, self.used = iter(outcomes), 0

    async def complete(self, request: Request) -> Completion:
        outcome = next(self.outcomes)
        for _ in range(outcome % 4):
            await asyncio.sleep(0)
        if outcome == 3:
            raise TeacherUnavailable("busy")
        self.used += 11 + 25 * outcome
        return completion(used=(11, 25 * outcome))


@given(st.lists(st.integers(1, 4), min_size=8, max_size=8), st.integers(1, 900))
def test_calls_at_the_same_time_never_overrun_the_budget(outcomes: list[int], limit: int) -> None:
    ledger, slow = Ledger(None, Budget(max_tokens=limit)), Slow(outcomes)

    async def run() -> list[Completion | BaseException]:
        layer = BudgetedTeacher(slow, ledger)
        return await asyncio.gather(*(layer.complete(ASK) for _ in outcomes), return_exceptions=True)

    results = asyncio.run(run())

    answered = [result for result in results if isinstance(result, Completion)]
    assert slow.used <= limit
    assert ledger.spent.input_tokens + ledger.spent.output_tokens == slow.used
    assert ledger.spent.input_tokens == 11 * len(answered)
    # Nothing stays set aside: what is left can be reserved to the last token.
    left = limit - slow.used
    ledger.reserve(Usage(input_tokens=left))
    with pytest.raises(TeacherRefused):
        ledger.reserve(Usage(input_tokens=1))

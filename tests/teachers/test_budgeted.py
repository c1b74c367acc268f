"""Budgets are never overrun, and nothing stays reserved."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.jsonl import encode
from instil.errors import (
    BudgetSpent,
    RequestError,
    TeacherError,
    TeacherRefused,
    TeacherRejected,
    TeacherUnavailable,
    TeacherUnreachable,
)
from instil.teachers import open_teacher
from instil.teachers.base import Budget, Completion, Request, Sampling, Teacher, Usage
from instil.teachers.budgeted import BudgetedTeacher, Ledger, worst_case
from instil.teachers.journaling import Journal
from instil.teachers.openai_compatible import OpenAICompatibleConfig
from instil.teachers.prices import Price
from instil.teachers.recorded import RecordedConfig
from tests.fakes import Reply, ScriptedServer, ScriptedTeacher, completion, request, serving

PRICE = Price(input_usd=1.0, output_usd=10.0)  # per million tokens
# "ask" is 3 bytes, a message 8 more and a template 128: at worst 139 + 100 tokens, $0.001139.
ASK = request("ask", max_tokens=100)
MOST = Usage(input_tokens=139, output_tokens=100)


def ask(teacher: Teacher, ledger: Ledger, times: int = 1) -> None:
    async def run() -> None:
        layer = BudgetedTeacher(teacher, ledger)
        for _ in range(times):
            await layer.complete(ASK)

    asyncio.run(run())


def test_the_worst_case_is_a_token_for_each_byte_and_the_whole_answer() -> None:
    assert worst_case(request("你好"), 50) == Usage(input_tokens=6 + 8 + 128, output_tokens=50)
    assert worst_case(ASK) == MOST


def test_a_schema_and_options_of_the_server_count_as_asked() -> None:
    plain = Request(messages=ASK.messages, sampling=Sampling(max_tokens=100))
    schema = plain.model_copy(update={"response_schema": {"type": "object"}})
    options = plain.model_copy(update={"sampling": Sampling(max_tokens=100, extra={"tools": ["x" * 50]})})

    assert worst_case(schema).input_tokens == MOST.input_tokens + len('{"type":"object"}')
    assert worst_case(options).input_tokens > MOST.input_tokens + 50


@pytest.mark.parametrize(
    ("extra", "most"),
    [
        ({"n": 3}, 300),
        ({"max_completion_tokens": 400}, 400),
        ({"max_completion_tokens": 40}, 100),
        ({"thinking_budget": 500}, 600),
        ({"n": 2, "max_new_tokens": 150}, 300),
        ({"user": "me"}, 100),
    ],
)
def test_options_that_make_an_answer_longer_count(extra: dict[str, object], most: int) -> None:
    asked = ASK.model_copy(update={"sampling": Sampling(max_tokens=100, extra=extra)})

    assert worst_case(asked).output_tokens == most


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
        (Budget(max_tokens=239), None, 1),
        (Budget(max_tokens=238), None, 0),
        # After n calls of 5 tokens: 5·n + 239 <= 258 for n up to 3.
        (Budget(max_tokens=258), None, 4),
        # After n calls of $0.000023: 23·n + 1139 <= 1162 for n up to 1.
        (Budget(max_cost_usd=0.001162), PRICE, 2),
        (Budget(max_cost_usd=0.001138), PRICE, 0),
        (Budget(max_cost_usd=1.0, max_tokens=238), PRICE, 0),
    ],
)
def test_a_call_that_could_overrun_the_budget_is_not_made(
    budget: Budget, price: Price | None, calls: int
) -> None:
    teacher = ScriptedTeacher(completion(used=(3, 2)))

    with pytest.raises(BudgetSpent, match=r"the budget of .* does not allow another call") as caught:
        ask(teacher, Ledger(price, budget), times=10)

    assert len(teacher.asked) == calls
    assert "raise generate.teacher.budget" in str(caught.value.hint)


def test_the_refusal_says_what_is_spent_and_left_and_what_a_call_could_cost() -> None:
    ledger = Ledger(PRICE, Budget(max_cost_usd=0.002))
    with pytest.raises(BudgetSpent) as caught:
        ask(ScriptedTeacher(completion(used=(3, 90))), ledger, times=10)

    assert str(caught.value) == (
        "the budget of $0.002 does not allow another call: $0.0009 spent, $0.0011 left, "
        "and the next call could cost $0.0011"
    )


def test_a_budget_in_money_without_a_price_is_an_error() -> None:
    with pytest.raises(RequestError, match="needs a price"):
        Ledger(None, Budget(max_cost_usd=1.0))


FREE = [
    TeacherUnavailable("429", congested=True),
    TeacherUnavailable("500", maybe_charged=False),
    TeacherUnreachable("no connection"),
    TeacherRejected("400"),
    TeacherRefused("401"),
]


@pytest.mark.parametrize("error", FREE, ids=str)
def test_a_request_that_was_surely_not_charged_gives_back_what_was_set_aside(error: TeacherError) -> None:
    ledger = Ledger(None, Budget(max_tokens=MOST.total))
    with pytest.raises(type(error)):
        ask(ScriptedTeacher(error), ledger)

    assert ledger.spent == ledger.lost == Usage()
    ask(ScriptedTeacher(completion()), ledger)


@pytest.mark.parametrize("error", [TeacherUnavailable("timed out"), RuntimeError("a bug")], ids=str)
def test_a_request_that_may_have_been_charged_counts_against_the_budget_at_its_most(error: Exception) -> None:
    ledger = Ledger(None, Budget(max_tokens=MOST.total))
    with pytest.raises(type(error)):
        ask(ScriptedTeacher(error), ledger)

    assert (ledger.spent, ledger.lost) == (Usage(), MOST)
    with pytest.raises(
        BudgetSpent, match=r"239 tokens spent \(239 tokens of it by requests that broke off, at most\)"
    ):
        ask(ScriptedTeacher(completion()), ledger)


def test_a_cancelled_call_counts_as_charged_and_leaves_nothing_set_aside() -> None:
    ledger = Ledger(None, Budget(max_tokens=MOST.total))

    async def run() -> None:
        task = asyncio.create_task(BudgetedTeacher(Hanging(), ledger).complete(ASK))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert ledger.lost == MOST
    with pytest.raises(BudgetSpent):
        ask(ScriptedTeacher(completion()), ledger)


def test_every_attempt_that_may_have_been_charged_counts_not_only_the_last(tmp_path: Path) -> None:
    def broken(_body: object) -> Reply:
        return Reply(b'{"choi', then="reset")

    with serving(broken) as server, Journal(tmp_path / "journal.jsonl", {}) as journal:
        config = OpenAICompatibleConfig(
            kind="openai_compatible", base_url=(server.base_url,), model="m", max_tokens=100
        )
        ledger = Ledger(None, Budget(max_tokens=2 * MOST.total))

        async def run() -> None:
            async with open_teacher(config, tmp_path, journal, ledger, random.Random(0)) as teacher:
                await teacher.complete(ASK)

        with pytest.raises(BudgetSpent):
            asyncio.run(run())

    assert len(server.bodies) == 2
    assert ledger.lost == MOST + MOST


def test_a_call_waits_for_what_others_have_set_aside_instead_of_being_refused() -> None:
    # Room for one call at its most and 10 that use what they use: one after the other, all are made.
    ledger = Ledger(None, Budget(max_tokens=MOST.total + 9 * 5))
    teacher = ScriptedTeacher(completion(used=(3, 2)))

    async def run() -> None:
        layer = BudgetedTeacher(teacher, ledger)
        await asyncio.gather(*(layer.complete(ASK) for _ in range(10)))

    asyncio.run(run())
    assert ledger.spent.total == 50


def test_an_answer_that_does_not_say_what_it_used_counts_as_the_worst_case() -> None:
    ledger = Ledger(None, Budget(max_tokens=2 * MOST.total + 5))
    teacher = ScriptedTeacher(completion(used=(0, 0)))
    with pytest.raises(BudgetSpent):
        ask(teacher, ledger, times=10)

    assert len(teacher.asked) == 2
    assert ledger.spent == MOST + MOST


def test_after_a_call_used_more_than_could_be_foreseen_more_is_set_aside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger = Ledger(None, Budget(max_tokens=1000))
    teacher = ScriptedTeacher(completion(used=(139, 200)))
    with pytest.raises(BudgetSpent):
        ask(teacher, ledger, times=10)

    # 339 of 1,000 are used after the first call; 2 · 239 more would fit, and another 478 would not.
    assert len(teacher.asked) == 2
    assert ledger.spent.total == 678
    assert "200 output tokens, more than the 139 and 100 that were set aside" in caplog.text


def test_a_budget_refuses_a_request_whose_answer_has_no_limit() -> None:
    async def run(budget: Budget | None) -> None:
        teacher = BudgetedTeacher(ScriptedTeacher(completion()), Ledger(None, budget))
        await teacher.complete(request("ask"))

    asyncio.run(run(None))
    with pytest.raises(TeacherRefused, match="without max_tokens"):
        asyncio.run(run(Budget(max_tokens=10**9)))


def test_an_answer_in_the_journal_spends_nothing(tmp_path: Path) -> None:
    recording = tmp_path / "answers.jsonl"
    row = {"request": ASK.model_dump(mode="json"), "completion": completion().model_dump(mode="json")}
    recording.write_bytes(encode(row))
    config = RecordedConfig(kind="recorded", path=recording)
    ledger = Ledger(None, Budget(max_tokens=MOST.total))

    async def run() -> list[Completion]:
        with Journal(tmp_path / "journal.jsonl", {}) as journal:
            async with open_teacher(config, tmp_path, journal, ledger, random.Random(0)) as teacher:
                return [await teacher.complete(ASK) for _ in range(3)]

    assert asyncio.run(run()) == [completion()] * 3
    assert ledger.spent == Usage(input_tokens=3, output_tokens=2)


class Hanging:
    """Never answers."""

    async def complete(self, request: Request) -> Completion:
        await asyncio.Event().wait()
        raise AssertionError


Outcome = tuple[int, int, int]
"""Turns of the event loop that a call takes, output tokens that it is charged, and how it ends."""


class Charging:
    """Charges at most the worst case, and answers, fails or is given up; counts what it charged."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        self.outcomes, self.charged = iter(outcomes), 0

    async def complete(self, request: Request) -> Completion:
        turns, tokens, end = next(self.outcomes)
        for _ in range(turns):
            await asyncio.sleep(0)
        if end == 1:
            raise TeacherUnavailable("busy", congested=True)
        self.charged += MOST.input_tokens + tokens
        if end == 2:
            raise TeacherUnavailable("broke off after it was charged")
        if end == 3:
            raise asyncio.CancelledError
        return completion(used=(MOST.input_tokens, tokens))


OUTCOMES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, MOST.output_tokens), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


@given(OUTCOMES, st.integers(1, 3000), st.booleans())
def test_no_interleaving_of_calls_overruns_the_budget_and_nothing_stays_reserved(
    outcomes: list[Outcome], limit: int, in_money: bool
) -> None:
    token = Price(input_usd=1.0, output_usd=1.0)
    budget = Budget(max_cost_usd=limit / 1e6) if in_money else Budget(max_tokens=limit)
    ledger, server = Ledger(token, budget), Charging(outcomes)

    async def run() -> list[Completion | BaseException]:
        layer = BudgetedTeacher(server, ledger)
        return await asyncio.gather(*(layer.complete(ASK) for _ in outcomes), return_exceptions=True)

    results = asyncio.run(run())

    assert server.charged <= limit
    assert ledger.spent.total == sum(r.usage.total for r in results if isinstance(r, Completion))
    assert server.charged <= (ledger.spent + ledger.lost).total <= limit
    assert ledger.reserved == Usage()
    # Whoever was refused could not have been let through, whatever came of the others.
    if any(isinstance(result, BudgetSpent) for result in results):
        assert (ledger.spent + ledger.lost + MOST).total > limit


class ChargingWhenAsked:
    """Charges for a request as soon as it is sent, and answers some turns of the event loop later."""

    def __init__(self) -> None:
        self.charged = 0

    async def complete(self, request: Request) -> Completion:
        output = self.charged % (MOST.output_tokens + 1)
        self.charged += MOST.input_tokens + output
        for _ in range(output % 5):
            await asyncio.sleep(0)
        return completion(used=(MOST.input_tokens, output))


@given(st.lists(st.integers(0, 8), min_size=1, max_size=5), st.integers(1, 5000))
def test_a_budget_holds_over_all_runs_also_where_a_kill_cut_calls_off(kills: list[int], limit: int) -> None:
    server, answered = ChargingWhenAsked(), Usage()
    with TemporaryDirectory() as home:
        for turns in kills:
            ledger = Ledger(None, Budget(max_tokens=limit))
            answered += asyncio.run(killed_after(turns, server, ledger, answered, Path(home) / "tally.json"))
            assert server.charged <= limit
            assert answered.total <= server.charged


async def killed_after(turns: int, server: Teacher, ledger: Ledger, answered: Usage, tally: Path) -> Usage:
    """Return what the answers used that came before the process was killed, after so many turns."""
    layer = BudgetedTeacher(server, ledger)
    with ledger.going_on(answered, tally):
        calls = [asyncio.create_task(layer.complete(ASK)) for _ in range(6)]
        for _ in range(turns):
            await asyncio.sleep(0)
        came = [call.result() for call in calls if call.done() and not call.exception()]
    # What ends from here on is noted nowhere, as in a process that is gone.
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    return sum((each.usage for each in came), Usage())


def test_what_a_stopped_run_lost_counts_in_the_next(tmp_path: Path) -> None:
    with serving(Reply(then="hang")) as server:
        asyncio.run(cut_off(server, tmp_path))
        with pytest.raises(
            BudgetSpent, match=rf"\({MOST.total} tokens of it by requests that broke off, at most\)"
        ):
            asyncio.run(cut_off(server, tmp_path))

    assert len(server.bodies) == 1


async def cut_off(server: ScriptedServer, home: Path) -> None:
    """Make a call in a run whose budget suffices for one, and give it up as soon as it was sent."""
    config = OpenAICompatibleConfig(kind="openai_compatible", base_url=(server.base_url,), model="m")
    ledger = Ledger(None, Budget(max_tokens=2 * MOST.total - 1))
    with Journal(home / "journal.jsonl", {}) as journal:
        async with open_teacher(config, home, journal, ledger, random.Random(0)) as teacher:
            call = asyncio.create_task(teacher.complete(ASK))
            sent = len(server.bodies)
            while len(server.bodies) == sent and not call.done():
                await asyncio.sleep(0.01)
            if call.done():
                await call
            call.cancel()
            await asyncio.wait({call})

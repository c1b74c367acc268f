"""open_teacher: the layers in the order that matters, over a real server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from instil.errors import BudgetSpent, TeacherUnavailable
from instil.teachers import open_teacher
from instil.teachers.base import Budget, Completion, Request
from instil.teachers.budgeted import Ledger
from instil.teachers.journaling import Journal
from instil.teachers.openai_compatible import OpenAICompatibleConfig
from instil.teachers.traffic import Traffic
from tests.fakes import Reply, ScriptedServer, fails, in_turn, request, says, serving

USED = {"prompt_tokens": 3, "completion_tokens": 2}


def ask(
    server: ScriptedServer,
    home: Path,
    asked: list[Request],
    *,
    ledger: Ledger | None = None,
    traffic: Traffic | None = None,
    **options: Any,
) -> list[Completion | BaseException]:
    """Make calls at once, through all layers."""
    config = OpenAICompatibleConfig(
        kind="openai_compatible", base_url=(server.base_url,), model="m", **options
    )

    async def run() -> list[Completion | BaseException]:
        with Journal(home / "journal.jsonl", {}) as journal:
            book = ledger or Ledger(None, None)
            async with open_teacher(config, home, journal, book, random.Random(0), traffic) as teacher:
                calls = (teacher.complete(one) for one in asked)
                return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(run())


def requests(count: int) -> list[Request]:
    return [request(f"ask {n}", max_tokens=100) for n in range(count)]


def test_what_it_took_is_told_to_whoever_asked_for_it(tmp_path: Path) -> None:
    traffic = Traffic()
    script = in_turn(fails(429, retry_after="0.02"), fails(500), says("hi", usage=USED))
    with serving(script) as server:
        answers = ask(server, tmp_path, requests(1), traffic=traffic)

    assert [getattr(answer, "text", None) for answer in answers] == ["hi"]
    assert (traffic.attempts, traffic.retried, traffic.congested) == (3, 2, 1)
    assert 0.02 <= traffic.waited_s <= 0.02 + 0.5
    assert len(server.bodies) == 3


def test_when_the_budget_is_spent_calls_in_flight_are_answered_booked_and_journaled(tmp_path: Path) -> None:
    # A call is 5 bytes + 8 + 128 + 100 at most, and 5 tokens in fact.
    ledger = Ledger(None, Budget(max_tokens=3 * 241))
    used = {"prompt_tokens": 141, "completion_tokens": 99}
    with serving(says("hi", usage=used)) as server:
        answers = ask(server, tmp_path, requests(10), ledger=ledger)

    answered = [answer for answer in answers if isinstance(answer, Completion)]
    assert len(answered) == 3
    assert sum(isinstance(answer, BudgetSpent) for answer in answers) == 7
    assert ledger.spent.total == 3 * 240
    assert len((tmp_path / "journal.jsonl").read_bytes().splitlines()) == 3


def test_a_journaled_answer_spends_nothing_and_waits_for_nothing(tmp_path: Path) -> None:
    with serving(says("hi", usage=USED)) as server:
        ask(server, tmp_path, requests(3))
        traffic, ledger = Traffic(), Ledger(None, Budget(max_tokens=1))
        answers = ask(server, tmp_path, requests(3), ledger=ledger, traffic=traffic, requests_per_minute=1)

    assert [getattr(answer, "text", None) for answer in answers] == ["hi"] * 3
    assert traffic == Traffic()
    assert len(server.bodies) == 3


def test_a_call_that_waits_to_be_tried_again_keeps_no_slot_and_no_money(tmp_path: Path) -> None:
    def script(body: Mapping[str, Any]) -> Reply:
        first = body["messages"][0]["content"] == "ask 0"
        return fails(503, retry_after="30") if first else says("hi", usage=USED)

    ledger = Ledger(None, Budget(max_tokens=300))
    with serving(script) as server:
        config = OpenAICompatibleConfig(
            kind="openai_compatible", base_url=(server.base_url,), model="m", max_concurrency=1
        )

        async def run() -> Completion:
            with Journal(tmp_path / "journal.jsonl", {}) as journal:
                async with open_teacher(config, tmp_path, journal, ledger, random.Random(0)) as teacher:
                    waiting = asyncio.create_task(teacher.complete(requests(1)[0]))
                    while not server.bodies:
                        await asyncio.sleep(0.01)
                    answer = await asyncio.wait_for(teacher.complete(requests(2)[1]), timeout=10)
                    waiting.cancel()
                    await asyncio.gather(waiting, return_exceptions=True)
                    return answer

        assert asyncio.run(run()).text == "hi"
    assert ledger.spent.total == 5


def test_a_server_that_stays_away_is_tried_as_often_as_allowed(tmp_path: Path) -> None:
    traffic = Traffic()
    with serving(fails(500)) as server:
        answers = ask(server, tmp_path, requests(1), traffic=traffic, max_attempts=3)

    assert isinstance(answers[0], TeacherUnavailable)
    assert (traffic.attempts, traffic.retried) == (3, 2)


@pytest.mark.parametrize("cap", ["requests_per_minute", "tokens_per_minute", "max_wait_s"])
def test_limits_do_not_decide_an_answer(cap: str) -> None:
    plain = OpenAICompatibleConfig(kind="openai_compatible", base_url=("http://127.0.0.1:1/v1",), model="m")

    assert plain.model_copy(update={cap: 7}).identity() == plain.identity()

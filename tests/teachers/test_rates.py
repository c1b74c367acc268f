"""PacedTeacher: caps per minute hold in every minute, and are used up; in virtual time."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.errors import TeacherUnavailable
from instil.teachers.base import Completion, Request, Usage
from instil.teachers.rates import PacedTeacher
from instil.teachers.traffic import Traffic
from tests.fakes import request
from tests.virtual_time import now, run_virtually

Draw = Callable[[random.Random], float]


@dataclass
class Counted:
    """Answers after a while, and keeps when it was asked and how many tokens that took."""

    tokens: Draw = lambda _rng: 300
    seconds: Draw = lambda _rng: 0.2
    seed: int = 0
    sent: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    async def complete(self, request: Request) -> Completion:
        tokens = int(self.tokens(self._rng))
        self.sent.append((now(), tokens))
        await asyncio.sleep(self.seconds(self._rng))
        return Completion(text="", usage=Usage(output_tokens=tokens))


def ask(
    server: Counted,
    calls: int,
    *,
    requests: int | None = None,
    tokens: int | None = None,
    at_once: int = 64,
    max_tokens: int = 1000,
) -> Traffic:
    """Make calls under caps; as many as `at_once` are always waiting."""
    traffic = Traffic()

    async def run() -> None:
        teacher = PacedTeacher(
            server, requests_per_minute=requests, tokens_per_minute=tokens, traffic=traffic, clock=now
        )
        queue = iter(range(calls))

        async def work() -> None:
            for _ in queue:
                await teacher.complete(request("ask", max_tokens=max_tokens))

        await asyncio.gather(*(work() for _ in range(at_once)))

    run_virtually(run())
    return traffic


def busiest_minute(events: Sequence[tuple[float, float]]) -> float:
    """The largest sum in any 60 seconds."""
    most = total = 0.0
    first = 0
    for when, amount in events:
        total += amount
        while events[first][0] <= when - 60:
            total -= events[first][1]
            first += 1
        most = max(most, total)
    return most


def quietest_minute(events: Sequence[tuple[float, float]], start: float) -> float:
    """The smallest sum in any 60 seconds that begin with an event, from `start` to the end."""
    times = [when for when, _ in events]
    sums = [0.0, *accumulate(amount for _, amount in events)]
    begins = [n for n, when in enumerate(times) if start <= when <= times[-1] - 60]
    return min(sums[bisect_left(times, times[n] + 60)] - sums[n] for n in begins)


def each(server: Counted) -> list[tuple[float, float]]:
    return [(when, 1) for when, _ in server.sent]


@pytest.mark.parametrize("cap", [1, 3, 10, 60, 500, 6000])
def test_requests_keep_to_the_cap_in_every_minute_and_use_it(cap: int) -> None:
    server = Counted()
    ask(server, 4 * cap, requests=cap)

    assert busiest_minute(each(server)) <= cap
    assert quietest_minute(each(server), start=0) >= 0.98 * cap - 1


def test_requests_are_spaced_evenly() -> None:
    server = Counted()
    ask(server, 300, requests=600)
    times = [when for when, _ in server.sent]

    # Ten a second; a quarter of a second may be made up for.
    assert max(b - a for a, b in pairwise(times)) <= 0.11
    assert len([when for when in times if when < 1]) <= 10 + 3


def test_after_a_pause_no_more_goes_out_at_once() -> None:
    server = Counted()

    async def run() -> None:
        teacher = PacedTeacher(
            server, requests_per_minute=60, tokens_per_minute=None, traffic=Traffic(), clock=now
        )
        for start in (0, 600):
            await asyncio.sleep(start - now())
            await asyncio.gather(*(teacher.complete(request()) for _ in range(5)))

    run_virtually(run())
    assert [round(when) for when, _ in server.sent] == [0, 1, 2, 3, 4, 600, 601, 602, 603, 604]


def test_tokens_keep_to_the_cap_in_every_minute_and_use_it() -> None:
    server = Counted()
    ask(server, 2000, tokens=100_000)

    assert busiest_minute(server.sent) <= 100_000
    assert quietest_minute(server.sent, start=60) >= 98_000


@pytest.mark.parametrize("seed", range(3))
def test_tokens_of_answers_whose_length_and_time_are_chance_keep_to_within_two_in_a_hundred(
    seed: int,
) -> None:
    server = Counted(
        tokens=lambda rng: min(1000, rng.lognormvariate(5.5, 0.6)),
        seconds=lambda rng: rng.uniform(2, 10),
        seed=seed,
    )
    ask(server, 15_000, tokens=1_000_000, at_once=1000)

    assert busiest_minute(server.sent) <= 1.02e6
    assert quietest_minute(server.sent, start=60) >= 0.95e6
    # What a call uses is known after the first minute; from then on the cap is used up but for chance.
    later = [(when, tokens) for when, tokens in server.sent if when >= 60]
    assert sum(n for _, n in later) / (later[-1][0] - 60) * 60 >= 0.977e6


def test_at_first_a_call_counts_as_the_most_that_it_can_use() -> None:
    # Nobody answers: 1,139 tokens at most for each call, so that 8 go into 10,000.
    server = Counted(seconds=lambda _rng: 50)
    ask(server, 20, tokens=10_000)

    assert len([when for when, _ in server.sent if when < 45]) <= 8


def test_a_call_larger_than_the_cap_goes_alone() -> None:
    server = Counted()
    ask(server, 3, tokens=100)
    first, second, third = (when for when, _ in server.sent)

    assert first == 0
    assert second - first > 60
    assert third - second > 60


def test_both_caps_hold_at_once() -> None:
    server = Counted(tokens=lambda rng: rng.uniform(0, 900))
    ask(server, 1000, requests=200, tokens=60_000)

    assert busiest_minute(each(server)) <= 200
    assert busiest_minute(server.sent) <= 61_200


def test_requests_that_were_not_charged_use_no_tokens_and_those_that_may_have_been_do() -> None:
    class Failing(Counted):
        charged = False

        async def complete(self, request: Request) -> Completion:
            self.sent.append((now(), 0))
            await asyncio.sleep(0.1)
            raise TeacherUnavailable("no", maybe_charged=self.charged)

    def sent_in_ten_minutes(server: Counted) -> int:
        async def run() -> None:
            teacher = PacedTeacher(
                server, requests_per_minute=None, tokens_per_minute=2000, traffic=Traffic(), clock=now
            )
            while now() < 600:
                with pytest.raises(TeacherUnavailable):
                    await teacher.complete(request("ask", max_tokens=1000))

        run_virtually(run())
        return len(server.sent)

    charged = Failing()
    charged.charged = True
    assert sent_in_ten_minutes(Failing()) > 1000
    assert sent_in_ten_minutes(charged) <= 20


def test_a_caller_who_gives_up_does_not_hold_up_the_others() -> None:
    server = Counted()

    async def run() -> None:
        teacher = PacedTeacher(
            server, requests_per_minute=60, tokens_per_minute=1_000_000, traffic=Traffic(), clock=now
        )
        calls = [asyncio.create_task(teacher.complete(request("ask", max_tokens=9))) for _ in range(10)]
        await asyncio.sleep(2.5)
        for call in calls[3:8]:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    run_virtually(run())
    assert [round(when) for when, _ in server.sent] == [0, 1, 2, 3, 4]


def test_what_was_waited_is_counted() -> None:
    traffic = ask(Counted(), 11, requests=60, at_once=1)

    assert traffic.paced_s == pytest.approx(8, abs=0.3)  # 10 turns of a second, less 0.2 s for each answer


@given(
    st.integers(1, 400),
    st.lists(st.tuples(st.floats(0, 30), st.floats(0, 90)), min_size=1, max_size=60),
)
def test_however_requests_come_no_minute_has_more_than_the_cap(
    cap: int, calls: list[tuple[float, float]]
) -> None:
    starts = [sum(gap for gap, _ in calls[: n + 1]) for n in range(len(calls))]
    lasting = iter([seconds for _, seconds in calls])
    server = Counted(seconds=lambda _rng: next(lasting))

    async def run() -> None:
        teacher = PacedTeacher(
            server, requests_per_minute=cap, tokens_per_minute=None, traffic=Traffic(), clock=now
        )

        async def call(start: float) -> None:
            await asyncio.sleep(start)
            await teacher.complete(request())

        await asyncio.gather(*(call(start) for start in starts))

    run_virtually(run())
    assert len(server.sent) == len(calls)
    assert busiest_minute(each(server)) <= cap


@given(
    st.integers(2000, 100_000),
    st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 90)), min_size=1, max_size=80),
)
def test_however_long_answers_are_no_minute_has_more_tokens_than_the_cap_if_calls_use_their_most(
    cap: int, calls: list[tuple[int, float]]
) -> None:
    # Every call uses all that it can: the bound is the calls' own size, and no margin of chance helps.
    sizes = iter(calls)

    class Greedy(Counted):
        async def complete(self, request: Request) -> Completion:
            most = 3 + 8 + 128 + (request.sampling.max_tokens or 0)
            self.sent.append((now(), most))
            await asyncio.sleep(next(sizes)[1])
            return Completion(text="", usage=Usage(output_tokens=most))

    server = Greedy()

    async def run() -> None:
        teacher = PacedTeacher(
            server, requests_per_minute=None, tokens_per_minute=cap, traffic=Traffic(), clock=now
        )
        await asyncio.gather(
            *(teacher.complete(request("ask", max_tokens=max(1, tokens))) for tokens, _ in calls)
        )

    run_virtually(run())
    assert len(server.sent) == len(calls)
    assert busiest_minute(server.sent) <= cap

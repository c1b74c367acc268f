"""LimitedTeacher: as many in flight as the server bears; measured in virtual time, so always the same."""

from __future__ import annotations

import asyncio
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.errors import TeacherRejected, TeacherUnavailable
from instil.teachers.base import Completion, Request
from instil.teachers.congestion import CongestionControl
from instil.teachers.limited import LimitedTeacher, Slots
from instil.teachers.traffic import Traffic
from tests.fakes import completion, request
from tests.teachers.simulated import SimulatedServer, simulate
from tests.virtual_time import now, run_virtually


@pytest.mark.parametrize(
    ("calls", "most", "share"), [(2000, 64, 1.05), (2000, 256, 1.2), (10_000, 256, 1.05)]
)
def test_a_server_that_is_well_is_used_to_the_full(calls: int, most: int, share: float) -> None:
    server = SimulatedServer()
    run = simulate(server, calls=calls, most=most)

    assert len(run.done) == calls
    assert run.seconds <= share * calls * server.latency / most
    assert server.highest == most
    assert run.traffic == Traffic(attempts=calls)


def test_one_in_ten_refused_by_chance_slows_nothing_but_the_refused() -> None:
    # With half as many in flight they would take more than 9 s; with a pause for each refusal, minutes.
    runs = [
        simulate(SimulatedServer(refused=0.1, failed=0.1, seed=seed), calls=1000, most=64)
        for seed in range(15)
    ]

    assert [run.failed for run in runs] == [0] * 15
    assert median(run.seconds for run in runs) <= 7.0
    assert median(sorted(run.done)[900] for run in runs) <= 5.0


def test_a_few_refusals_by_chance_do_not_wear_the_limit_down() -> None:
    run = simulate(SimulatedServer(refused=0.01), calls=5000, most=64)

    assert run.seconds <= 1.15 * 5000 * 0.2 / 64
    assert (run.traffic.lowest_limit or 64) >= 48


@pytest.mark.parametrize("bears", [4, 8, 16, 24, 32, 48, 60, 64, 96, 120])
def test_a_server_that_bears_fewer_is_found_out_at_once_and_not_pressed(bears: int) -> None:
    server = SimulatedServer(most_in_flight=bears)
    run = simulate(server, calls=1000, most=128)

    assert len(run.done) == 1000
    assert run.seconds <= 1.1 * 1000 * server.latency / bears + 1.0  # whoever was refused last waits 1 s
    # 64 at the start; and now and then one is tried, the more often the longer the run.
    assert len(server.refusals) <= (75 if bears >= 32 else 130 if bears > 4 else 190)


def test_a_server_that_bears_32_while_the_cap_is_128_loses_next_to_nothing() -> None:
    server = SimulatedServer(most_in_flight=32)
    run = simulate(server, calls=1000, most=128)

    assert run.seconds <= 1.1 * 6.25
    assert len(server.refusals) <= 50
    assert run.traffic.congested == len(server.refusals)
    assert run.traffic.lowest_limit == 32


def test_a_server_that_comes_to_bear_more_is_used_more() -> None:
    server = SimulatedServer(most_in_flight=16)

    async def grow() -> None:
        await asyncio.sleep(10)
        server.most_in_flight = 10**9

    class Growing:
        async def complete(self, asked: Request) -> Completion:
            if not server.asked:
                self.task = asyncio.create_task(grow())
            return await server.complete(asked)

    run = simulate(Growing(), calls=4000, most=64)

    # 800 in the first 10 s; 3,200 at 64 in flight take 10 s more.
    assert run.seconds <= 10 + 10 + 5


@pytest.mark.parametrize("retry_after", [1.0, None])
def test_a_server_that_refuses_everything_is_left_alone_and_used_at_once_when_it_is_back(
    retry_after: float | None,
) -> None:
    server = SimulatedServer(outage=(1.0, 6.0), retry_after=retry_after)
    run = simulate(server, calls=1000, most=64)

    assert len(run.done) == 1000
    assert len([when for when in server.refusals if when > 1.3]) <= 10
    back = min(when for when in run.done if when > 6.0)
    assert back <= (7.5 if retry_after else 9.5)
    # Of 64 in flight all are in use again a few round trips later.
    assert len([when for when in run.done if back < when <= back + 1.5]) >= 250


def test_a_refusal_keeps_nobody_waiting_but_the_refused() -> None:
    # One at a time: the call that is refused waits 100 s, the others take their turns meanwhile.
    class RefusesOnce:
        asked = 0

        async def complete(self, asked: Request) -> Completion:
            self.asked += 1
            await asyncio.sleep(1)
            if self.asked == 1:
                raise TeacherUnavailable("429", retry_after=100.0, congested=True)
            return completion()

    run = simulate(RefusesOnce(), calls=20, most=1)

    assert sorted(run.done)[18] == pytest.approx(20.0)
    assert run.seconds == pytest.approx(102.0)


@pytest.mark.parametrize("error", [TeacherRejected("400"), TeacherUnavailable("500"), RuntimeError("bug")])
def test_an_error_gives_the_slot_back_and_is_handed_on(error: Exception) -> None:
    class Failing:
        async def complete(self, asked: Request) -> Completion:
            raise error

    async def run() -> None:
        teacher = LimitedTeacher(Failing(), most=1, first=1, traffic=Traffic())
        for _ in range(3):
            with pytest.raises(type(error)):
                await teacher.complete(request())

    run_virtually(run())


def slots(count: int) -> Slots:
    return Slots(CongestionControl(count, count, Traffic()))


def test_slots_are_handed_on_in_the_order_in_which_they_were_asked_for() -> None:
    order: list[int] = []

    async def call(turn: int, pool: Slots) -> None:
        number = await pool.acquire()
        order.append(turn)
        await asyncio.sleep(1)
        pool.release(number, None)

    async def run() -> None:
        pool = slots(2)
        await asyncio.gather(*(call(turn, pool) for turn in range(20)))

    run_virtually(run())
    assert order == list(range(20))


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.sampled_from(["answer", "refuse"]))),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=15),
    st.integers(1, 5),
)
def test_whoever_is_cancelled_whenever_no_slot_is_lost(
    calls: list[tuple[int, int, str]], cancels: list[tuple[int, int]], count: int
) -> None:
    held = highest = 0

    async def call(pool: Slots, start: int, takes: int, end: str) -> None:
        nonlocal held, highest
        await asyncio.sleep(start)
        number = await pool.acquire()
        held += 1
        highest = max(highest, held)
        refusal = None
        try:
            await asyncio.sleep(takes)
            if end == "refuse":
                refusal = TeacherUnavailable("429", retry_after=1.0, congested=True)
        finally:
            held -= 1
            pool.release(number, refusal)

    async def run() -> None:
        pool = slots(count)
        tasks = [asyncio.create_task(call(pool, *one)) for one in calls]
        for when, which in sorted(cancels):
            await asyncio.sleep(max(0, when - now()))
            if which < len(tasks):
                tasks[which].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Everybody has gone; after a while the last of the slots can be had again.
        await asyncio.wait_for(pool.acquire(), timeout=120)

    run_virtually(run())
    assert highest <= count


class _Rounds:
    """Tells a controller of rounds in which a share of the requests is refused."""

    def __init__(self, most: int) -> None:
        self.traffic = Traffic()
        self.control = CongestionControl(most, most // 2, self.traffic)

    def go(self, rounds: int, refused: float) -> int:
        for _ in range(rounds):
            sent = self.control.limit
            self.control.round_ended(sent, round(sent * refused), full=True)
        return self.control.limit


def test_the_limit_doubles_to_the_cap_and_no_further() -> None:
    rounds = _Rounds(100)

    assert rounds.control.limit == 50
    assert rounds.go(5, 0.0) == 100


def test_refusals_that_do_not_go_away_with_a_lower_limit_leave_it_where_it_was() -> None:
    rounds = _Rounds(64)
    rounds.go(5, 0.0)

    assert rounds.go(30, 0.25) == 64
    assert rounds.traffic.slow_downs == 1


def test_half_of_all_calls_and_more_refused_always_lowers_the_limit() -> None:
    rounds = _Rounds(64)
    rounds.go(5, 0.0)

    assert rounds.go(30, 0.8) < 8


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans())), st.integers(1, 300), st.booleans())
def test_whatever_happens_the_limit_is_between_one_and_the_cap(
    rounds: list[tuple[float, bool]], most: int, outage: bool
) -> None:
    control = CongestionControl(most, -(-most // 2), Traffic())
    for refused, full in rounds:
        if outage and refused == 1:
            control.outage()
        control.round_ended(control.limit, round(control.limit * refused), full=full)
        assert 1 <= control.limit <= most

"""Endpoints: the least busy address is asked, and one that is down costs nobody an answer."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.errors import TeacherRejected, TeacherUnavailable, TeacherUnreachable
from instil.teachers.endpoints import Endpoints

A, B, C = "http://a/v1", "http://b/v1", "http://c/v1"


class Fleet:
    """Servers that answer when they are told to, and those that are down."""

    def __init__(self, *base_urls: str) -> None:
        self.now = 0.0
        self.asked: list[str] = []
        self.down: set[str] = set()
        self.failing: dict[str, Exception] = {}
        self.pending: list[tuple[str, asyncio.Future[None]]] = []
        self.endpoints = Endpoints(base_urls, clock=lambda: self.now)

    async def at_once(self, base_url: str) -> str:
        self.asked.append(base_url)
        if base_url in self.down:
            raise TeacherUnreachable(f"{base_url}: refused", hint="is it running?")
        if base_url in self.failing:
            raise self.failing[base_url]
        return base_url

    async def when_told(self, base_url: str) -> str:
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.pending.append((base_url, answered))
        await answered
        return base_url

    def ask(self, times: int = 1) -> list[str]:
        async def run() -> list[str]:
            return [await self.endpoints.ask(self.at_once) for _ in range(times)]

        return asyncio.run(run())


def test_addresses_that_do_equally_little_take_turns() -> None:
    assert Fleet(A, B, C).ask(7) == [A, B, C, A, B, C, A]


def test_a_slash_after_an_address_is_no_other_address() -> None:
    assert Fleet("http://a/v1/").ask() == [A]


def test_the_address_with_the_fewest_calls_outstanding_is_asked() -> None:
    async def run() -> list[str]:
        fleet = Fleet(A, B, C)
        tasks = [asyncio.create_task(fleet.endpoints.ask(fleet.when_told)) for _ in range(6)]
        await asyncio.sleep(0)
        assert Counter(url for url, _ in fleet.pending) == {A: 2, B: 2, C: 2}
        for url, answered in fleet.pending:
            if url == B:
                answered.set_result(None)
        await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(fleet.endpoints.ask(fleet.when_told)) for _ in range(2)]
        await asyncio.sleep(0)
        later = [url for url, _ in fleet.pending[6:]]
        for _, answered in fleet.pending:
            if not answered.done():
                answered.set_result(None)
        await asyncio.gather(*tasks)
        return later

    assert asyncio.run(run()) == [B, B]


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5))
def test_no_address_has_two_calls_more_than_another_while_calls_only_come(
    ends: list[bool], count: int
) -> None:
    async def run() -> None:
        fleet = Fleet(*(f"http://{number}/v1" for number in range(count)))
        tasks: list[asyncio.Task[str]] = []
        for number, end in enumerate(ends):
            tasks.append(asyncio.create_task(fleet.endpoints.ask(fleet.when_told)))
            await asyncio.sleep(0)
            outstanding = Counter(url for url, answered in fleet.pending if not answered.done())
            chosen = fleet.pending[-1][0]
            before = outstanding[chosen] - 1
            others = [outstanding[f"http://{each}/v1"] for each in range(count)]
            assert before <= min(others), f"call {number} went to a busier address"
            if end:
                next(answered for _, answered in fleet.pending if not answered.done()).set_result(None)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
        for _, answered in fleet.pending:
            if not answered.done():
                answered.set_result(None)
        await asyncio.gather(*tasks)

    asyncio.run(run())


def test_a_call_goes_on_at_once_where_no_connection_is_taken_and_the_address_is_avoided() -> None:
    fleet = Fleet(A, B)
    fleet.down = {A}

    assert fleet.ask(4) == [B, B, B, B]
    assert fleet.asked == [A, B, B, B, B]


def test_an_avoided_address_is_tried_again_after_a_while_and_used_when_it_is_back() -> None:
    fleet = Fleet(A, B)
    fleet.down = {A}
    fleet.ask(3)
    fleet.now += 60
    fleet.ask()
    assert fleet.asked[-2:] == [A, B], "still down: the call goes on"
    fleet.down = set()
    fleet.ask()
    assert fleet.asked[-1] == B
    fleet.now += 60

    assert fleet.ask(4) == [A, B, A, B]


def test_an_address_that_failed_is_tried_with_one_call_and_not_with_all() -> None:
    async def run() -> list[str]:
        fleet = Fleet(A, B)
        fleet.down = {A}
        await fleet.endpoints.ask(fleet.at_once)
        fleet.now += 60
        tasks = [asyncio.create_task(fleet.endpoints.ask(fleet.when_told)) for _ in range(5)]
        await asyncio.sleep(0)
        for _, answered in fleet.pending:
            answered.set_result(None)
        await asyncio.gather(*tasks)
        return sorted(url for url, _ in fleet.pending)

    assert asyncio.run(run()) == [A, B, B, B, B]


def test_when_all_are_down_the_error_says_so_and_every_one_was_tried() -> None:
    fleet = Fleet(A, B, C)
    fleet.down = {A, B, C}
    for _ in range(2):
        fleet.asked.clear()
        with pytest.raises(TeacherUnreachable, match="none of the 3 addresses takes a connection") as caught:
            fleet.ask()
        assert sorted(fleet.asked) == [A, B, C]
        assert caught.value.hint == "is it running?"


def test_one_address_that_is_down_gives_its_own_error() -> None:
    fleet = Fleet(A)
    fleet.down = {A}

    with pytest.raises(TeacherUnreachable, match=r"^http://a/v1: refused$") as caught:
        fleet.ask()
    assert caught.value.__cause__ is None
    fleet.down = set()
    assert fleet.ask() == [A], "nothing is lost by asking the only one there is"


def test_a_server_that_fails_at_once_does_not_get_every_call() -> None:
    fleet = Fleet(A, B)
    fleet.failing = {A: TeacherUnavailable("500")}
    failures = 0
    for _ in range(20):
        try:
            fleet.ask()
        except TeacherUnavailable:
            failures += 1

    assert failures == 1, "no call is sent twice here: retrying counts attempts, and does it"
    assert Counter(fleet.asked) == {A: 1, B: 19}


def test_a_request_at_fault_says_nothing_against_the_server() -> None:
    fleet = Fleet(A, B)
    fleet.failing = {A: TeacherRejected("400")}
    for _ in range(4):
        with pytest.raises(TeacherRejected):
            fleet.ask(2)

    assert Counter(fleet.asked)[A] >= 3


@pytest.mark.parametrize("ends", ["cancelled", "failed"])
def test_a_call_that_ends_badly_is_no_longer_outstanding(ends: str) -> None:
    async def run() -> list[str]:
        fleet = Fleet(A, B)
        lost = [asyncio.create_task(fleet.endpoints.ask(fleet.when_told)) for _ in range(4)]
        await asyncio.sleep(0)
        for task, (_, answered) in zip(lost, fleet.pending, strict=True):
            if ends == "cancelled":
                task.cancel()
            else:
                answered.set_exception(TeacherRejected("no"))
        await asyncio.gather(*lost, return_exceptions=True)
        return [await fleet.endpoints.ask(fleet.at_once) for _ in range(4)]

    assert asyncio.run(run()) == [A, B, A, B]

"""An access token: fetched once, renewed in time, and again when it was refused."""

from __future__ import annotations

import asyncio

import pytest

from instil.errors import TeacherUnavailable
from instil.teachers.access_token import AccessToken, Grant


class Issuer:
    """Grants tokens 1, 2, 3 …; fails as often as it is told."""

    def __init__(self, expires_in: float = 1000.0, *, failures: int = 0) -> None:
        self.now, self.granted, self.expires_in, self.failures = 0.0, 0, expires_in, failures
        self.token = AccessToken(self.fetch, clock=lambda: self.now)

    async def fetch(self) -> Grant:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise TeacherUnavailable("busy")
        self.granted += 1
        return Grant(str(self.granted), self.expires_in)

    def at(self, now: float) -> str:
        self.now = now
        return asyncio.run(self.token.get())


def test_calls_at_the_same_time_share_one_fetch() -> None:
    async def run(issuer: Issuer) -> list[str]:
        return await asyncio.gather(*(issuer.token.get() for _ in range(50)))

    issuer = Issuer()
    assert asyncio.run(run(issuer)) == ["1"] * 50
    assert issuer.granted == 1


@pytest.mark.parametrize(("expires_in", "renewed_at"), [(1000.0, 900.0), (2592000.0, 2591700.0), (0.0, 0.0)])
def test_it_is_renewed_when_a_tenth_of_its_time_is_left_at_most_five_minutes(
    expires_in: float, renewed_at: float
) -> None:
    issuer = Issuer(expires_in)
    assert issuer.at(0.0) == "1"
    if renewed_at:
        assert issuer.at(renewed_at - 1) == "1"
    assert issuer.at(renewed_at) == "2"


def test_a_refused_token_is_fetched_anew_once_however_many_calls_it_failed() -> None:
    async def run(issuer: Issuer) -> list[str]:
        tokens = await asyncio.gather(*(issuer.token.get() for _ in range(10)))

        async def again(refused: str) -> str:
            issuer.token.forget(refused)
            return await issuer.token.get()

        return await asyncio.gather(*map(again, tokens))

    issuer = Issuer()
    assert asyncio.run(run(issuer)) == ["2"] * 10
    assert issuer.granted == 2


def test_a_failed_fetch_fails_one_call_and_the_next_tries_again() -> None:
    async def run(issuer: Issuer) -> list[str | BaseException]:
        return await asyncio.gather(*(issuer.token.get() for _ in range(3)), return_exceptions=True)

    first, *others = asyncio.run(run(Issuer(failures=1)))
    assert isinstance(first, TeacherUnavailable)
    assert others == ["1", "1"]


def test_a_cancelled_fetch_leaves_the_next_call_to_fetch() -> None:
    async def run(issuer: Issuer) -> str:
        lost = asyncio.create_task(issuer.token.get())
        waiting = asyncio.create_task(issuer.token.get())
        await asyncio.sleep(0)
        lost.cancel()
        return await waiting

    assert asyncio.run(run(Issuer())) == "1"


def test_a_refusal_that_comes_late_costs_the_newer_token_nothing() -> None:
    issuer = Issuer()
    first = issuer.at(0.0)
    issuer.token.forget(first)
    assert issuer.at(0.0) == "2"
    issuer.token.forget(first)

    assert issuer.at(0.0) == "2"

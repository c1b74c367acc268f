"""Keep under a server's caps on requests and tokens per minute, in every minute.

Requests are spaced evenly (the generic cell rate algorithm, ITU-T I.371): to spend a cap at once and
then wait would honour it too, but servers count in shorter spans than a minute. A token counts in the
minute in which its request was sent. How many tokens a call uses is known only when it has ended; until
then it counts as what calls of its size used before, with a margin for chance, and at first as the most
that it could use.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from instil.errors import TeacherUnavailable
from instil.teachers.base import Completion, Request, Teacher, Usage
from instil.teachers.budgeted import worst_case
from instil.teachers.traffic import Traffic

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

_MINUTE = 60.0
_OF_THE_CAP = 0.995
"""Share of a cap that is used: the rest pays for requests that reach the server a little early or late."""
_MAKE_UP_S = 0.25
"""Seconds that a request may be ahead of its turn, so that what is lost by waking up late is made up for.
No more than a cap goes out in a minute, as (60 + 0.25) · 0.995 < 60."""
_CATCHING_UP = 1.03
"""Share of a cap on tokens at which they are spaced; the window holds the cap. Were they spaced at the cap,
what a minute was short of by chance could never be made up for."""
_NAP_S = 0.25
_SAME_TIME_S = 0.1
_WITHIN = 1.01
"""What the tokens of a minute may come to by chance, as a share of the cap; two in a hundred are allowed."""
_DEVIATIONS = 2.0
_MEMORY = 200
"""About how many calls the mean use goes back."""


class Pace:
    """Even spacing of what is counted.

    Args:
        cap: how much a minute.
        share: of the cap that goes out.
    """

    def __init__(self, cap: int, share: float = _OF_THE_CAP) -> None:
        self._seconds_each = _MINUTE / (cap * share)
        self._due = 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until more may go."""
        return max(0.0, self._due - _MAKE_UP_S - now)

    def count(self, amount: float, now: float) -> None:
        """Count what goes now."""
        self._due = max(self._due, now) + amount * self._seconds_each

    def correct(self, amount: float) -> None:
        """Count what was counted too little; a negative amount, what was counted too much."""
        self._due += amount * self._seconds_each


@dataclass
class _Moment:
    """What was sent at about the same time."""

    end: float
    used: float = 0.0
    at_most: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True)
class Sent:
    """A call in flight, as `TokenWindow` counts it."""

    moment: _Moment
    at_most: int
    expected: float


class TokenWindow:
    """Tokens of the last minute: what was used, and what calls in flight may use.

    Args:
        cap: tokens a minute.
    """

    def __init__(self, cap: int) -> None:
        self._cap, self._pace = cap, Pace(cap, _CATCHING_UP)
        self._moments: deque[_Moment] = deque()
        self._sum = _Moment(0.0)
        self._share, self._variance, self._answered = 1.0, 0.0, 0

    def wait(self, at_most: int, now: float) -> float:
        """Return the seconds after which to look again whether a call may go; 0 if it may.

        Args:
            at_most: tokens that the call uses at most. One that is larger than the cap goes alone.
            now: seconds.
        """
        self._forget(now)
        paced = self._pace.wait(now)
        if not self._moments or self._fits(at_most):
            return paced
        until_less = self._moments[0].end + _MINUTE - now
        return max(paced, min(_NAP_S, until_less))

    def send(self, at_most: int, now: float) -> Sent:
        """Count a call that goes now."""
        if not self._moments or self._moments[-1].end < now:
            self._moments.append(_Moment(now + _SAME_TIME_S))
        sent = Sent(self._moments[-1], at_most, at_most * self._share)
        for tally in (sent.moment, self._sum):
            tally.at_most += at_most
            tally.squares += at_most * at_most
        self._pace.count(sent.expected, now)
        return sent

    def settle(self, sent: Sent, used: float, now: float) -> None:
        """Count what a call used in place of what it was expected to use."""
        self._forget(now)
        self._pace.correct(used - sent.expected)
        if sent.moment.end + _MINUTE <= now:
            return
        for tally in (sent.moment, self._sum):
            tally.used += used
            tally.at_most -= sent.at_most
            tally.squares -= sent.at_most * sent.at_most

    def learn(self, sent: Sent, used: int) -> None:
        """Take the use of an answered call into the mean of all (exponentially weighted)."""
        self._answered += 1
        weight = max(1 / (self._answered + 1), 1 / _MEMORY)
        off = used / max(1, sent.at_most) - self._share
        self._share += weight * off
        self._variance = (1 - weight) * (self._variance + weight * off * off)

    def _fits(self, at_most: int) -> bool:
        total = self._sum.at_most + at_most
        squares = max(0.0, self._sum.squares) + at_most * at_most
        mean = self._sum.used + self._share * total
        most = min(self._sum.used + total, mean + _DEVIATIONS * math.sqrt(self._variance * squares))
        return mean <= self._cap * _OF_THE_CAP and most <= self._cap * _WITHIN

    def _forget(self, now: float) -> None:
        while self._moments and self._moments[0].end + _MINUTE <= now:
            gone = self._moments.popleft()
            self._sum.used -= gone.used
            self._sum.at_most -= gone.at_most
            self._sum.squares -= gone.squares


class PacedTeacher:
    """A teacher that is asked no faster than caps per minute allow, in the order of the calls.

    It stands inside the limit on requests in flight: a request that may go, goes at once. The other
    way round, requests that are let through would gather before a slow server and then burst.

    Args:
        teacher: whom to ask.
        requests_per_minute: None for no cap.
        tokens_per_minute: input and output together; None for no cap.
        traffic: where waits are counted.
        clock: returns seconds that never go back.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        teacher: Teacher,
        *,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        traffic: Traffic,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._teacher, self._traffic = teacher, traffic
        self._clock, self._sleep = clock, sleep
        self._requests = Pace(requests_per_minute) if requests_per_minute else None
        self._tokens = TokenWindow(tokens_per_minute) if tokens_per_minute else None
        self._turn = asyncio.Lock()

    async def complete(self, request: Request) -> Completion:
        """Return the answer, asked for when the caps allow it."""
        if not self._requests and not self._tokens:
            return await self._teacher.complete(request)
        worst = worst_case(request)
        async with self._turn:
            sent = await self._let_go(worst)
        used: float = sent.expected if sent else 0
        try:
            completion = await self._teacher.complete(request)
            usage = worst if completion.usage == Usage() else completion.usage
            used = usage.total
            if sent and self._tokens:
                self._tokens.learn(sent, usage.total)
            return completion
        except TeacherUnavailable as error:
            used = used if error.maybe_charged else 0
            raise
        finally:
            if sent and self._tokens:
                self._tokens.settle(sent, used, self._clock())

    async def _let_go(self, worst: Usage) -> Sent | None:
        while wait := self._wait(worst):
            await self._sleep(wait)
            self._traffic.paced_s += wait
        now = self._clock()
        if self._requests:
            self._requests.count(1, now)
        return self._tokens.send(worst.total, now) if self._tokens else None

    def _wait(self, worst: Usage) -> float:
        now = self._clock()
        requests = self._requests.wait(now) if self._requests else 0.0
        return max(requests, self._tokens.wait(worst.total, now) if self._tokens else 0.0)

"""Ask again when the server is unavailable, as long as it asks to wait, else with full jitter."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from instil.errors import TeacherRefused, TeacherUnavailable, TeacherUnreachable
from instil.teachers.base import Completion, Request, Teacher
from instil.teachers.traffic import Traffic

Sleep = Callable[[float], Awaitable[None]]
_log = logging.getLogger(__name__)
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 60.0


class RetryingTeacher:
    """Tries a call up to `attempts` times.

    Waits what the server asks for, or a uniform share of 0.25, 0.5, 1, 2 … seconds, at most a minute
    ("full jitter", M. Brooker, Exponential Backoff And Jitter, 2015).

    Args:
        teacher: whom to ask.
        attempts: how often at most.
        max_wait_s: most seconds that one call waits in all.
        jitter: draws the shares.
        traffic: where retries and waits are counted.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        teacher: Teacher,
        *,
        attempts: int,
        max_wait_s: float,
        jitter: random.Random,
        traffic: Traffic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._teacher, self._attempts, self._max_wait_s = teacher, attempts, max_wait_s
        self._jitter, self._traffic, self._sleep = jitter, traffic, sleep
        self._told = False

    async def complete(self, request: Request) -> Completion:
        """Return the answer of the first attempt that succeeds.

        Raises:
            TeacherUnavailable: every attempt failed, or the next would come too late; the last failure.
            TeacherRefused: the server asks for a longer wait than is allowed.
        """
        waited = 0.0
        for attempt in range(1, self._attempts):
            try:
                return await self._teacher.complete(request)
            except TeacherUnavailable as error:
                wait = self._wait(attempt, error)
                if waited + wait > self._max_wait_s:
                    raise
                self._tell(error)
            await self._sleep(wait)
            waited += wait
            self._traffic.retried += 1
            self._traffic.waited_s += wait
        return await self._teacher.complete(request)

    def _tell(self, error: TeacherUnavailable) -> None:
        """Say at once what a user may want to mend while calls wait: a server that does not run."""
        if isinstance(error, TeacherUnreachable) and not self._told:
            self._told = True
            _log.warning("%s; trying again, %d times at most", error, self._attempts - 1)

    def _wait(self, attempt: int, error: TeacherUnavailable) -> float:
        if error.retry_after is None:
            return self._jitter.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (attempt - 1)))
        if error.retry_after > self._max_wait_s:
            raise TeacherRefused(
                f"{error}; it asks to wait {error.retry_after:,.0f} s, longer than max_wait_s "
                f"({self._max_wait_s:,.0f} s)",
                hint="answers so far are kept; run the same command again after that time, or raise "
                "generate.teacher.max_wait_s to let the run wait",
            ) from error
        return error.retry_after

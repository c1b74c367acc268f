"""Ask again when the server is unavailable, as long as it asks to wait, else with full jitter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from instil.errors import TeacherUnavailable
from instil.teachers.base import Completion, Request, Teacher

Sleep = Callable[[float], Awaitable[None]]
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0


class RetryingTeacher:
    """Tries a call up to `attempts` times.

    Waits what the server asks for, or a uniform share of `0.5 · 2^n` seconds, at most a minute
    ("full jitter", M. Brooker, Exponential Backoff And Jitter, 2015).
    """

    def __init__(
        self, teacher: Teacher, *, attempts: int, jitter: random.Random, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._teacher, self._attempts, self._jitter, self._sleep = teacher, attempts, jitter, sleep

    async def complete(self, request: Request) -> Completion:
        """Return the answer of the first attempt that succeeds.

        Raises:
            TeacherUnavailable: every attempt failed; the last failure.
        """
        for attempt in range(1, self._attempts):
            try:
                return await self._teacher.complete(request)
            except TeacherUnavailable as error:
                wait = self._jitter.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt))
                await self._sleep(wait if error.retry_after is None else error.retry_after)
        return await self._teacher.complete(request)

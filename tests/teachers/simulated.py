"""A server in virtual time: how it answers is a rule, and what it was asked is on record."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from instil.errors import TeacherUnavailable
from instil.teachers.base import Completion, Request, Teacher
from instil.teachers.limited import LimitedTeacher
from instil.teachers.retrying import RetryingTeacher
from instil.teachers.traffic import Traffic
from tests.fakes import completion, request
from tests.virtual_time import now, run_virtually

QUICK_S = 0.02
"""Seconds after which a refusal or an error comes."""


@dataclass
class SimulatedServer:
    """Answers after `latency` seconds, except what its rules refuse."""

    latency: float = 0.2
    most_in_flight: int = 10**9
    refused: float = 0.0
    """Share of requests that are answered 429, whatever else."""
    failed: float = 0.0
    """Share of requests that are answered 500."""
    outage: tuple[float, float] = (0.0, 0.0)
    """From when to when every request is answered 429."""
    retry_after: float | None = 1.0
    seed: int = 0
    in_flight: int = 0
    highest: int = 0
    refusals: list[float] = field(default_factory=list)
    """When."""
    asked: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    async def complete(self, request: Request) -> Completion:
        self.asked.append(now())
        self.in_flight += 1
        self.highest = max(self.highest, self.in_flight)
        try:
            await self._answer()
            return completion()
        finally:
            self.in_flight -= 1

    async def _answer(self) -> None:
        luck, down = self._rng.random(), self.outage[0] <= now() < self.outage[1]
        if down or luck < self.refused or self.in_flight > self.most_in_flight:
            self.refusals.append(now())
            await asyncio.sleep(QUICK_S)
            raise TeacherUnavailable("429", retry_after=self.retry_after, congested=True)
        if luck < self.refused + self.failed:
            await asyncio.sleep(QUICK_S)
            raise TeacherUnavailable("500", maybe_charged=False)
        await asyncio.sleep(self.latency)


@dataclass(frozen=True)
class Run:
    """What came of a simulated run."""

    seconds: float
    done: list[float]
    """When each call was answered."""
    failed: int
    traffic: Traffic


def simulate(server: Teacher, *, calls: int, most: int, attempts: int = 8) -> Run:
    """Make calls through the limit and the retries, as many at once as wait for a slot or a retry."""
    traffic, done, failed = Traffic(), list[float](), 0

    async def run() -> float:
        nonlocal failed
        limited = LimitedTeacher(server, most=most, first=-(-most // 2), traffic=traffic)
        rng = random.Random(1)
        patient = RetryingTeacher(limited, attempts=attempts, max_wait_s=600, jitter=rng, traffic=traffic)
        queue = iter(range(calls))

        async def work() -> None:
            nonlocal failed
            for _ in queue:
                try:
                    await patient.complete(request())
                    done.append(now())
                except TeacherUnavailable:
                    failed += 1

        await asyncio.gather(*(work() for _ in range(2 * most)))
        return now()

    seconds = run_virtually(run())
    return Run(seconds, done, failed, traffic)

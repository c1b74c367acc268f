"""RetryingTeacher: how often, and how long it waits."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.errors import (
    TeacherError,
    TeacherRefused,
    TeacherRejected,
    TeacherUnavailable,
    TeacherUnreachable,
)
from instil.teachers.base import Completion
from instil.teachers.retrying import RetryingTeacher
from instil.teachers.traffic import Traffic
from tests.fakes import ScriptedTeacher, completion, request


class Longest(random.Random):
    """Draws the upper end of every range."""

    def uniform(self, a: float, b: float) -> float:
        return b


def ask(
    teacher: ScriptedTeacher,
    *,
    attempts: int,
    jitter: random.Random | None = None,
    max_wait_s: float = 600.0,
    traffic: Traffic | None = None,
) -> tuple[Completion | TeacherError, list[float]]:
    """Return what came out, and the waits."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    patient = RetryingTeacher(
        teacher,
        attempts=attempts,
        max_wait_s=max_wait_s,
        jitter=jitter or Longest(),
        traffic=traffic or Traffic(),
        sleep=sleep,
    )
    try:
        return asyncio.run(patient.complete(request())), waits
    except TeacherError as error:
        return error, waits


def busy(retry_after: float | None = None, message: str = "busy") -> TeacherUnavailable:
    return TeacherUnavailable(message, retry_after=retry_after)


def test_waits_as_long_as_the_server_asks() -> None:
    teacher = ScriptedTeacher(busy(7.0), busy(0.0), busy(300.0), completion("hi"))

    assert ask(teacher, attempts=6) == (completion("hi"), [7.0, 0.0, 300.0])
    assert teacher.asked == [request()] * 4


def test_waits_at_most_twice_as_long_each_time_and_never_more_than_a_minute() -> None:
    _, waits = ask(ScriptedTeacher(busy()), attempts=11)

    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


@given(st.integers(0, 2**32))
def test_a_wait_is_a_share_of_the_longest(seed: int) -> None:
    _, waits = ask(ScriptedTeacher(busy()), attempts=4, jitter=random.Random(seed))

    assert len(set(waits)) == 3
    assert all(0 <= wait <= most for wait, most in zip(waits, (0.25, 0.5, 1.0), strict=True))


def test_an_answer_at_once_waits_for_nothing() -> None:
    assert ask(ScriptedTeacher(completion("hi")), attempts=6) == (completion("hi"), [])


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_gives_up_with_the_last_failure_after_the_last_attempt(attempts: int) -> None:
    failures = [busy(message=f"attempt {n}") for n in range(1, 7)]
    teacher = ScriptedTeacher(*failures)
    outcome, waits = ask(teacher, attempts=attempts)

    assert outcome is failures[attempts - 1]
    assert len(teacher.asked) == attempts
    assert len(waits) == attempts - 1


@pytest.mark.parametrize("error", [TeacherRejected("at fault"), TeacherRefused("no key")])
def test_does_not_ask_again_where_asking_again_cannot_help(error: TeacherError) -> None:
    teacher = ScriptedTeacher(busy(1.0), error)

    assert ask(teacher, attempts=6) == (error, [1.0])
    assert len(teacher.asked) == 2


def test_a_server_that_asks_for_hours_stops_the_run_at_once_and_says_why() -> None:
    outcome, waits = ask(ScriptedTeacher(busy(7200.0, "no capacity")), attempts=6)

    assert isinstance(outcome, TeacherRefused)
    assert str(outcome) == "no capacity; it asks to wait 7,200 s, longer than max_wait_s (600 s)"
    assert "raise generate.teacher.max_wait_s" in str(outcome.hint)
    assert waits == []


def test_a_call_waits_no_longer_in_all_than_it_may() -> None:
    teacher = ScriptedTeacher(busy(40.0), busy(50.0), busy(20.0, "third"))
    outcome, waits = ask(teacher, attempts=6, max_wait_s=100.0)

    assert str(outcome) == "third"
    assert isinstance(outcome, TeacherUnavailable)
    assert waits == [40.0, 50.0]


def test_retries_and_waits_are_counted() -> None:
    traffic = Traffic()
    ask(ScriptedTeacher(busy(7.0), busy(3.0), completion("hi")), attempts=6, traffic=traffic)

    assert (traffic.retried, traffic.waited_s) == (2, 10.0)


def test_a_server_that_takes_no_connection_is_spoken_of_at_once_and_only_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = TeacherUnreachable("http://localhost:1: no connection")

    ask(ScriptedTeacher(away, away, completion()), attempts=8)

    assert [record.getMessage() for record in caplog.records] == [f"{away}; trying again, 7 times at most"]

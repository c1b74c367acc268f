"""RetryingTeacher: how often, and how long it waits."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.errors import TeacherError, TeacherRefused, TeacherRejected, TeacherUnavailable
from instil.teachers.base import Completion
from instil.teachers.retrying import RetryingTeacher
from tests.fakes import ScriptedTeacher, completion, request


class Longest(random.Random):
    """Draws the upper end of every range."""

    def uniform(self, a: float, b: float) -> float:
        return b


def ask(
    teacher: ScriptedTeacher, *, attempts: int, jitter: random.Random | None = None
) -> tuple[Completion | TeacherError, list[float]]:
    """Return what came out, and the waits."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    patient = RetryingTeacher(teacher, attempts=attempts, jitter=jitter or Longest(), sleep=sleep)
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
    _, waits = ask(ScriptedTeacher(busy()), attempts=10)

    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


@given(st.integers(0, 2**32))
def test_a_wait_is_a_share_of_the_longest(seed: int) -> None:
    _, waits = ask(ScriptedTeacher(busy()), attempts=4, jitter=random.Random(seed))

    assert len(set(waits)) == 3
    assert all(0 <= wait <= most for wait, most in zip(waits, (1.0, 2.0, 4.0), strict=True))


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

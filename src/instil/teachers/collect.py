"""Ask a teacher for many answers at once; whatever happens, answers that came are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from instil.errors import (
    BudgetSpent,
    StageError,
    TeacherError,
    TeacherRefused,
    TeacherRejected,
    TeacherUnavailable,
)
from instil.teachers.base import Completion, Request, Teacher

T = TypeVar("T")
CallFailed = TeacherUnavailable | TeacherRejected
"""How a call ends that failed for good."""
_GRACE_S = 30.0
_ENOUGH_TO_TELL = 8
_BETWEEN_BREATHS = 64
_AT_ONCE = 4


async def collect(
    requests: Iterable[Request],
    teacher: Teacher,
    *,
    max_concurrency: int,
    on_answer: Callable[[int, Request, Completion], None],
    on_failure: Callable[[int, Request, CallFailed], None],
) -> None:
    """Ask every request; memory does not grow with their number.

    Args:
        requests: taken one by one, when a call can be made.
        teacher: whom to ask.
        max_concurrency: most calls at once.
        on_answer: called with a request's position, the request and its answer, as answers come.
        on_failure: called the same way for a call that failed for good.

    Raises:
        TeacherRefused: no request can succeed, or the budget is spent. No further call is made; those in
            flight are waited for, so that what they cost is not lost.
        StageError: the server answers nothing at all.
    """
    pool = _Pool(requests, teacher, max_concurrency, on_answer, on_failure)
    workers = [asyncio.create_task(pool.work()) for _ in range(max_concurrency)]
    # One future for all of them: waiting on each would cost the square of their number.
    all_ended = asyncio.gather(*workers)
    reason_to_stop = asyncio.create_task(pool.stopped.wait())
    try:
        either: set[asyncio.Future[Any]] = {all_ended, reason_to_stop}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        # Where the budget is spent the calls in flight are paid for already: they may take their time.
        patience = None if isinstance(pool.reason, BudgetSpent | None) else _GRACE_S
        await asyncio.wait({all_ended}, timeout=patience)
        if all_ended.done():
            all_ended.result()
    finally:
        for task in (*workers, reason_to_stop):
            task.cancel()
        await asyncio.gather(*workers, all_ended, reason_to_stop, return_exceptions=True)
    if pool.reason:
        raise pool.reason


class _Pool:
    def __init__(
        self,
        requests: Iterable[Request],
        teacher: Teacher,
        size: int,
        on_answer: Callable[[int, Request, Completion], None],
        on_failure: Callable[[int, Request, CallFailed], None],
    ) -> None:
        self._queue = enumerate(requests)
        self._teacher, self._size = teacher, size
        self._on_answer, self._on_failure = on_answer, on_failure
        self._answered = self._failed = 0
        self.reason: TeacherRefused | StageError | None = None
        self.stopped = asyncio.Event()

    async def work(self) -> None:
        for index, request in self._queue:
            try:
                completion = await self._teacher.complete(request)
            except (TeacherUnavailable, TeacherRejected) as error:
                self._failed += 1
                self._on_failure(index, request, error)
                self._give_up_on_a_dead_server(error)
            except TeacherRefused as error:
                self._stop(error)
            else:
                self._answered += 1
                self._on_answer(index, request, completion)
            if self.reason:
                return
            if index % _BETWEEN_BREATHS == 0:
                # Answers out of the journal come without a pause; Ctrl-C must get its turn.
                await asyncio.sleep(0)

    def _give_up_on_a_dead_server(self, error: TeacherError) -> None:
        if (
            self._answered
            or self._failed < max(self._size, _ENOUGH_TO_TELL)
            or not isinstance(error, TeacherUnavailable)
        ):
            return
        reason = StageError(
            f"the teacher answered none of {self._failed} calls; the last: {error}",
            hint=error.hint or "when the server is well again, run the same command",
        )
        reason.__cause__ = error
        self._stop(reason)

    def _stop(self, reason: TeacherRefused | StageError) -> None:
        self.reason = self.reason or reason
        self.stopped.set()


class InOrder(Generic[T]):
    """Hands on what comes in any order in the order of its positions 0, 1, 2 and so on.

    Use it in an `async with` block, which ends when everything has been handed on. A few are handed on at
    a time, between what else there is to do: a burst of answers must not hold up the next requests.

    Args:
        handle: takes each value when all before it have been taken; what it raises is raised by the next
            `put`, or at the end of the block.
    """

    def __init__(self, handle: Callable[[T], object]) -> None:
        self._handle = handle
        self._waiting: dict[int, T] = {}
        self._next = 0
        self._all_there = False
        self._news = asyncio.Event()

    @property
    def backlog(self) -> int:
        """How many values have not been handed on."""
        return len(self._waiting)

    def put(self, index: int, value: T) -> None:
        """Take the value of a position."""
        if self._handing_on.done():
            self._handing_on.result()
        self._waiting[index] = value
        if index == self._next:
            self._news.set()

    async def _hand_on(self) -> None:
        while True:
            while self._next in self._waiting:
                self._handle(self._waiting.pop(self._next))
                self._next += 1
                if self._next % _AT_ONCE == 0:
                    await asyncio.sleep(0)
            if self._all_there:
                return
            self._news.clear()
            await self._news.wait()

    async def __aenter__(self) -> Self:
        self._handing_on = asyncio.create_task(self._hand_on())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._all_there = True
        self._news.set()
        if error is None:
            await self._handing_on
        else:
            self._handing_on.cancel()
            await asyncio.gather(self._handing_on, return_exceptions=True)

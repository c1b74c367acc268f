"""Requests that are asked one by one, submitted in batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from instil.errors import TeacherError, TeacherRefused, TeacherRejected, TeacherUnavailable
from instil.teachers.base import Completion, Request
from instil.teachers.batch_api import Batch
from instil.teachers.batch_carrier import Carrier
from instil.teachers.batch_log import Submission
from instil.teachers.chat_completions import Dialect, chat_body

log = logging.getLogger(__name__)

_MOST_BYTES = 200_000_000
"""Of the file of one batch; the limit of the API."""


@dataclass(eq=False)
class _Wanted:
    """A request, and the calls that wait until it is settled what becomes of it."""

    request: Request
    calls: int = 0
    settled: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class BatchTeacher:
    """Collects requests into batches, and hands out what comes back.

    A request waits for the batch that it is in already, be it of an earlier run; or else for the next
    one, which is submitted when it is full or when no request has come for a while.

    Args:
        carrier: takes batches to the server and brings back their rows.
        model: the name that the server expects.
        dialect: how the server wants to be asked, as far as it is known.
        requests_per_batch: most requests in one batch.
        linger_s: seconds without a new request after which a batch is submitted.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        carrier: Carrier,
        model: str,
        dialect: Dialect,
        *,
        requests_per_batch: int,
        linger_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._carrier, self._api, self._log = carrier, carrier.api, carrier.log
        self._model, self._dialect, self._first_dialect = model, dialect, dialect
        self._in_plain_form: set[str] = set()
        self._most, self._linger_s, self._sleep = requests_per_batch, linger_s, sleep
        self._wanted: dict[str, _Wanted] = {}
        self._unsent: dict[str, Request] = {}
        self._came = 0
        self._gathering: asyncio.Task[None] | None = None
        self._carried: dict[str, asyncio.Task[Batch | None]] = {}
        self._room: int | None = None  # batches that fit the server's queue, once it has said no
        self._one_ended = asyncio.Event()

    async def complete(self, request: Request) -> Completion:
        """Return the answer that came back in a batch.

        Raises:
            TeacherUnavailable: the batch ended without an answer to it, or the server cannot be reached.
            TeacherRejected: the server refused this request; it is not submitted again.
            TeacherRefused: the server refuses every request, or somebody cancelled the batch.
        """
        if (row := self._log.row(request.key)) is not None:
            try:
                return self._read(request, row)
            except (TeacherUnavailable, TeacherRefused):
                # It failed in an earlier run, or when nobody waited for it; what was wrong may be mended.
                self._log.forget(request.key)
        await self._settled(request)
        row = self._log.row(request.key)
        if row is None:
            raise _unanswered("its row holds no answer")  # as another call for the same request has found
        try:
            return self._read(request, row)
        except (TeacherUnavailable, TeacherRefused):
            self._log.forget(request.key)
            raise

    async def close(self) -> None:
        """Leave what is at the server to the next run."""
        if self._carried:
            log.info("%d batches go on at the server; the same command waits for them", len(self._carried))
        tasks = [*self._carried.values(), *([self._gathering] if self._gathering else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _settled(self, request: Request) -> None:
        """Return when it is settled what becomes of a request; a call that is given up unsends it."""
        wanted = self._wanted.get(request.key)
        if wanted is None:
            wanted = self._wanted[request.key] = _Wanted(request)
            self._place(request.key)
        wanted.calls += 1
        try:
            await asyncio.shield(wanted.settled)
        finally:
            wanted.calls -= 1
            if not wanted.calls and self._wanted.get(request.key) is wanted:
                del self._wanted[request.key]
                self._unsent.pop(request.key, None)

    def _place(self, key: str) -> None:
        """Let a request wait for the batch that it is in, or for the next one."""
        submission = self._log.claim(key)
        if submission is None:
            self._unsent[key] = self._wanted[key].request
            self._came += 1
            if self._gathering is None or self._gathering.done():
                self._gathering = asyncio.create_task(self._gather())
                self._gathering.add_done_callback(self._gathered)
        elif submission.mark not in self._carried:
            self._carry(submission, self._carrier.resume(submission))

    async def _gather(self) -> None:
        """Submit what waits until nothing does."""
        while self._unsent:
            came = -1
            while came != self._came and len(self._unsent) < self._most:
                came = self._came
                await self._sleep(self._linger_s)
            while self._room is not None and len(self._carried) >= self._room:
                self._one_ended.clear()
                await self._one_ended.wait()
            self._submit_next()

    def _submit_next(self) -> None:
        # On its own, so that nothing holds the lines while the batch is at the server.
        if lines := self._next_lines():
            submission = self._log.intend(list(lines))
            self._carry(submission, self._carrier.submit(submission, b"".join(lines.values())))

    def _gathered(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error:
            self._unsent.clear()
            for key in list(self._wanted):
                submission = self._log.claim(key)
                if submission is None or submission.mark not in self._carried:
                    self._settle(key, error)

    def _next_lines(self) -> dict[str, bytes]:
        """Take from what waits as much as one batch holds; return the lines of its file by request."""
        lines: dict[str, bytes] = {}
        size = 0
        for key, request in list(self._unsent.items())[: self._most]:
            line = self._api.line(key, chat_body(self._model, request, self._dialect))
            if lines and size + len(line) > _MOST_BYTES:
                break
            lines[key] = line
            size += len(line)
            del self._unsent[key]
        return lines

    def _carry(self, submission: Submission, carrying: Coroutine[Any, Any, Batch | None]) -> None:
        task = asyncio.create_task(carrying)
        self._carried[submission.mark] = task
        task.add_done_callback(partial(self._arrived, submission))

    def _arrived(self, submission: Submission, task: asyncio.Task[Batch | None]) -> None:
        """Settle the requests of a batch that has ended, and place those anew that should be."""
        del self._carried[submission.mark]
        self._one_ended.set()
        if task.cancelled():
            return
        error = task.exception()
        batch = None if error else task.result()
        if batch:
            error = self._reason(batch, len(submission.keys))
        for key in submission.keys:
            if key in self._wanted:
                if self._log.row(key) is not None:
                    self._settle(key, None)
                elif error:
                    self._settle(key, error)
                else:
                    self._place(key)

    def _settle(self, key: str, error: BaseException | None) -> None:
        settled = self._wanted.pop(key).settled
        if error:
            settled.set_exception(error)
        else:
            settled.set_result(None)

    def _reason(self, batch: Batch, size: int) -> TeacherError | None:
        """Return why requests of a batch have no row; None if they are to be submitted again at once."""
        if batch.outcome == "cancelled":
            return TeacherRefused(
                f"batch {batch.id} was cancelled",
                hint="its answers are kept; run the same command again to submit the other requests anew",
            )
        if batch.outcome != "failed":
            return _unanswered(f"batch {batch.id} {batch.outcome} without an answer to it")
        if batch.queue_is_full:
            return self._make_room(batch, size)
        reasons = [self._api.refusal(f"batch {batch.id}", problem) for problem in batch.problems]
        stop = next((reason for reason in reasons if isinstance(reason, TeacherRefused)), None)
        if stop:
            return stop
        if any(problem.line for problem in batch.problems):
            # Those lines have a row that says so; the others only stood beside them.
            return _unanswered(f"batch {batch.id} failed for other requests in it")
        said = "; ".join(problem.message for problem in batch.problems) or "no reason given"
        return TeacherRefused(f"batch {batch.id} failed: {said}", hint="nothing of it was charged")

    def _make_room(self, batch: Batch, size: int) -> TeacherError | None:
        """Go on with fewer batches at a time, or with smaller ones where it was the only one."""
        said = batch.problems[0].message
        if self._carried:
            self._room = len(self._carried)
            log.warning(
                "the server's queue is full (%s); going on with %d batches at a time", said, self._room
            )
            return None
        if size == 1:
            return TeacherRefused(
                f"batch {batch.id} of one request failed: {said}",
                hint="other batches of the account fill its queue; run the same command when they have ended",
            )
        self._room, self._most = 1, min(self._most, size // 2)
        log.warning("the server's queue is full (%s); going on with %d requests a batch", said, self._most)
        return None

    def _read(self, request: Request, row: Any) -> Completion:
        try:
            return self._api.completion(row)
        except TeacherRejected:
            refusal = self._api.refused_form(row)
            body = chat_body(self._model, request, self._first_dialect)
            plainer = self._first_dialect.after(refusal, body) if refusal else None
            if plainer is None or request.key in self._in_plain_form:
                raise
            self._dialect = self._dialect.plainer(plainer)
            self._in_plain_form.add(request.key)
            raise _unanswered("the server wants it in a plainer form") from None


def _unanswered(why: str) -> TeacherUnavailable:
    """Return an error after which the request joins the next batch; nothing was charged for it."""
    return TeacherUnavailable(why, retry_after=0.0, maybe_charged=False)

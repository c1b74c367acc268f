"""Let as many requests into flight as the server bears, and no more than the recipe allows."""

from __future__ import annotations

import asyncio
from collections import deque

from instil.errors import TeacherRefused, TeacherUnavailable
from instil.teachers.base import Completion, Request, Teacher
from instil.teachers.congestion import CongestionControl
from instil.teachers.traffic import Traffic

_OUTAGE = 4
"""Fewest refusals in a row that are taken for an outage; more where more are in flight."""
_LONGEST_PAUSE_S = 60.0


class Slots:
    """Places in flight, handed on in the order in which they were asked for.

    The slot of a refused request rests to the end of its round, which is about a round trip. Refusals
    come back far sooner than answers; without the rest one slot too many would be refused ten times
    while the others are answered once. The limit follows `CongestionControl`. A server that refuses
    everything, as many requests in a row as the limit allows, is left alone as long as it asks for, or
    1, 2, 4 … 60 seconds, and then tried with one request.

    Args:
        control: how many slots there are.
    """

    def __init__(self, control: CongestionControl) -> None:
        self._control = control
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._in_flight = self._resting = 0
        self._round = self._sent = self._refused = 0
        self._full = False
        self._in_a_row = self._pauses = 0
        self._pause: asyncio.TimerHandle | None = None

    async def acquire(self) -> int:
        """Return the number of the present round when a slot is free and nobody was waiting before."""
        if self._free() and not self._waiting:
            self._take()
        else:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    # It was handed over in the same moment; the next one gets it.
                    self._in_flight -= 1
                    if not self._in_flight:
                        self._end_round()
                    self._hand_out()
                raise
        return self._round

    def release(self, number: int, refusal: TeacherUnavailable | None) -> None:
        """Give a slot back.

        Args:
            number: the round that `acquire` returned.
            refusal: why the server refused the request, if it had too much to do.
        """
        self._in_flight -= 1
        present = number == self._round
        if refusal:
            self._resting += 1
            self._refused += present
            self._in_a_row += 1
        else:
            self._in_a_row = self._pauses = 0
            self._resume()
        answered = present and not refusal and 2 * self._sent >= self._control.limit
        if answered or self._in_flight == 0 or 4 * self._resting >= 3 * self._control.limit:
            self._end_round()
        if refusal and self._in_a_row >= max(_OUTAGE, self._control.limit) and not self._pause:
            self._leave_alone(refusal.retry_after)
        self._hand_out()

    def _free(self) -> bool:
        return self._pause is None and self._in_flight + self._resting < self._control.limit

    def _take(self) -> None:
        self._in_flight += 1
        self._sent += 1
        self._full = self._full or not self._free()

    def _hand_out(self) -> None:
        while self._waiting and self._free():
            turn = self._waiting.popleft()
            if not turn.done():
                self._take()
                turn.set_result(None)

    def _end_round(self) -> None:
        if self._sent:
            self._control.round_ended(self._sent, self._refused, full=self._full)
        self._round += 1
        self._sent = self._refused = self._resting = 0
        self._full = False

    def _leave_alone(self, asked: float | None) -> None:
        self._control.outage()
        seconds = min(_LONGEST_PAUSE_S, 2.0**self._pauses) if asked is None else asked
        self._pauses += 1
        self._pause = asyncio.get_running_loop().call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._pause:
            self._pause.cancel()
            self._pause = None
            self._hand_out()


class LimitedTeacher:
    """A teacher with a limit on requests in flight that follows what the server bears.

    A slot is held for one attempt and is free while a call waits to be tried again.

    Args:
        teacher: whom to ask.
        most: most requests in flight.
        first: requests in flight at the start, before anything is known of the server.
        traffic: where attempts, refusals and slow-downs are counted.
    """

    def __init__(self, teacher: Teacher, *, most: int, first: int, traffic: Traffic) -> None:
        self._teacher, self._traffic = teacher, traffic
        self._refused: TeacherRefused | None = None
        self._slots = Slots(CongestionControl(most, first, traffic))

    async def complete(self, request: Request) -> Completion:
        """Return the answer, asked for when a slot is free.

        Raises:
            TeacherRefused: no request can succeed, as this one or one before it has shown; those that
                waited for a slot are not sent.
        """
        number = await self._slots.acquire()
        refusal: TeacherUnavailable | None = None
        try:
            if self._refused:
                raise self._refused
            self._traffic.attempts += 1
            return await self._teacher.complete(request)
        except TeacherRefused as error:
            self._refused = error
            raise
        except TeacherUnavailable as error:
            if error.congested:
                refusal = error
                self._traffic.congested += 1
            raise
        finally:
            self._slots.release(number, refusal)

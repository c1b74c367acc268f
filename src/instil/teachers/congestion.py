"""Find out how many requests a server bears at once, from which of them it refuses.

A refusal (429, 503, 529) can mean that too many requests are in flight, or nothing of the kind: some
servers refuse a share of all requests whatever their number. The two are told apart by trying. When
more is refused than usual, the limit is lowered by just that share. If the refusals go away, there
were too many in flight and the lower limit stays; if they do not, the limit was not the cause: it is
restored, and refusals of that share are taken as usual from then on.

The limit grows as TCP's congestion window does after Jacobson (Congestion Avoidance and Control, 1988):
twice as many with every round trip until something is refused; after that one more, then two, four …
as long as all goes well, and the longer between trials the more of them have failed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from instil.teachers.traffic import Traffic

_WINDOW = 32
"""Fewest outcomes from which a share is taken, unless ..."""
_MANY = 8
"""... so many were refused."""
_EVIDENCE = 5.0
"""Refusals to be expected, if the limit is not the cause, before a lowered limit is judged."""
_TOLERATED = 0.05
"""A share that does not stop the first doubling: finding out its cause would take longer than to grow."""
_MOST_USUAL = 0.5
"""A server that refuses more than this share has too much to do, whatever else."""
_LONGEST_PATIENCE = 16


@dataclass
class _Trial:
    """A lowered limit whose effect is being watched."""

    before: int
    share: float
    sent: int = 0
    refused: int = 0


class CongestionControl:
    """The limit on requests in flight.

    Args:
        most: the limit is never higher.
        first: the limit at the start.
        traffic: where slow-downs are counted.
    """

    def __init__(self, most: int, first: int, traffic: Traffic) -> None:
        self.limit = min(most, first)
        self._most, self._traffic = most, traffic
        self._usual = 0.0
        self._sent = self._refused = 0
        self._trial: _Trial | None = None
        self._step, self._doubling = self.limit, True
        self._patience, self._wait = 1, 0
        self._before_outage = 0

    def round_ended(self, sent: int, refused: int, *, full: bool) -> None:
        """Learn from the requests of about one round trip.

        Args:
            sent: requests that were sent in it.
            refused: how many of them were refused.
            full: whether as many were in flight as the limit allows.
        """
        if self._before_outage:
            if refused < sent:
                self._after_outage()
        elif self._trial:
            self._watch(self._trial, sent, refused)
        else:
            self._judge(sent, refused, full)

    def _judge(self, sent: int, refused: int, full: bool) -> None:
        self._sent += sent
        self._refused += refused
        enough = self._sent >= max(_WINDOW, self.limit) or self._refused >= _MANY
        share = self._refused / self._sent
        excess = (share - self._usual) / (1 - self._usual)
        if self._unusual() and enough and round(self.limit * excess) >= 1:
            self._slow_down(excess, share)
            return
        if enough:
            # Down only: what rises is tried out above, or refusals that grow with the limit would
            # come to be taken as usual, one step at a time.
            self._usual = min(self._usual, 0.9 * self._usual + 0.1 * share)
            self._sent = self._refused = 0
        if full and not self._unusual():
            self._grow()

    def _unusual(self) -> bool:
        expected = self._usual * self._sent
        tolerated = _TOLERATED * self._sent if self._doubling else 0.0
        return self._refused > max(expected + 2 * math.sqrt(expected), tolerated)

    def _watch(self, trial: _Trial, sent: int, refused: int) -> None:
        trial.sent += sent
        trial.refused += refused
        if trial.share * trial.sent < _EVIDENCE:
            return
        share = trial.refused / trial.sent
        self._trial = None
        if share < trial.share / 3:
            self._usual, self._doubling = share, False
            self._step = 1
            self._patience = min(_LONGEST_PATIENCE, 2 * self._patience)
            self._wait = self._patience
        elif max(trial.share, share) <= _MOST_USUAL:
            self.limit, self._usual = trial.before, share
        else:
            self._slow_down(share, share)

    def _slow_down(self, excess: float, share: float) -> None:
        self._trial = _Trial(self.limit, share)
        self._lower(self.limit - round(self.limit * min(0.5, excess)))

    def _grow(self) -> None:
        if self._wait > 0:
            self._wait -= 1
            return
        if self.limit < self._most:
            self.limit = min(self._most, self.limit + self._step)
            self._step = min(2 * self._step, self.limit)
            self._patience = max(1, self._patience // 2)
            self._sent = self._refused = 0

    def outage(self) -> None:
        """Go down to one request at a time, which finds out when the server is back."""
        self._before_outage = max(self._before_outage, self.limit)
        self._trial = None
        self._lower(1)

    def _after_outage(self) -> None:
        """Go back at once to half of what it was: the server was well with it."""
        self.limit = min(self._most, -(-self._before_outage // 2))
        self._step = self.limit
        self._before_outage = 0
        self._sent = self._refused = self._wait = 0

    def _lower(self, limit: int) -> None:
        self._sent = self._refused = 0
        if limit < self.limit:
            self._traffic.slow_downs += 1
            self.limit = max(1, limit)
            lowest = self._traffic.lowest_limit
            self._traffic.lowest_limit = self.limit if lowest is None else min(lowest, self.limit)

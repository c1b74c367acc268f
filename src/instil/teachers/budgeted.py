"""Count what is spent, and never overrun a budget."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path

import orjson

from instil.errors import BudgetSpent, RequestError, TeacherRefused, TeacherRejected, TeacherUnavailable
from instil.teachers.base import Budget, Completion, Price, Request, Sampling, Teacher, Usage
from instil.teachers.tally import Tally

_MESSAGE_TOKENS = 8
_TEMPLATE_TOKENS = 128
"""What a chat template may add to a prompt: a system prompt of its own, the date, marks."""

_log = logging.getLogger(__name__)


def worst_case(request: Request, max_tokens: int | None = None) -> Usage:
    """Return the most tokens that a request can use: one for each byte asked, all of the answer.

    A token of a byte-level BPE vocabulary stands for at least one byte. To count with fewer, because
    most texts have fewer, would be no bound.

    Args:
        request: what is asked, with its schema and the options that servers count as input.
        max_tokens: most tokens of the answer; the request's own if not given.
    """
    sampling = request.sampling
    asked = sum(len(message.content.encode()) + _MESSAGE_TOKENS for message in request.messages)
    asked += sum(len(orjson.dumps(part)) for part in (request.response_schema, sampling.extra) if part)
    return Usage(
        input_tokens=asked + _TEMPLATE_TOKENS,
        output_tokens=_most_written(sampling, sampling.max_tokens if max_tokens is None else max_tokens),
    )


def _most_written(sampling: Sampling, max_tokens: int | None) -> int:
    numbers = {name: value for name, value in sampling.extra.items() if isinstance(value, int)}
    limits = [value for name, value in numbers.items() if "max" in name and "tokens" in name]
    # DashScope grants what a model thinks in addition to max_tokens; elsewhere it is part of them.
    each = max([max_tokens or 0, *limits]) + numbers.get("thinking_budget", 0)
    return each * max(1, numbers.get("n", 1), numbers.get("best_of", 1))


class Ledger:
    """What was spent, what is reserved for calls in flight, and what may have been charged besides.

    A request that broke off after it was sent may be charged though no answer came. It counts against
    the budget as the most that it can have cost, and is not part of `spent`.

    Args:
        price: what tokens cost, if that is known.
        budget: what may be spent.

    Raises:
        RequestError: a budget in money without a price.
    """

    def __init__(self, price: Price | None, budget: Budget | None) -> None:
        self._price, self._budget = price, budget or Budget()
        if self._budget.max_cost_usd is not None and price is None:
            raise RequestError("a budget in money needs a price", hint="give generate.teacher.price")
        self.spent = Usage()
        self.lost = Usage()
        """At most charged for requests that were sent and never answered."""
        self.reserved = Usage()
        """Set aside for calls in flight."""
        self._excess = 1.0
        self._tally: Tally | None = None
        self._turn, self._settled = asyncio.Lock(), asyncio.Event()

    @property
    def limited(self) -> bool:
        """Whether there is a budget."""
        return self._budget.max_tokens is not None or self._budget.max_cost_usd is not None

    @property
    def cost_usd(self) -> float | None:
        """What was spent in US dollars, or None if no price is known."""
        return self._price.of(self.spent) if self._price else None

    @contextmanager
    def going_on(self, spent: Usage, tally: Path | None) -> Iterator[None]:
        """Count on from earlier runs, because a budget is for the run and not for each start of its command.

        Args:
            spent: what the answers of earlier runs have used.
            tally: a file that remembers what calls without an answer may have cost, also those that a kill
                cut off; None where such a call is found again, and nothing of it is lost.
        """
        self.spent = spent
        if tally is None or not self.limited:
            yield
            return
        with Tally(tally) as self._tally:
            self.lost = _beyond(self._tally.read(), spent)
            try:
                yield
            finally:
                self._tally = None

    async def reserve(self, usage: Usage) -> Usage:
        """Set `usage` aside and return what was set aside, for `settle`.

        Waits while only what other calls have set aside is in the way: most of it comes back.

        Raises:
            BudgetSpent: the budget could be overrun even if all calls in flight were free.
            TeacherRefused: the answer has no limit, and the budget has.
        """
        if not usage.output_tokens and self.limited:
            raise TeacherRefused("a request without max_tokens can cost any amount", hint="give max_tokens")
        async with self._turn:
            while True:
                most = _times(usage, self._excess)
                self._check(most)
                if self._left_over(self.spent + self.lost + self.reserved + most) >= 0:
                    self.reserved += most
                    self._note()
                    return most
                self._settled.clear()
                await self._settled.wait()

    def settle(self, reserved: Usage, *, used: Usage | None = None, lost: bool = False) -> None:
        """Release what was set aside and book what was used.

        Args:
            reserved: what `reserve` returned.
            used: what the server says was used; None if it did not answer.
            lost: whether the server may charge for it all the same.
        """
        self.reserved += Usage.model_construct(
            input_tokens=-reserved.input_tokens, output_tokens=-reserved.output_tokens
        )
        if used:
            self.spent += used
            self._learn(reserved, used)
        elif lost:
            self.lost += reserved
        self._note()
        self._settled.set()

    def _note(self) -> None:
        if self._tally:
            self._tally.write(self.spent + self.lost + self.reserved)

    def _check(self, most: Usage) -> None:
        booked = self.spent + self.lost
        if self._left_over(booked + most) >= 0:
            return
        budget, price = self._budget, self._price
        if budget.max_tokens is not None and (booked + most).total > budget.max_tokens:
            whole, spent, left, next_call = (
                f"{tokens:,} tokens"
                for tokens in (
                    budget.max_tokens,
                    booked.total,
                    max(0, budget.max_tokens - booked.total),
                    most.total,
                )
            )
        else:
            assert price is not None
            assert budget.max_cost_usd is not None
            cost = price.of(booked)
            whole, spent, left, next_call = map(
                dollars, (budget.max_cost_usd, cost, max(0.0, budget.max_cost_usd - cost), price.of(most))
            )
        lost = self.lost.total
        broken = f" ({lost:,} tokens of it by requests that broke off, at most)" if lost else ""
        raise BudgetSpent(
            f"the budget of {whole} does not allow another call: {spent} spent{broken}, "
            f"{left} left, and the next call could cost {next_call}",
            hint="answers so far are kept; raise generate.teacher.budget and run the same command again",
        )

    def _left_over(self, total: Usage) -> float:
        """Return what would be left, in the unit that is scarcer; negative if it is too much."""
        budget = self._budget
        tokens = float("inf") if budget.max_tokens is None else budget.max_tokens - total.total
        if budget.max_cost_usd is None or self._price is None:
            return tokens
        return min(tokens, budget.max_cost_usd - self._price.of(total))

    def _learn(self, reserved: Usage, used: Usage) -> None:
        """Set more aside from now on if a call used more than could be foreseen."""
        excess = max(
            used.input_tokens / max(1, reserved.input_tokens),
            used.output_tokens / max(1, reserved.output_tokens),
        )
        if excess > 1:
            self._excess *= excess
            _log.warning(
                "a call used %s input and %s output tokens, more than the %s and %s that were set aside for "
                "it; more is set aside from now on",
                used.input_tokens,
                used.output_tokens,
                reserved.input_tokens,
                reserved.output_tokens,
            )


class BudgetedTeacher:
    """A teacher that sets the worst case aside before each attempt and settles after it."""

    def __init__(self, teacher: Teacher, ledger: Ledger) -> None:
        self._teacher, self._ledger = teacher, ledger

    async def complete(self, request: Request) -> Completion:
        """Return the answer if the budget allows to ask for it.

        Raises:
            BudgetSpent: the budget could be overrun.
        """
        if not self._ledger.limited:
            # Nothing to set aside: most runs have no budget, and the sums are not free.
            completion = await self._teacher.complete(request)
            self._ledger.spent += completion.usage
            return completion
        most = await self._ledger.reserve(worst_case(request))
        used: Usage | None = None
        # Whatever else ends the call, a cancellation too, may come after it was sent.
        lost = True
        try:
            completion = await self._teacher.complete(request)
            # A server that does not say what was used could overrun the budget; count the most.
            used = most if completion.usage == Usage() else completion.usage
            return completion
        except TeacherUnavailable as error:
            lost = error.maybe_charged
            raise
        except (TeacherRejected, TeacherRefused):
            lost = False
            raise
        finally:
            self._ledger.settle(most, used=used, lost=lost)


def dollars(cost: float) -> str:
    """Return an amount of money to be read; of small ones the first digits that are not 0."""
    return f"${cost:,.2f}" if abs(cost) >= 0.1 or cost == 0 else f"${cost:.2g}"


def _beyond(whole: Usage, part: Usage) -> Usage:
    return Usage(
        input_tokens=max(0, whole.input_tokens - part.input_tokens),
        output_tokens=max(0, whole.output_tokens - part.output_tokens),
    )


def _times(usage: Usage, factor: float) -> Usage:
    return Usage(
        input_tokens=ceil(usage.input_tokens * factor), output_tokens=ceil(usage.output_tokens * factor)
    )

"""Count what is spent, and never overrun a budget."""

from __future__ import annotations

from instil.errors import TeacherRefused
from instil.teachers.base import Budget, Completion, Price, Request, Teacher, Usage


def worst_case(request: Request, max_tokens: int) -> Usage:
    """Return the most tokens that a request can use: one for each byte asked, all of the answer."""
    asked = sum(len(message.content.encode()) + 8 for message in request.messages)
    return Usage(input_tokens=asked, output_tokens=max_tokens)


class Ledger:
    """What was spent and what is reserved for calls in flight."""

    def __init__(self, price: Price | None, budget: Budget | None) -> None:
        self._price, self._budget = price, budget
        self.spent = Usage()
        self._reserved = Usage()

    @property
    def cost_usd(self) -> float | None:
        """What was spent in US dollars, or None if no price is known."""
        return self._price.of(self.spent) if self._price else None

    def reserve(self, usage: Usage) -> None:
        """Set `usage` aside.

        Raises:
            TeacherRefused: the budget could be overrun.
        """
        total = self.spent + self._reserved + usage
        budget = self._budget
        if budget and budget.max_tokens and total.input_tokens + total.output_tokens > budget.max_tokens:
            raise _spent(f"{budget.max_tokens:,} tokens")
        if budget and budget.max_cost_usd and self._price and self._price.of(total) > budget.max_cost_usd:
            raise _spent(f"${budget.max_cost_usd:,.2f}")
        self._reserved += usage

    def settle(self, reserved: Usage, used: Usage) -> None:
        """Release what was set aside and book what was used."""
        self._reserved += Usage.model_construct(
            input_tokens=-reserved.input_tokens, output_tokens=-reserved.output_tokens
        )
        self.spent += used


class BudgetedTeacher:
    """A teacher that reserves the worst case before a call and settles after it."""

    def __init__(self, teacher: Teacher, ledger: Ledger) -> None:
        self._teacher, self._ledger = teacher, ledger

    async def complete(self, request: Request) -> Completion:
        """Return the answer if the budget allows to ask for it.

        Raises:
            TeacherRefused: the budget could be overrun.
        """
        reserved = worst_case(request, request.sampling.max_tokens or 0)
        self._ledger.reserve(reserved)
        used = Usage()
        try:
            completion = await self._teacher.complete(request)
            # A server that does not say what was used could overrun the budget; count the most.
            used = reserved if completion.usage == Usage() else completion.usage
            return completion
        finally:
            self._ledger.settle(reserved, used)


def _spent(what: str) -> TeacherRefused:
    return TeacherRefused(
        f"the budget of {what} does not allow another call",
        hint="answers so far are kept; raise generate.teacher.budget and run the same command again",
    )

"""Filters in order: the first no decides, and what everyone said is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from instil.data.examples import Example, Rejection
from instil.errors import TeacherUnavailable
from instil.filters.base import Filter, FilterConfigBase
from instil.filters.judged import AnswerNeeded, JudgedFilter
from instil.filters.judging import Judge
from instil.teachers.base import Request
from instil.teachers.collect import CallFailed

_EXAMPLES_PER_REASON = 3


@dataclass(frozen=True)
class Unjudged:
    """An example about which its judge gave no answer."""

    filter: str
    example: Example
    request: Request
    error: CallFailed

    def row(self) -> dict[str, Any]:
        """Return what is written to a file."""
        return {
            "filter": self.filter,
            "reason": str(self.error),
            "request": self.request.key,
            "example": self.example.row(),
        }


@dataclass
class _Tally:
    """What one filter was shown, and what it said."""

    name: str
    seen: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def reject(self, reason: str, example: Example) -> None:
        self.rejected[reason] += 1
        ids = self.examples.setdefault(reason, [])
        if len(ids) < _EXAMPLES_PER_REASON:
            ids.append(example.id)

    def row(self) -> dict[str, Any]:
        reasons = {
            reason: {"count": count, "examples": self.examples[reason]}
            for reason, count in sorted(self.rejected.items())
        }
        return {
            "filter": self.name,
            "seen": self.seen,
            "rejected": self.rejected.total(),
            "reasons": reasons,
        }


class Chain:
    """New filters and their counts; use it in a `with` statement.

    Args:
        configs: the filters in order.
        judges: those of the `judged` filters among them, by place.

    Attributes:
        kept: how many examples every filter let pass; one that waits for its judge counts among them.
        failed: how many examples have no verdict because the call failed, by reason.
        passing_failures: those of them that may go better another time.
    """

    def __init__(self, configs: Sequence[FilterConfigBase], judges: Mapping[int, Judge]) -> None:
        self._filters: list[Filter] = [each.build() for each in configs]
        self._tallies = [_Tally(str(getattr(each, "kind", ""))) for each in configs]
        self._judges, self._stack = judges, ExitStack()
        self.kept = self.passing_failures = 0
        self.failed: Counter[str] = Counter()

    def decide(self, example: Example) -> Example | Rejection | Unjudged:
        """Return the example as it is kept, or why it is not."""
        for index, (each, tally) in enumerate(zip(self._filters, self._tallies, strict=True)):
            tally.seen += 1
            try:
                rejection = each.check(example)
            except AnswerNeeded as needed:
                error = self._judges[index].need(needed.request)
                if error is None:
                    break
                self.failed[f"{tally.name}: call failed"] += 1
                self.passing_failures += isinstance(error, TeacherUnavailable)
                return Unjudged(tally.name, example, needed.request, error)
            if rejection:
                tally.reject(rejection.reason, example)
                return rejection
        for each in self._filters:
            example = each.annotate(example)
        self.accept(example)
        self.kept += 1
        return example

    def accept(self, example: Example) -> None:
        """Let every filter take note of an example."""
        for each in self._filters:
            each.accept(example)

    @property
    def rejected(self) -> Counter[str]:
        """How many examples were rejected, by filter and reason."""
        found: Counter[str] = Counter()
        for tally in self._tallies:
            for reason, count in tally.rejected.items():
                found[f"{tally.name}: {reason}"] += count
        return found

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each filter: what it was shown, and ids of a few examples for each reason."""
        return [tally.row() for tally in self._tallies]

    def __enter__(self) -> Self:
        for index, judge in self._judges.items():
            judged = self._filters[index]
            assert isinstance(judged, JudgedFilter)
            self._stack.enter_context(judge.answering(judged))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

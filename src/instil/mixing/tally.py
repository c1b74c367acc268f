"""What each step took or changed, by reason, with a few examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_EXAMPLES = 3


class Tally:
    """Counts by step and reason, and keeps the examples of the smallest ids, whoever counts first."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, dict[str, Any]]] = {}

    def add(self, step: str, reason: str, key: str, example: Mapping[str, Any], count: int = 1) -> None:
        """Count one row, with what a reader would like to see of it."""
        found = self._of(step, reason)
        kept = found["examples"]
        if len(kept) == _EXAMPLES and key > kept[-1]["id"]:  # nearly always, where there are millions
            found["count"] += count
        else:
            self._merge(step, reason, count, [{"id": key, **example}])

    def merge(self, rows: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        """Add what another tally's `rows` returned."""
        for step, reasons in rows.items():
            for reason, found in reasons.items():
                self._merge(step, reason, found["count"], found["examples"])

    def rows(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Return steps, their reasons, and for each `count` and `examples`, as JSON values."""
        return {step: dict(sorted(reasons.items())) for step, reasons in sorted(self._found.items())}

    def counts(self) -> dict[str, int]:
        """Return the rows of every step and reason, as `step: reason`."""
        return {
            f"{step}: {reason}" if reason else step: found["count"]
            for step, reasons in sorted(self._found.items())
            for reason, found in sorted(reasons.items())
        }

    def _of(self, step: str, reason: str) -> dict[str, Any]:
        return self._found.setdefault(step, {}).setdefault(reason, {"count": 0, "examples": []})

    def _merge(self, step: str, reason: str, count: int, examples: Iterable[Mapping[str, Any]]) -> None:
        found = self._of(step, reason)
        found["count"] += count
        # An example may be named twice where work was done twice.
        known = {str(each): each for each in (*found["examples"], *examples)}
        found["examples"] = sorted(known.values(), key=lambda each: (each["id"], str(each)))[:_EXAMPLES]


def merged(tallies: Iterable[Mapping[str, Any]]) -> Tally:
    """Return the sum of what tallies returned."""
    total = Tally()
    for each in tallies:
        total.merge(each)
    return total

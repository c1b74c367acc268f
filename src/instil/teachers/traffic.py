"""What it took to get the answers: counted by the layers around a teacher, read by whoever reports it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Traffic:
    """Counts of one run; every layer adds to its own."""

    attempts: int = 0
    """Requests that were sent, the repeated ones included."""
    retried: int = 0
    """Requests that were sent again because the server was unavailable."""
    congested: int = 0
    """Requests that the server refused because it had too much to do."""
    waited_s: float = 0.0
    """Seconds that calls waited before they were tried again, summed over all calls."""
    slow_downs: int = 0
    """How often fewer requests were let into flight."""
    lowest_limit: int | None = None
    """Fewest requests that were allowed in flight at once; None if the limit was never lowered."""
    paced_s: float = 0.0
    """Seconds that requests waited for the caps on requests and tokens per minute, summed over all."""

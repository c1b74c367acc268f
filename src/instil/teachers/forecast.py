"""What requests would take: tokens as they may be expected, and what they can cost at most."""

from __future__ import annotations

from instil.teachers.base import Request, Usage
from instil.teachers.budgeted import worst_case
from instil.teachers.prices import PriceFound

_BYTES_PER_TOKEN = 3  # a rough mean over English (4) and Chinese (2 to 3)

HOW_COUNTED = f"input counted as {_BYTES_PER_TOKEN} bytes a token, output as the most that max_tokens allows"
"""The assumption behind the figures, for people."""


class Forecast:
    """Sums up requests that have not been made.

    Attributes:
        calls: how many there are.
    """

    def __init__(self) -> None:
        self.calls = self._bytes = 0
        self._worst = Usage()

    def add(self, request: Request) -> None:
        """Count a request."""
        self.calls += 1
        self._bytes += sum(len(message.content.encode()) for message in request.messages)
        self._worst += worst_case(request)

    def input_tokens(self, scale: float = 1.0) -> int:
        """Return about how many tokens are asked, for `scale` times these requests."""
        return int(self._bytes * scale) // _BYTES_PER_TOKEN

    def output_tokens(self, scale: float = 1.0) -> int:
        """Return how many tokens are answered at most."""
        return int(self._worst.output_tokens * scale)

    def cost_usd(self, found: PriceFound | None, scale: float = 1.0) -> float | None:
        """Return what it costs at most in US dollars, one token for each byte asked; None without a price."""
        return found.price.of(self._worst) * scale if found else None

"""One named stream of randomness for each purpose.

Adding a draw to one stage must not change another, so each asks for a stream by name. What has
to be independent of order (which rows are drawn, in which order they are shuffled) uses `rank`,
which depends on the row and not on what was drawn before it.
"""

from __future__ import annotations

import hashlib
import random


def stream(seed: int, *purpose: str | int) -> random.Random:
    """Return a generator that depends on `seed` and the words of `purpose` only."""
    return random.Random(_digest(seed, *purpose))  # noqa: S311 (reproducible on purpose)


def rank(seed: int, *parts: str | int) -> int:
    """Return a uniform 64-bit number for the content `parts`; sorting by it is a shuffle."""
    return int.from_bytes(_digest(seed, *parts)[:8], "big")


def _digest(seed: int, *parts: str | int) -> bytes:
    # Length prefixes keep ("ab", "c") and ("a", "bc") apart.
    text = "".join(f"{len(str(part))}:{part}" for part in (seed, *parts))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

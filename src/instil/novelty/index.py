"""An index over token sequences that finds the nearest one, and which kind this machine has."""

from __future__ import annotations

from array import array
from typing import NamedTuple, Protocol, TypeAlias

Tokens: TypeAlias = "array[int]"
"""Token ids of one text or several, type code `I`, counted from 0 without large gaps."""


class Match(NamedTuple):
    """A sequence of the index and its ROUGE-L F1 with what was asked for."""

    position: int
    """Sequences are counted from 0, in the order in which they were added."""
    score: float


class Index(Protocol):
    """Finds the sequences most like another among those that were added."""

    def add(self, tokens: Tokens) -> int:
        """Add a sequence and return its position."""
        ...

    def nearest(self, tokens: Tokens) -> Match | None:
        """Return the sequence with the highest score above the threshold, the first of equals."""
        ...

    def filter(self, tokens: Tokens, ends: array[int]) -> list[Match | None]:
        """Take sequences in order, add those with none above the threshold, and return each one's nearest.

        Args:
            tokens: all sequences, one after the other.
            ends: where each sequence ends in `tokens`, type code `Q`.
        """
        ...

    def most_similar(self, tokens: Tokens, count: int) -> list[Match]:
        """Return the `count` highest scores above 0, best first, the first of equals first."""
        ...


def open_index(threshold: float) -> Index:
    """Return an empty index for a threshold in (0, 1]: the compiled kernel where there is one."""
    from instil.novelty import kernel

    if kernel.problem() is None:
        return kernel.KernelIndex(threshold)
    from instil.novelty.plain import PlainIndex

    return PlainIndex(threshold)

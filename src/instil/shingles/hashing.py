"""What is computed of texts, and which way this machine has: the compiled kernel, or Python."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from instil.shingles.texts import Texts

# How words and shingles are hashed; as in kernel.c, which says why.
SEED = 0x9E3779B97F4A7C15
BASE = 0x5851F42D4C957F2D

Hashes: TypeAlias = npt.NDArray[np.uint64]
Ends: TypeAlias = npt.NDArray[np.int64]
"""Where each row ends in what stands one row after the other."""


class Permutations(NamedTuple):
    """Permutations x -> a x + b of the numbers below 2^32."""

    multipliers: npt.NDArray[np.uint32]
    """The a, all odd."""
    summands: npt.NDArray[np.uint32]


class Known(NamedTuple):
    """A set of shingles, made to be looked up."""

    shingles: Hashes
    """In order, each once."""
    sieve: npt.NDArray[np.uint8]
    """A bit for each value that the lowest bits of a shingle can have: whether any known one has it. Small
    enough for a cache, it answers nearly every question."""
    starts: npt.NDArray[np.int64]
    """Where those begin whose highest bits have each value; one number more than there are values."""


class Hits(NamedTuple):
    """The first known shingle of each row, by row; -1 where there is none."""

    positions: npt.NDArray[np.int64]
    """Which of the known shingles."""
    strings: npt.NDArray[np.int64]
    """The string in which it is, counted over all rows."""
    words: npt.NDArray[np.int64]
    """The word of the string at which it begins."""


class Hashing(Protocol):
    """Computes for each row of texts; every way gives the same numbers."""

    def count(self, texts: Texts, ngram: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Return how many words and how many shingles, equal ones included, each row has."""
        ...

    def shingles(self, texts: Texts, ngram: int) -> tuple[Hashes, Ends]:
        """Return all shingles in order, equal ones included, and where each row ends."""
        ...

    def unique(self, shingles: Hashes, ends: Ends) -> tuple[Hashes, Ends]:
        """Return the shingles of each row sorted, one of equals."""
        ...

    def jaccard(
        self,
        shingles: Hashes,
        ends: Ends,
        left: npt.NDArray[np.int64],
        right: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float64]:
        """Return the Jaccard similarities of pairs of rows of `unique`."""
        ...

    def signatures(self, texts: Texts, ngram: int, permutations: Permutations) -> npt.NDArray[np.uint32]:
        """Return the least image of each row's shingles under each permutation."""
        ...

    def bands(
        self, texts: Texts, ngram: int, permutations: Permutations, bands: int, per_band: int
    ) -> Hashes:
        """Return a hash of each `per_band` minima of each row; 0 for rows without words, and only then."""
        ...

    def find(self, texts: Texts, ngram: int, known: Known) -> Hits:
        """Return the first known shingle of each row."""
        ...


def open_hashing() -> Hashing:
    """Return the compiled kernel where there is one."""
    from instil.shingles import kernel

    if kernel.problem() is None:
        return kernel.CompiledHashing()
    from instil.shingles.plain import PlainHashing

    return PlainHashing()

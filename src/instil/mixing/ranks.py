"""Uniform numbers for many ids at once: sorting by them is a shuffle that depends on the ids only."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from instil.data.random import rank

Ids = npt.NDArray[np.uint64]


def ranks(ids: Ids, seed: int, *purpose: str | int) -> Ids:
    """Return a number for each id, different for different ids.

    The finalizer of SplitMix64 (Steele, Lea & Flood, Fast Splittable Pseudorandom Number Generators, 2014),
    a bijection, over ids that are hashes already; seed and purpose give its starting point.
    """
    z = ids + np.uint64(rank(seed, *purpose))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def interval(numbers: Ids, count: int) -> npt.NDArray[np.integer[Any]]:
    """Return in which of `count` equal intervals of all 64-bit numbers each lies, in [0, count)."""
    return ((numbers >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)).astype(np.int64)

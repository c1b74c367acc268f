"""How many rows or tokens each source gives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

_TOGETHER = 1 << 14  # totals that are looked at in one go
_CLOSE = 1e-9


def allot(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """Return whole numbers in proportion to `weights` that sum to `total`.

    Largest remainder method: each is within one of its exact share; ties go by name.
    """
    return _allot(_parts(weights), total)


def _parts(weights: Mapping[str, float]) -> dict[str, int]:
    # Whole numbers in the ratio of the weights as they are written. A sum of floats depends on their
    # order, and would let the order of the sources decide who gets the last row.
    exact = {name: Fraction(str(weight)) for name, weight in weights.items()}
    scale = math.lcm(*(weight.denominator for weight in exact.values()))
    return {name: int(weight * scale) for name, weight in exact.items()}


def _allot(parts: Mapping[str, int], total: int) -> dict[str, int]:
    whole = sum(parts.values())
    counts = {name: total * part // whole for name, part in parts.items()}
    by_remainder = sorted(parts, key=lambda name: (-(total * parts[name] % whole), name))
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def largest_total(weights: Mapping[str, float], capacities: Mapping[str, int]) -> int:
    """Return the largest total for which `allot` asks no source for more than its capacity."""
    parts = {name: part for name, part in _parts(weights).items() if part}
    whole, count = sum(parts.values()), len(parts)
    # Where no share is above its capacity, no rounded one is.
    sure = min(capacities[name] * whole // part for name, part in parts.items())
    # A share above its capacity has to be rounded down, while `up` others with larger remainders are rounded
    # up. All remainders sum to `up`, so that its own is at most up / (up + 1).
    bound = min(
        (capacities[name] * count + count - 1) * whole // (count * part) for name, part in parts.items()
    )
    return next(
        (
            total
            for total in _hopeful(parts, capacities, bound, sure)
            if all(asked <= capacities[name] for name, asked in _allot(parts, total).items())
        ),
        sure,
    )


def _hopeful(parts: Mapping[str, int], capacities: Mapping[str, int], bound: int, sure: int) -> Iterator[int]:
    """Yield totals from `bound` down to above `sure`, but few of those for which a capacity is exceeded.

    There are as many between them as the smallest part goes into the whole, and which of them fit follows no
    rule; so thousands are looked at together, in floating point.
    """
    import numpy as np

    whole = sum(parts.values())
    for start in range(bound, sure, -_TOGETHER):
        below = np.arange(min(_TOGETHER, start - sure))
        shares = np.array(
            [(start * part % whole) / whole - below * (part / whole) for part in parts.values()]
        )
        remainders = shares - np.floor(shares)
        up = np.rint(remainders.sum(axis=0))
        fits = np.ones(len(below), bool)
        for (name, part), remainder in zip(parts.items(), remainders, strict=True):
            exceeded = start - capacities[name] * whole // part  # of `below`, what keeps the capacity
            if exceeded <= 0:
                continue
            larger = (remainders > remainder - _CLOSE).sum(axis=0) - 1
            unsure = (remainder < _CLOSE) | (remainder > 1 - _CLOSE)
            fits &= (larger >= up) | unsure | (below >= min(exceeded, len(below)))
        yield from (start - below[fits]).tolist()


def tempered(weights: Mapping[str, float], sizes: Mapping[str, int], temperature: float) -> dict[str, float]:
    """Return weights times size^(1/temperature), but for a common factor.

    At 1 sources give in proportion to their size, at large temperatures in proportion to their weights
    (Conneau et al., XLM-R, 2020, with alpha = 1/temperature).
    """
    # Decimal numbers: the last digits of a power of floats differ between machines. Of the largest size, so
    # that nothing overflows.
    largest, exponent = Decimal(max(sizes.values())), 1 / Decimal(str(temperature))
    return {
        name: float(Decimal(str(weight)) * (Decimal(sizes[name]) / largest) ** exponent)
        for name, weight in weights.items()
    }

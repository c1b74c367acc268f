"""Bands and rows are those that err least, by any way of adding up the errors."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.shingles import banding


@pytest.mark.parametrize(
    ("threshold", "permutations", "expected"),
    # What datasketch 2.0 chooses, with equal weights.
    [
        *((0.3, 128, (37, 3)), (0.5, 128, (25, 5)), (0.6, 64, (10, 6)), (0.7, 128, (14, 9))),
        *((0.7, 256, (25, 10)), (0.8, 32, (3, 10)), (0.8, 64, (5, 11)), (0.8, 128, (9, 13))),
        *((0.85, 128, (8, 16)), (0.9, 128, (5, 25)), (0.95, 32, (1, 32)), (0.95, 256, (5, 51))),
    ],
)
def test_the_choice_is_that_of_datasketch(
    threshold: float, permutations: int, expected: tuple[int, int]
) -> None:
    assert banding(threshold, permutations) == expected


@pytest.mark.parametrize(("weight", "expected"), [(0.1, (6, 21)), (0.5, (9, 13)), (0.9, (14, 9))])
def test_who_fears_missed_pairs_gets_more_bands(weight: float, expected: tuple[int, int]) -> None:
    assert banding(0.8, 128, false_negatives=weight) == expected


def error(threshold: float, bands: int, rows: int, weight: float) -> float:
    """The weighed error, by ten thousand rectangles."""
    steps = 10_000
    found = [1 - (1 - ((step + 0.5) / steps) ** rows) ** bands for step in range(steps)]
    border = round(threshold * steps)
    return (
        (1 - weight) * math.fsum(found[:border]) + weight * math.fsum(1 - p for p in found[border:])
    ) / steps


@settings(max_examples=10)
@given(
    st.integers(5, 95).map(lambda each: each / 100), st.sampled_from([4, 12, 20]), st.sampled_from([0.5, 0.8])
)
def test_no_other_bands_and_rows_err_less(threshold: float, permutations: int, weight: float) -> None:
    bands, rows = banding(threshold, permutations, weight)
    assert bands * rows <= permutations
    least = min(
        error(threshold, b, r, weight)
        for r in range(1, permutations + 1)
        for b in range(1, permutations // r + 1)
    )
    assert error(threshold, bands, rows, weight) <= least + 1e-6


def test_at_the_borders_there_are_bands_too() -> None:
    assert banding(1.0, 128) == (1, 128)
    assert banding(0.5, 1) == (1, 1)


@pytest.mark.parametrize(
    ("threshold", "permutations", "weight"), [(0, 9, 0.5), (1.1, 9, 0.5), (0.5, 0, 0.5), (0.5, 9, 1)]
)
def test_numbers_out_of_range_are_refused(threshold: float, permutations: int, weight: float) -> None:
    with pytest.raises(ValueError, match="lie between 0 and 1"):
        banding(threshold, permutations, weight)

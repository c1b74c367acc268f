"""Numbers to shuffle by: different for different ids, uniform, of their own for each purpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.random import rank
from instil.mixing.ranks import interval, ranks

_ids = st.integers(0, 2**64 - 1)
_MASK = 2**64 - 1


def undone(number: int, seed: int, *purpose: str | int) -> int:
    """Return the id that has a rank: the steps of SplitMix64's finalizer backwards, by Python's integers."""
    z = number
    z ^= z >> 31 ^ z >> 62
    z = z * pow(0x94D049BB133111EB, -1, 2**64) & _MASK
    z ^= z >> 27 ^ z >> 54
    z = z * pow(0xBF58476D1CE4E5B9, -1, 2**64) & _MASK
    z ^= z >> 30 ^ z >> 60
    return (z - rank(seed, *purpose)) & _MASK


@given(ids=st.lists(_ids, min_size=1, max_size=50), seed=st.integers(0, 2**40), purpose=st.text(max_size=5))
def test_a_rank_can_be_traced_back_so_that_no_two_ids_share_one(
    ids: list[int], seed: int, purpose: str
) -> None:
    found = ranks(np.array(ids, np.uint64), seed, purpose).tolist()
    assert [undone(number, seed, purpose) for number in found] == ids


def test_the_first_ranks_are_those_of_splitmix64() -> None:
    # The generator's published first outputs for the seed 1234567; its state grows by this odd number.
    state = (np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) + np.uint64(1234567)
    start = np.uint64(rank(1, "x"))
    assert ranks(state - start, 1, "x").tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@pytest.mark.parametrize("ids", ["in a row", "hashes"])
def test_ranks_are_uniform(ids: str) -> None:
    count, cells = 200_000, 256
    numbers = np.arange(count, dtype=np.uint64)
    if ids == "hashes":
        numbers = np.random.default_rng(3).integers(0, 2**64, count, dtype=np.uint64)
    found = ranks(numbers, 1, "draw")
    for shift in (56, 28, 0):  # the highest bits decide the order, the others come after them
        counts = np.bincount((found >> np.uint64(shift) & np.uint64(255)).astype(int), minlength=cells)
        chi_square = float(((counts - count / cells) ** 2 / (count / cells)).sum())
        # 255 degrees of freedom: five standard deviations of sqrt(2 * 255) around the mean.
        assert abs(chi_square - 255) < 5 * (2 * 255) ** 0.5


def test_seeds_and_purposes_give_other_orders() -> None:
    ids = np.random.default_rng(5).integers(0, 2**64, 1000, dtype=np.uint64)
    keys: list[tuple[int, tuple[str | int, ...]]] = [
        (1, ("draw",)),
        (2, ("draw",)),
        (1, ("split",)),
        (1, ("order", 0)),
        (1, ("order", 1)),
    ]
    orders = [np.argsort(ranks(ids, seed, *purpose)) for seed, purpose in keys]
    for place, one in enumerate(orders):
        for other in orders[:place]:
            # Two independent orders put about one id at the same place.
            assert (one == other).sum() < 10
            assert abs(np.corrcoef(np.argsort(one), np.argsort(other))[0, 1]) < 0.15


@given(
    numbers=st.lists(_ids | st.sampled_from([0, _MASK, 2**63, 2**63 - 1, 2**32]), min_size=1),
    count=st.integers(1, 5000) | st.sampled_from([1, 2, 2**16, 2**32 - 1]),
)
def test_intervals_are_in_order_and_within_their_bounds(numbers: list[int], count: int) -> None:
    found = interval(np.array(sorted(numbers), np.uint64), count).tolist()
    assert found == sorted(found)
    assert found[0] >= 0
    assert found[-1] < count


def test_intervals_are_of_equal_size() -> None:
    numbers = np.arange(0, 2**64, 2**48, dtype=np.uint64)
    assert np.bincount(interval(numbers, 16)).tolist() == [4096] * 16
    counts = np.bincount(interval(numbers, 1000))
    assert counts.max() - counts.min() <= 1


@given(number=_ids, power=st.integers(0, 32))
def test_an_interval_of_a_power_of_two_is_given_by_the_highest_bits(number: int, power: int) -> None:
    # What puts rows into buckets relies on it.
    assert interval(np.array([number], np.uint64), 2**power).tolist() == [number >> (64 - power)]

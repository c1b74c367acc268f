"""How a total is shared out: whole numbers in proportion, and the largest total that fits."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.mixing.shares import allot, largest_total, tempered

_names = st.sampled_from("abcdef")
_weights = st.dictionaries(
    _names, st.floats(0.01, 1000) | st.sampled_from([1.0, 2.0, 1 / 3, 0.1]), min_size=1
)


@given(weights=_weights, total=st.integers(0, 5000), data=st.data())
def test_an_allotment_sums_to_the_total_and_stays_within_a_row_of_each_share(
    weights: dict[str, float], total: int, data: st.DataObject
) -> None:
    counts = allot(weights, total)
    assert counts.keys() == weights.keys()
    assert sum(counts.values()) == total
    for name, count in counts.items():
        assert abs(count - total * weights[name] / math.fsum(weights.values())) < 1 + 1e-9
    order = data.draw(st.permutations(sorted(weights)))
    assert allot({name: weights[name] for name in order}, total) == counts


@pytest.mark.parametrize("order", list(itertools.permutations("abcd")), ids="".join)
def test_the_order_of_the_weights_does_not_decide_who_gets_the_last_row(order: tuple[str, ...]) -> None:
    # The sum of these floats depends on their order.
    weights = {"a": 2.0, "b": 1 / 3, "c": 1.0, "d": 4 / 3}
    assert allot({name: weights[name] for name in order}, 189) == {"a": 81, "b": 13, "c": 41, "d": 54}
    # 1.5, 1, 0.5 and 2 of five: a tie, which goes by name.
    weights = {"a": 0.3, "b": 0.2, "c": 0.1, "d": 0.4}
    assert allot({name: weights[name] for name in order}, 5) == {"a": 2, "b": 1, "c": 0, "d": 2}


@pytest.mark.parametrize(
    ("weights", "total", "counts"),
    [
        ({"a": 1.0, "b": 1.0, "c": 1.0}, 10, {"a": 4, "b": 3, "c": 3}),
        ({"c": 1.0, "b": 1.0, "a": 1.0}, 11, {"a": 4, "b": 4, "c": 3}),
        ({"a": 3.0, "b": 1.0}, 4, {"a": 3, "b": 1}),
        ({"a": 0.7, "b": 0.2, "c": 0.1}, 7, {"a": 5, "b": 1, "c": 1}),
        ({"a": 1.0, "b": 99.0}, 1, {"a": 0, "b": 1}),
        ({"a": 1.0, "b": 0.0}, 7, {"a": 7, "b": 0}),
    ],
)
def test_the_largest_remainders_get_the_rows_left_over(
    weights: dict[str, float], total: int, counts: dict[str, int]
) -> None:
    assert allot(weights, total) == counts


@given(
    sources=st.dictionaries(
        _names,
        st.tuples(st.sampled_from([0.25, 1, 2, 3, 7, 10, 1 / 3, 0.1]), st.integers(0, 12)),
        min_size=1,
        max_size=5,
    )
)
def test_no_larger_total_fits_the_capacities(sources: dict[str, tuple[float, int]]) -> None:
    weights = {name: weight for name, (weight, _) in sources.items()}
    capacities = {name: capacity for name, (_, capacity) in sources.items()}
    fitting = [
        total
        for total in range(sum(capacities.values()) + 1)
        if all(count <= capacities[name] for name, count in allot(weights, total).items())
    ]
    assert largest_total(weights, capacities) == max(fitting)


def test_a_small_weight_does_not_hold_a_mixture_below_what_rounding_allows() -> None:
    # 16 rows are 1.45 of a, rounded to one; 17 would be two.
    assert largest_total({"a": 1, "b": 10}, {"a": 1, "b": 100}) == 16


def test_the_largest_total_of_tens_of_millions_of_rows_is_found_in_a_moment() -> None:
    # One row of a stands against ten million others, so that millions of totals lie between the one that fits
    # for sure and the one that no rounding lets pass.
    weights = {"a": 1e-7, "b": 0.71, "c": 1.37, "d": 0.93}
    capacities = {"a": 1, "b": 20_000_000, "c": 60_000_000, "d": 30_000_000}
    started = time.perf_counter()
    total = largest_total(weights, capacities)
    assert time.perf_counter() - started < 2
    assert total > sum(weights.values()) * 1e7
    assert all(count <= capacities[name] for name, count in allot(weights, total).items())


def test_a_source_of_no_weight_limits_nothing() -> None:
    assert largest_total({"a": 1.0, "b": 0.0}, {"a": 5, "b": 0}) == 5


def test_temperature_goes_from_the_sizes_to_the_weights() -> None:
    weights, sizes = {"a": 1.0, "b": 1.0, "c": 2.0}, {"a": 10, "b": 1000, "c": 10}
    by_size = tempered(weights, sizes, 1)
    assert by_size == pytest.approx({"a": 0.01, "b": 1.0, "c": 0.02})
    assert allot(by_size, 1030) == {"a": 10, "b": 1000, "c": 20}
    # The square root of a hundredth.
    assert tempered(weights, sizes, 2) == pytest.approx({"a": 0.1, "b": 1.0, "c": 0.2})
    assert tempered(weights, sizes, 1e9) == pytest.approx(weights, rel=1e-6)


@given(
    sizes=st.dictionaries(_names, st.integers(1, 10**9), min_size=1),
    temperature=st.sampled_from([0.001, 0.3, 1.0, 3.3, 1e6]),
)
def test_no_temperature_is_too_cold_or_too_hot(sizes: dict[str, int], temperature: float) -> None:
    weights = tempered(dict.fromkeys(sizes, 1.0), sizes, temperature)
    assert max(weights.values()) == 1
    assert sorted(sizes, key=lambda name: sizes[name])[-1] in {n for n, w in weights.items() if w == 1}
    assert sum(allot(weights, 100).values()) == 100


def test_shares_are_counted_without_loading_numpy() -> None:
    lines = ("import sys", "from instil.mixing.shares import allot", "assert 'numpy' not in sys.modules")
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)

"""Offsets: a map from 64-bit keys to positions in a few bytes each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from instil.data.random import rank
from instil.teachers.offsets import Offsets

# Small keys fall into few slots, so that they push each other on.
KEYS = st.one_of(st.integers(0, 40), st.integers(0, (1 << 64) - 1))


@given(st.lists(st.tuples(KEYS, st.integers(0, (1 << 64) - 2))), KEYS)
def test_it_holds_what_a_dictionary_holds(rows: list[tuple[int, int]], other: int) -> None:
    offsets, expected = Offsets(), dict[int, int]()
    for key, position in rows:
        offsets[key] = position
        expected[key] = position

    assert len(offsets) == len(expected)
    assert {key: offsets.get(key) for key in expected} == expected
    assert (other in offsets) == (other in expected)
    assert offsets.get(other) == expected.get(other)


def test_a_key_takes_at_most_forty_bytes_and_many_keys_are_found_again() -> None:
    offsets = Offsets()
    keys = [rank(1, n) for n in range(50_000)]
    for position, key in enumerate(keys):
        offsets[key] = position

    assert [offsets.get(key) for key in keys] == list(range(50_000))
    assert offsets.get(rank(2, 0)) is None
    assert 16 * len(offsets._keys) <= 40 * len(offsets)

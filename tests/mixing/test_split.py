"""What is held out: whole groups, each source its share, whatever the order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.mixing.ranks import ranks
from instil.mixing.split import held_out

_rows = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 2)), min_size=1, max_size=80)
_fractions = st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.5, 0.9])


def columns(rows: list[tuple[int, int]]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint16]]:
    """Return groups, spread over all numbers, and sources."""
    groups = np.array([group for group, _ in rows], np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return groups, np.array([source for _, source in rows], np.uint16)


@given(rows=_rows, fraction=_fractions, seed=st.integers(0, 5))
def test_no_group_is_on_both_sides_and_as_many_are_held_out_as_asked_for(
    rows: list[tuple[int, int]], fraction: float, seed: int
) -> None:
    groups, sources = columns(rows)
    held = held_out(groups, sources, fraction, seed)
    out, kept = set(groups[held].tolist()), set(groups[~held].tolist())
    assert not out & kept
    assert len(out) == round(fraction * len(out | kept))


@given(rows=_rows, fraction=_fractions)
def test_every_source_gives_its_share_of_its_groups_to_one_group(
    rows: list[tuple[int, int]], fraction: float
) -> None:
    groups, sources = columns(rows)
    held = held_out(groups, sources, fraction, seed=1)
    first = {group: min(source for other, source in rows if other == group) for group, _ in rows}
    out = {group for (group, _), side in zip(rows, held, strict=True) if side}
    for source in range(3):
        mine = {group for group, owner in first.items() if owner == source}
        assert abs(len(mine & out) - len(mine) * len(out) / len(first)) < 1


@given(rows=_rows, data=st.data())
def test_the_order_of_the_rows_decides_nothing(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    plain = held_out(*columns(rows), 0.3, seed=3)
    turned = held_out(*columns([rows[place] for place in order]), 0.3, seed=3)
    assert plain[list(order)].tolist() == turned.tolist()


def test_the_groups_whose_ranks_come_first_are_held_out() -> None:
    groups, sources = columns([(group, 0) for group in range(100)])
    held = held_out(groups, sources, 0.2, seed=9)
    order = ranks(groups, 9, "split")
    assert order[held].max() < order[~held].min()


def test_seeds_differ() -> None:
    groups, sources = columns([(group, 0) for group in range(200)])
    sides = {held_out(groups, sources, 0.2, seed).tobytes() for seed in range(20)}
    assert len(sides) == 20


def test_a_larger_share_holds_out_what_a_smaller_one_does() -> None:
    groups, sources = columns([(group, 0) for group in range(200)])
    assert (held_out(groups, sources, 0.1, 1) <= held_out(groups, sources, 0.3, 1)).all()


@pytest.mark.parametrize("fraction", [0.0, 0.5])
def test_nothing_is_held_out_of_nothing(fraction: float) -> None:
    assert held_out(np.empty(0, np.uint64), np.empty(0, np.uint16), fraction, 1).tolist() == []

"""Tables with given sums: near what there is, whole, within what can be given, or an explanation."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from instil.mixing.tables import Counts, Shortage, fit, rounded

_shapes = st.tuples(st.integers(1, 5), st.integers(1, 6))


def _whole(shape: tuple[int, ...], most: int) -> st.SearchStrategy[Counts]:
    return arrays.arrays(np.int64, shape, elements=st.integers(0, most) | st.just(0))


@given(data=st.data())
def test_every_cell_is_rounded_down_or_up_and_every_sum_is_kept(data: st.DataObject) -> None:
    # A mean of whole tables with equal sums: its cells are fractions, its sums are whole.
    table = data.draw(_whole(data.draw(_shapes), 9)).astype(np.float64)
    rows, columns = table.sum(axis=1).astype(np.int64), table.sum(axis=0).astype(np.int64)
    for _ in range(data.draw(st.integers(0, 12))):
        (a, b), (c, d) = (
            [data.draw(st.integers(0, table.shape[axis] - 1)) for _ in range(2)] for axis in (0, 1)
        )
        moved = min(table[a, c], table[b, d]) * data.draw(st.floats(0, 1))
        table[a, c] -= moved
        table[b, d] -= moved
        table[a, d] += moved
        table[b, c] += moved
    found = rounded(table, rows, columns, np.full(table.shape, 1000))
    assert found.sum(axis=1).tolist() == rows.tolist()
    assert found.sum(axis=0).tolist() == columns.tolist()
    assert (np.floor(table + 1e-9) <= found).all()
    assert (found <= np.ceil(table - 1e-9)).all()


@given(data=st.data())
def test_where_a_table_exists_it_is_found(data: st.DataObject) -> None:
    # Any whole table within its bounds proves that its sums can be met. Bounds are tight on purpose, and some
    # cells that are available have to stay empty.
    shape = data.draw(_shapes)
    proof = data.draw(_whole(shape, 20))
    most = proof + data.draw(_whole(shape, 3))
    available = most * data.draw(arrays.arrays(np.float64, shape, elements=st.sampled_from([1, 1.5, 40])))
    rows, columns = proof.sum(axis=1), proof.sum(axis=0)
    found = rounded(fit(available, most, (rows, columns)), rows, columns, most)
    assert found.sum(axis=1).tolist() == rows.tolist()
    assert found.sum(axis=0).tolist() == columns.tolist()
    assert ((found >= 0) & (found <= most)).all()


@given(data=st.data())
def test_either_there_is_a_table_or_an_explanation_that_there_cannot_be(data: st.DataObject) -> None:
    shape = data.draw(_shapes)
    most, other = data.draw(_whole(shape, 9)), data.draw(_whole(shape, 9))
    rows, columns = other.sum(axis=1), other.sum(axis=0)
    table = fit(most.astype(np.float64), most, (rows, columns))
    short = None
    try:
        found = rounded(table, rows, columns, most)
    except Shortage as shortage:
        short = shortage
    if short is None:
        assert (found <= most).all()
        assert found.sum(axis=1).tolist() == rows.tolist()
        assert found.sum(axis=0).tolist() == columns.tolist()
    else:
        assert short.wanted == rows[short.rows].sum()
        assert short.have == np.delete(most[short.rows], short.columns, axis=1).sum()
        assert short.asked == columns[short.columns].sum()
        # Whoever reads it sees that it cannot be.
        assert short.wanted > short.have + short.asked


def test_cells_are_exchanged_where_the_largest_remainders_alone_lead_nowhere() -> None:
    # Taken one after the other, the first row and the second take what the third one needs.
    table = np.array([[0.5, 0, 0.5], [0, 0.5, 0.5], [0.5, 0.5, 0]])
    ones = np.array([1, 1, 1])
    found = rounded(table, ones, ones, np.full((3, 3), 1000))
    assert found.tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]


@given(data=st.data())
def test_a_table_that_misses_its_sums_is_mended(data: st.DataObject) -> None:
    proof = data.draw(_whole(data.draw(_shapes), 9))
    table = data.draw(arrays.arrays(np.float64, proof.shape, elements=st.floats(0, 12)))
    rows, columns = proof.sum(axis=1), proof.sum(axis=0)
    most = proof + data.draw(_whole(proof.shape, 3))
    found = rounded(table, rows, columns, most)
    assert found.sum(axis=1).tolist() == rows.tolist()
    assert found.sum(axis=0).tolist() == columns.tolist()
    assert ((found >= 0) & (found <= most)).all()


def test_a_column_of_which_there_is_too_little_is_named() -> None:
    most, rows, columns = np.array([[2, 9], [0, 9]]), np.array([4, 4]), np.array([3, 5])
    with pytest.raises(Shortage) as caught:
        rounded(fit(most.astype(np.float64), most, (rows, columns)), rows, columns, most)
    assert caught.value == Shortage(rows=[0, 1], wanted=8, have=2, columns=[1], asked=5)


def test_a_table_keeps_the_proportions_of_what_there_is() -> None:
    available = np.array([[10.0, 30.0], [20.0, 20.0]])
    rows, columns = np.array([40, 40]), np.array([30, 50])
    found = fit(available, np.full((2, 2), 1000), (rows, columns))
    assert found == pytest.approx(available)
    # With other sums, the ratio of the ratios stays (what fitting keeps, Deming & Stephan).
    rows, columns = np.array([60, 20]), np.array([40, 40])
    found = fit(available, np.full((2, 2), 1000), (rows, columns))
    assert found.sum(axis=1) == pytest.approx(rows)
    assert found.sum(axis=0) == pytest.approx(columns)
    assert found[0, 0] * found[1, 1] / (found[0, 1] * found[1, 0]) == pytest.approx(10 * 20 / (30 * 20))


def test_what_one_cell_cannot_give_the_others_share_in_their_proportions() -> None:
    most = np.full((3, 3), 100)
    most[0, 0] = 1
    sums = np.array([9, 9, 9])
    found = fit(np.full((3, 3), 50.0), most, (sums, sums))
    assert found == pytest.approx(np.array([[1, 4, 4], [4, 2.5, 2.5], [4, 2.5, 2.5]]), rel=1e-6)


def test_three_kinds_of_sums_are_met_together() -> None:
    available = np.arange(1.0, 25.0).reshape(2, 3, 4)
    sums = (np.array([100, 200]), np.array([50, 100, 150]), np.array([60, 70, 80, 90]))
    found = fit(available, np.full(available.shape, 1000), sums)
    assert found.sum(axis=(1, 2)) == pytest.approx(sums[0])
    assert found.sum(axis=(0, 2)) == pytest.approx(sums[1])
    assert found.sum(axis=(0, 1)) == pytest.approx(sums[2])


def test_cells_that_have_to_become_empty_do_not_keep_a_table_from_being_found() -> None:
    # The first row has the first column only, and takes all of it; proportional fitting alone comes nearer to
    # nothing in the second row for ever.
    available = np.array([[500.0, 0.0], [500.0, 500.0]])
    rows = columns = np.array([100, 100])
    most = available.astype(np.int64)
    found = rounded(fit(available, most, (rows, columns)), rows, columns, most)
    assert found.tolist() == [[100, 0], [0, 100]]


def test_large_tables_of_millions_are_made_in_a_moment() -> None:
    random = np.random.default_rng(1)
    most = random.integers(0, 2_000_000, (40, 60))
    most[random.random(most.shape) < 0.5] = 0
    wanted = most // 3
    rows, columns = wanted.sum(axis=1), wanted.sum(axis=0)
    started = time.perf_counter()
    found = rounded(fit(most.astype(float), most, (rows, columns)), rows, columns, most)
    assert time.perf_counter() - started < 5
    assert found.sum(axis=1).tolist() == rows.tolist()
    assert found.sum(axis=0).tolist() == columns.tolist()
    assert (found <= most).all()

"""The kernel and what stands in for it decide as the reference, in every order and at every border."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.scoring import fmeasure

from instil.novelty import kernel
from instil.novelty.index import Index, open_index
from instil.novelty.kernel import KernelIndex
from instil.novelty.plain import PlainIndex
from instil.novelty.score import rouge_l_f1, shortest
from tests.novelty.reference import Reference, batch, decisions

needs_kernel = pytest.mark.skipif(
    kernel.problem() is not None, reason=f"there is no compiled kernel: {kernel.problem()}"
)
THRESHOLDS = [0.01, 0.3, 0.5, 0.6, 2 / 3, 0.7, 0.75, 0.8, 0.82, 0.9, 0.99, 1.0]
AVAILABLE: list[Callable[[float], Index]] = [PlainIndex]
if kernel.problem() is None:
    AVAILABLE.append(KernelIndex)
KINDS = [pytest.param(KernelIndex, marks=needs_kernel), PlainIndex]

_threshold = st.one_of(st.sampled_from(THRESHOLDS), st.floats(0.001, 1.0))
# Few words make ties, repeated words and equal rows.
_row = st.integers(1, 12).flatmap(lambda words: st.lists(st.integers(0, words), max_size=14))
_rows = st.lists(_row, max_size=14)


def near_copies(count: int, words: int, length: int, rng: random.Random) -> list[list[int]]:
    """Return rows of words as frequent as in a language, about half of them edited copies of earlier ones."""
    found: list[list[int]] = []
    for _ in range(count):
        if found and rng.random() < 0.5:
            row = list(rng.choice(found))
            for _ in range(rng.randint(0, 1 + len(row) // 4)):
                place = rng.randrange(len(row) + 1)
                row[place : place + rng.randint(0, 1)] = [rng.randrange(words)] * rng.randint(0, 1)
        else:
            row = [int(words * rng.random() ** 3) for _ in range(rng.randint(0, length))]
        found.append(row)
    return found


@pytest.mark.parametrize("kind", KINDS)
@given(rows=_rows, threshold=_threshold)
@settings(max_examples=150)
def test_every_decision_score_and_nearest_row_is_that_of_the_reference(
    kind: Callable[[float], Index], rows: list[list[int]], threshold: float
) -> None:
    assert decisions(kind(threshold), rows) == decisions(Reference(threshold), rows)


@pytest.mark.parametrize("kind", KINDS)
@given(rows=_rows, wanted=_row, count=st.integers(0, 6))
def test_the_most_similar_are_the_reference_s_best_and_the_first_of_equals(
    kind: Callable[[float], Index], rows: list[list[int]], wanted: list[int], count: int
) -> None:
    index, reference = kind(0.7), Reference(0.7)
    for row in rows:
        index.add(array("I", row))
        reference.add(row)

    assert index.most_similar(array("I", wanted), count) == reference.most_similar(wanted, count)


@given(rows=_rows, threshold=_threshold, cut=st.integers(0, 14))
def test_rows_taken_together_are_decided_as_one_by_one(
    rows: list[list[int]], threshold: float, cut: int
) -> None:
    for kind in AVAILABLE:
        index = kind(threshold)
        together = index.filter(*batch(rows[:cut])) + index.filter(*batch(rows[cut:]))

        assert together == decisions(kind(threshold), rows)


@needs_kernel
@pytest.mark.parametrize("words", [6, 60, 3000])
@pytest.mark.parametrize("threshold", [0.45, 0.7, 0.85])
def test_kernel_and_brute_force_agree_while_the_order_is_made_anew(words: int, threshold: float) -> None:
    # The order is made anew at 512 rows, 768, 1,152 …; the words of the second part are all new to it.
    rng = random.Random(words)
    rows = near_copies(900, words, 16, rng)
    rows += [[word + words for word in row] for row in near_copies(900, words, 16, rng)]
    rng.shuffle(rows[300:1500])

    found = decisions(KernelIndex(threshold), rows)

    assert found == decisions(PlainIndex(threshold), rows)
    assert None in found
    assert any(found)


@needs_kernel
def test_without_a_decision_the_nearest_is_found_among_rows_that_are_near_copies_themselves() -> None:
    # Every row is added, so that duplicates and ties stand in the sorted and in the unsorted part.
    rng = random.Random(3)
    rows = near_copies(1400, 40, 9, rng)
    index, plain = KernelIndex(0.6), PlainIndex(0.6)
    for row in rows:
        index.add(array("I", row))
        plain.add(array("I", row))

    for row in rng.sample(rows, 200) + near_copies(100, 40, 9, rng):
        tokens = array("I", row)
        assert index.nearest(tokens) == plain.nearest(tokens)
        assert index.most_similar(tokens, 5) == plain.most_similar(tokens, 5)


@needs_kernel
@pytest.mark.parametrize("length", [63, 64, 65, 127, 128, 129, 1000, 3000])
def test_long_rows_are_compared_across_words_of_the_machine(length: int) -> None:
    rng = random.Random(length)
    base = [rng.randrange(50) for _ in range(length)]
    rows = [base]
    for edits in (length // 20, length // 6, length // 4, length // 3):
        row = list(base)
        for _ in range(edits):
            row[rng.randrange(len(row))] = rng.randrange(50)
            del row[rng.randrange(len(row))]
        rows.append(row)
    rows += [[], base[: length // 2], base[::-1], base * 2]
    for threshold in (0.5, 0.7, 0.9):
        assert decisions(KernelIndex(threshold), rows) == decisions(PlainIndex(threshold), rows)
    index, plain = KernelIndex(0.7), PlainIndex(0.7)
    for row in rows:
        index.add(array("I", row))
        plain.add(array("I", row))
    for row in rows:
        assert index.most_similar(array("I", row), 9) == plain.most_similar(array("I", row), 9)


@needs_kernel
def test_rows_longer_than_a_posting_can_say_are_compared_too() -> None:
    rng = random.Random(0)
    base = [rng.randrange(9000) for _ in range(100_000)]
    near, half, far = base[:90_000], base[:45_000], [word + 9000 for word in base]
    rows = [near_copies(1, 9000, 30, rng)[0] for _ in range(600)]
    index = KernelIndex(0.7)
    for row in [*rows[:300], base, *rows[300:], far]:
        index.add(array("I", row))

    assert index.nearest(array("I", near)) == (300, rouge_l_f1(90_000, 90_000, 100_000))
    assert index.nearest(array("I", base)) == (300, 1.0)
    assert index.nearest(array("I", half)) is None
    assert index.nearest(array("I", far)) == (601, 1.0)


def test_empty_rows_are_like_nothing() -> None:
    for kind in AVAILABLE:
        index = kind(0.7)
        assert decisions(index, [[], [], [1], []]) == [None] * 4
        assert index.nearest(array("I", [1])) == (2, 1.0)
        assert index.most_similar(array("I"), 3) == []
        assert index.filter(*batch([])) == []


def test_words_beyond_the_code_points_of_unicode_are_told_apart() -> None:
    rows: Sequence[Sequence[int]] = [[0, 0x10FFFF, 0xD800], [0, 0x110000, 0xD800], [0, 0x110001, 0xD800]]
    for kind in AVAILABLE:
        assert decisions(kind(0.7), rows) == [None, None, None]
        assert decisions(kind(0.5), rows) == [None, (0, 2 / 3), (0, 2 / 3)]


@needs_kernel
def test_two_indexes_do_not_know_each_other() -> None:
    first, second = KernelIndex(0.7), KernelIndex(0.5)
    first.add(array("I", [1, 2, 3]))

    assert second.nearest(array("I", [1, 2, 3])) is None
    assert second.add(array("I", [4])) == 0
    assert first.nearest(array("I", [4])) is None


@needs_kernel
def test_the_compiled_kernel_is_what_is_opened() -> None:
    assert isinstance(open_index(0.7), KernelIndex)


def test_the_score_is_the_reference_s_to_the_last_bit() -> None:
    for first in range(1, 45):
        for second in range(1, 45):
            for lcs in range(min(first, second) + 1):
                expected = fmeasure(lcs / second, lcs / first)
                assert rouge_l_f1(lcs, first, second) == rouge_l_f1(lcs, second, first) == expected


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_lengths_are_ruled_out_only_where_no_score_can_exceed_the_threshold(threshold: float) -> None:
    for length in range(90):
        possible = [each for each in range(1, length + 1) if fmeasure(each / length, 1.0) > threshold]
        assert shortest(threshold, length) == min(possible, default=length + 1)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.6, 0.7, 0.8, 0.82, 0.9])
def test_a_score_that_equals_the_threshold_is_decided_as_the_reference_rounds_it(threshold: float) -> None:
    # Every pair of lengths that can make the threshold exactly, one score below, on, and one above it.
    above = below = 0
    for first in range(1, 53):
        for second in range(1, first + 1):
            exact = round(threshold * (first + second) / 2)
            if not 0 < exact <= second or abs(2 * exact / (first + second) - threshold) > 1e-9:
                continue
            for lcs in range(exact - 1, min(exact + 1, second) + 1):
                rows = [range(first), [*range(lcs), *range(100, 100 + second - lcs)]]
                expected = fmeasure(lcs / second, lcs / first) > threshold
                for kind in AVAILABLE:
                    assert (decisions(kind(threshold), rows)[1] is not None) == expected
                if lcs == exact:
                    above, below = above + expected, below + (not expected)
    assert above + below, "no score equals the threshold"
    if threshold == 0.7:
        assert above, "the reference rounds some scores of 0.7 up"

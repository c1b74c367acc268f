"""Signatures estimate similarities, bands find the pairs that are similar, and nothing is like no words."""

from __future__ import annotations

import math
import pickle
import random

import numpy as np
import pytest

from instil.shingles import Shingler, Texts, jaccard


def overlapping(similarity: float, words: int, count: int, seed: int = 0) -> tuple[Texts, Texts]:
    """Pairs of texts of one word a shingle, with as many words in common as give them a similarity."""
    draw = random.Random(seed)
    common = round(2 * words * similarity / (1 + similarity))
    left, right = [], []
    for _ in range(count):
        drawn = [f"w{draw.getrandbits(48)}" for _ in range(2 * words - common)]
        left.append([" ".join(drawn[:words])])
        right.append([" ".join(drawn[words - common :])])
    return Texts.of(left), Texts.of(right)


@pytest.mark.parametrize("similarity", [0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("words", [20, 300])
def test_agreeing_minima_estimate_the_similarity_as_well_as_theory_says(
    similarity: float, words: int
) -> None:
    permutations, count = 128, 200
    shingler = Shingler(1, permutations)
    left, right = overlapping(similarity, words, count)
    common = round(2 * words * similarity / (1 + similarity))
    exact = common / (2 * words - common)
    estimates = (shingler.signatures(left) == shingler.signatures(right)).mean(axis=1)
    deviation = math.sqrt(exact * (1 - exact) / permutations)
    # Unbiased, to four standard errors of the mean; and not more spread out than draws are.
    assert abs(estimates.mean() - exact) < 4 * deviation / math.sqrt(count)
    assert 0.8 * deviation < np.sqrt(((estimates - exact) ** 2).mean()) < 1.2 * deviation


@pytest.mark.parametrize(("bands", "rows"), [(9, 13), (14, 9), (32, 4), (1, 128)])
@pytest.mark.parametrize("similarity", [0.3, 0.6, 0.8, 0.9])
def test_a_band_is_shared_as_often_as_theory_says(similarity: float, bands: int, rows: int) -> None:
    count, words = 1000, 100
    shingler = Shingler(1, 128)
    left, right = overlapping(similarity, words, count, seed=bands)
    common = round(2 * words * similarity / (1 + similarity))
    exact = common / (2 * words - common)
    found = (shingler.bands(left, bands, rows) == shingler.bands(right, bands, rows)).any(axis=1).mean()
    expected = 1 - (1 - exact**rows) ** bands
    assert abs(found - expected) < 4 * math.sqrt(expected * (1 - expected) / count) + 1e-3


def test_bands_are_equal_where_their_minima_are_and_never_across_bands() -> None:
    shingler = Shingler(1, 12)
    left, right = overlapping(0.7, 30, 300)
    equal = (shingler.signatures(left) == shingler.signatures(right)).reshape(-1, 4, 3).all(axis=2)
    a, b = shingler.bands(left, 4, 3), shingler.bands(right, 4, 3)
    assert ((a == b) == equal).all()
    assert 0.1 < equal.mean() < 0.9
    # One word is the least under every permutation only to itself: all its bands differ none the less.
    assert len(set(Shingler(1, 12).bands(Texts.of([["fever"]]), 12, 1)[0].tolist())) == 12


def test_what_has_no_words_has_no_shingle_and_is_like_nothing_not_even_itself() -> None:
    found = Texts.of([[], [""], [" …!?—"], ["", "。"], ["a"]])
    shingler = Shingler(5, 8)
    values, ends = shingler.shingles(found)
    assert (len(values), ends.tolist()) == (1, [0, 0, 0, 0, 1])
    assert shingler.count(found).tolist() == [0, 0, 0, 0, 1]
    assert (shingler.signatures(found)[:4] == 0xFFFFFFFF).all()
    bands = shingler.bands(found, 4, 2)
    assert (bands[:4] == 0).all()
    assert (bands[4] != 0).all()
    rows = np.arange(5)
    assert jaccard(values, ends, rows, rows).tolist() == [0, 0, 0, 0, 1]


def test_a_short_text_has_one_shingle_of_all_its_words_and_shares_it_with_no_other() -> None:
    found = Texts.of([["Take rest!"], ["take, REST"], ["take"], ["take rest and"], ["take rest and water"]])
    values, ends = Shingler(3).shingles(found)
    assert ends.tolist() == [1, 2, 3, 4, 6]
    assert len(set(values.tolist())) == 4  # the third of the last row is its first three words
    assert jaccard(values, ends, np.array([0, 0, 3]), np.array([1, 2, 4])).tolist() == [1, 0, 0.5]


def test_no_shingle_crosses_from_one_text_of_a_row_to_the_next() -> None:
    apart, together = Texts.of([["one two", "three four"]]), Texts.of([["one two three four"]])
    both = Texts.of([["one two", "three four"], ["one two three four"], ["three four", "one two"]])
    values, ends = Shingler(2).shingles(both)
    assert [Shingler(2).shingles(each)[1].tolist() for each in (apart, together)] == [[2], [3]]
    assert jaccard(values, ends, np.array([0, 0]), np.array([1, 2])).tolist() == [2 / 3, 1]


def test_more_permutations_begin_with_fewer() -> None:
    found = Texts.of([["what helps against a fever that will not go"]])
    assert Shingler(2, 40).signatures(found)[:, :33].tolist() == Shingler(2, 33).signatures(found).tolist()


def test_a_shingler_survives_a_pickle() -> None:
    found, shingler = Texts.of([["a b c"], ["d"]]), Shingler(2, 16)
    again = pickle.loads(pickle.dumps(shingler))
    assert again.bands(found, 4, 4).tolist() == shingler.bands(found, 4, 4).tolist()


def test_numbers_out_of_range_are_refused() -> None:
    values, ends = Shingler().shingles(Texts.of([["a"], ["b"]]))
    for ngram, permutations in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            Shingler(ngram, permutations)
    for bands, rows in ((0, 1), (1, 0), (43, 3)):
        with pytest.raises(ValueError, match="as many permutations, not 128"):
            Shingler().bands(Texts.of([]), bands, rows)
    for left, right in (([0], [2]), ([-1], [0]), ([0], [0, 1])):
        with pytest.raises(ValueError, match="rows 0 to 1"):
            jaccard(values, ends, np.array(left), np.array(right))

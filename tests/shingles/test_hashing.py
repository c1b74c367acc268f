"""The kernel and plain Python give the same numbers, and they are those that the definitions ask for."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.data.words import words
from instil.shingles import Ngrams, Shingler, Texts, jaccard
from instil.shingles.hashing import Hashing, open_hashing
from instil.shingles.kernel import CompiledHashing, problem
from instil.shingles.plain import PlainHashing
from instil.shingles.shingler import _permutations
from tests.shingles.writing import HASHINGS, encoded, minima, rows, shingle_list, similarity

EXPECTED_SHINGLES = [
    *("253556176d8af254", "5ad924d1e79fbc1a", "863d1d06a40b4be1", "c6e7fa8e12dc09d2"),
    *("048b26991e252a06", "20bd8659dab31c94", "ffcb554bef9e0cd2"),
]
EXPECTED_SIGNATURES = [
    [1371547704, 1458475921, 740575461, 413202858],
    [2191204224, 1064105447, 1749866658, 1821292655],
    [0xFFFFFFFF] * 4,
]
EXPECTED_BANDS = [
    [9013051473683765603, 18242421879920779653],
    [10998132313678646455, 11851584109708171135],
    [0, 0],
]

needs_kernel = pytest.mark.skipif(problem() is not None, reason=f"no compiled kernel: {problem()}")
each_hashing = pytest.mark.parametrize("hashing", HASHINGS, ids=lambda each: type(each).__name__)
_ngrams = st.sampled_from([1, 2, 3, 5, 13, 300])


@needs_kernel
@settings(max_examples=80)
@given(rows=rows, ngram=_ngrams, permutations=st.sampled_from([1, 31, 32, 100]), data=st.data())
def test_kernel_and_python_agree_to_the_last_bit(
    rows: list[list[str]], ngram: int, permutations: int, data: st.DataObject
) -> None:
    found, drawn = encoded(rows), _permutations(permutations)
    known = [text for row in data.draw(st.permutations(rows)) for text in row[:1]]
    by_way: list[list[np.ndarray]] = []
    for hashing in (PlainHashing(), CompiledHashing()):
        shingles, ends = hashing.shingles(found, ngram)
        sets = hashing.unique(shingles, ends)
        pairs = np.indices((len(rows), len(rows))).reshape(2, -1)
        ngrams = Ngrams(((text, "x") for text in known), ngram, whole=[(text, "y") for text in known])
        by_way.append(
            [
                *hashing.count(found, ngram),
                *(shingles, ends, *sets),
                hashing.jaccard(*sets, pairs[0].copy(), pairs[1].copy()),
                hashing.signatures(found, ngram, drawn),
                hashing.bands(found, ngram, drawn, max(permutations // 3, 1), min(3, permutations)),
                *hashing.find(found, ngram, ngrams._known),
            ]
        )
    for plain, compiled in zip(*by_way, strict=True):
        assert plain.dtype == compiled.dtype
        assert plain.tolist() == compiled.tolist()


@given(rows=rows, ngram=_ngrams)
def test_words_and_shingles_are_those_of_words(rows: list[list[str]], ngram: int) -> None:
    found = encoded(rows)
    hashing = open_hashing()
    counts, totals = hashing.count(found, ngram)
    assert counts.tolist() == [sum(len(words(text)) for text in row) for row in rows]
    expected = [shingle_list(row, ngram) for row in rows]
    shingles, ends = hashing.shingles(found, ngram)
    assert totals.tolist() == [len(row) for row in expected]
    assert ends.tolist() == np.cumsum(totals, dtype=np.int64).tolist()
    # One number for each sequence of words, and another for another.
    pairs = set(zip([shingle for row in expected for shingle in row], shingles.tolist(), strict=True))
    assert len({shingle for shingle, _ in pairs}) == len({value for _, value in pairs}) == len(pairs)


@given(rows=rows, ngram=_ngrams)
def test_minima_are_the_least_images_of_a_rows_shingles(rows: list[list[str]], ngram: int) -> None:
    found, permutations, hashing = encoded(rows), _permutations(5), open_hashing()
    shingles, ends = hashing.shingles(found, ngram)
    by_row = np.split(shingles, ends[:-1]) if rows else []
    expected = [minima(row.tolist(), permutations) for row in by_row]
    assert hashing.signatures(found, ngram, permutations).tolist() == expected


@given(rows=rows, ngram=_ngrams)
def test_similarities_are_exact(rows: list[list[str]], ngram: int) -> None:
    values, ends = Shingler(ngram).shingles(encoded(rows))
    pairs = np.indices((len(rows), len(rows))).reshape(2, -1)
    found = jaccard(values, ends, pairs[0], pairs[1])
    expected = [float(similarity(rows[left], rows[right], ngram)) for left, right in pairs.T]
    assert found.tolist() == expected


@each_hashing
def test_the_numbers_are_the_same_on_every_machine_and_in_every_release(hashing: Hashing) -> None:
    found = Texts.of([["Fever, cough and INTERNATIONALIZATION of Σίσυφος"], ["头痛3天", "ok"], ["…"]])
    shingler = Shingler(3, 4, hashing)
    assert [f"{value:016x}" for value in shingler.shingles(found)[0].tolist()] == EXPECTED_SHINGLES
    assert shingler.signatures(found).tolist() == EXPECTED_SIGNATURES
    assert shingler.bands(found, 2, 2).tolist() == EXPECTED_BANDS


@needs_kernel
def test_a_string_that_is_cut_within_a_character_is_read_up_to_there() -> None:
    for cut in ("é".encode()[:1], "头".encode()[:2], "\U00020bb7".encode()[:3], "🩺".encode()[:1]):
        data = b"fever" + cut
        found = Texts(data, np.array([0, len(data)]), np.array([0, 1]))
        assert Shingler().count(found).tolist() == [1]


@needs_kernel
@pytest.mark.parametrize(
    "found",
    [
        Texts(b"abc", np.array([0, 4]), np.array([0, 1])),
        Texts(b"abc", np.array([-1, 3]), np.array([0, 1])),
        Texts(b"abc", np.array([0, 3]), np.array([0, 2])),
        Texts(b"abc", np.array([0, 3], np.int16), np.array([0, 1])),  # type: ignore[arg-type]
        Texts(b"abc", np.array([0, 1, 3])[::2], np.array([0, 1])),
    ],
)
def test_offsets_that_point_elsewhere_are_refused(found: Texts) -> None:
    with pytest.raises(ValueError, match="offsets"):
        Shingler().count(found)


@needs_kernel
def test_other_threads_run_while_the_kernel_works() -> None:
    found = Texts.of([["fever and cough " * 200_000]])
    ticks, done = [], threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    other = threading.Thread(target=tick)
    other.start()
    started = time.perf_counter()
    CompiledHashing().signatures(found, 5, _permutations(128))
    ended = time.perf_counter()
    done.set()
    other.join()
    assert len([each for each in ticks if started < each < ended]) > 2


def test_the_compiled_kernel_is_what_is_opened_where_there_is_one() -> None:
    assert isinstance(open_hashing(), PlainHashing if problem() else CompiledHashing)

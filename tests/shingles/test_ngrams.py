"""N-grams of known texts are found where they are, first ones first, and nowhere else."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.words import words
from instil.shingles import Ngrams, Texts
from tests.shingles.writing import HASHINGS, encoded

# Few words, so that texts share n-grams; some of them through the way that Python goes.
_text = st.lists(st.sampled_from(["a", "B", "c", "Σ", "头", "\U00020bb7"]), max_size=9).map(" ".join)
_known = st.lists(st.tuples(_text, st.sampled_from(["x", "y", "z"])), max_size=4)
_rows = st.lists(st.lists(_text, max_size=3), max_size=5)
_Hit = tuple[str, int, int, list[str]]


def hits(ngrams: Ngrams, texts: Texts) -> list[_Hit | None]:
    found = ngrams.find(texts)
    return [
        None
        if source < 0
        else (
            ngrams.names[source],
            int(found.strings[row]) - int(texts.rows[row]),
            int(found.words[row]),
            ngrams.words(texts, found, row),
        )
        for row, source in enumerate(found.sources.tolist())
    ]


def expected(
    known: list[tuple[str, str]], whole: list[tuple[str, str]], row: list[str], ngram: int, most: int | None
) -> _Hit | None:
    """The same by comparing every run of words with all that are known."""
    names: dict[tuple[str, ...], list[str]] = {}
    for text, name in known:
        found = words(text)
        for start in range(len(found) - ngram + 1):
            names.setdefault(tuple(found[start : start + ngram]), []).append(name)
    names = {run: found for run, found in names.items() if most is None or len(set(found)) <= most}
    for text, name in whole:
        if 0 < len(words(text)) < ngram:
            names.setdefault(tuple(words(text)), []).append(name)
    order = list(dict.fromkeys([name for _, name in known] + [name for _, name in whole]))
    for string, text in enumerate(row):
        found = words(text)
        for start in range(max(len(found) - ngram + 1, 1)):
            run = tuple(found[start : start + ngram])
            if run in names:
                return min(names[run], key=order.index), string, start, list(run)
    return None


@pytest.mark.parametrize("hashing", HASHINGS, ids=lambda each: type(each).__name__)
@given(_known, _known, _rows, st.sampled_from([1, 2, 3]), st.sampled_from([None, 1, 2]))
def test_the_first_known_run_of_each_row_is_found(
    hashing: object,
    known: list[tuple[str, str]],
    whole: list[tuple[str, str]],
    rows: list[list[str]],
    ngram: int,
    most: int | None,
) -> None:
    ngrams = Ngrams(known, ngram, whole=whole, most_names=most, hashing=hashing)  # type: ignore[arg-type]
    wanted = [expected(known, whole, row, ngram, most) for row in rows]
    assert hits(ngrams, encoded(rows)) == wanted
    assert hits(pickle.loads(pickle.dumps(ngrams)), encoded(rows)) == wanted


def test_a_run_is_found_wherever_it_stands_in_a_long_text() -> None:
    ngrams = Ngrams([("Which drug is first chosen for absence seizures in a small child", "test:7")], 12)
    run = "WHICH drug is -- first chosen for: absence seizures in a small child?"
    for before in [*range(240, 275), 511, 512, 513, 5000]:
        texts = Texts.of([["and so on"], ["", "word " * before + run + " word" * 300]])
        assert hits(ngrams, texts)[0] is None
        assert hits(ngrams, texts)[1] == ("test:7", 1, before, words(run))


def test_many_known_runs_are_all_found_and_no_others() -> None:
    known = [
        (" ".join(f"w{number}x{each}" for each in range(14)), f"line {number}") for number in range(3000)
    ]
    ngrams = Ngrams(known)
    assert len(ngrams) == 6000
    found = ngrams.find(Texts.of([text] for text, _ in known))
    assert [ngrams.names[source] for source in found.sources] == [name for _, name in known]
    others = Texts.of([" ".join(f"w{number}y{each}" for each in range(30))] for number in range(3000))
    assert (ngrams.find(others).sources == -1).all()


def test_short_texts_have_no_run_and_count_as_wholes_only_where_that_is_asked_for() -> None:
    row = Texts.of([["drug of choice"], ["the drug of choice"]])
    assert hits(Ngrams([("Drug of choice", "x")], 4), row) == [None, None]
    ngrams = Ngrams([], 4, whole=[("Drug of choice:", "x"), ("", "y"), ("one two three four", "z")])
    assert hits(ngrams, row) == [("x", 0, 0, ["drug", "of", "choice"]), None]
    assert len(ngrams) == 1


def test_runs_that_too_many_names_have_are_left_out() -> None:
    known = [(f"read this passage and answer {number} times", str(number)) for number in range(5)]
    row = Texts.of([["read this passage and"], ["answer 3 times"]])
    assert [each and each[0] for each in hits(Ngrams(known, 3, most_names=4), row)] == [None, "3"]
    assert [each and each[0] for each in hits(Ngrams(known, 3, most_names=5), row)] == ["0", "3"]


def test_nothing_known_finds_nothing() -> None:
    assert hits(Ngrams([]), Texts.of([["a " * 20], []])) == [None, None]
    with pytest.raises(ValueError, match="at least 1 word"):
        Ngrams([], 0)

"""Texts come back as they went in, with the reference's score."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from instil.novelty import AcceptedTexts

_texts = st.lists(st.text(max_size=20), max_size=12)
_english = st.lists(
    st.lists(
        st.sampled_from(["What", "helps", "a", "fever?", "cough", "x²", "“at”", "night"]), max_size=9
    ).map(" ".join),
    max_size=12,
)


@given(texts=_texts)
def test_taking_texts_together_is_looking_up_and_accepting_each(texts: list[str]) -> None:
    together, each = AcceptedTexts(0.5), AcceptedTexts(0.5)
    expected = []
    for text in texts:
        expected.append(each.nearest(text))
        if expected[-1] is None:
            each.accept(text)

    assert together.filter(texts) == expected
    assert len(together) == len(each) == expected.count(None)
    for text in texts:
        assert together.nearest(text) == each.nearest(text)


@given(texts=_english, wanted=_english)
def test_scores_are_the_reference_s_and_the_most_similar_come_first(
    texts: list[str], wanted: list[str]
) -> None:
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    accepted = AcceptedTexts(0.7)
    for text in texts:
        accepted.accept(text)
    for text in wanted:
        scores = [scorer.score(each, text)["rougeL"].fmeasure for each in texts]
        best = max(scores, default=0.0)
        nearest = accepted.nearest(text)

        assert nearest == ((texts[scores.index(best)], best) if best > 0.7 else None)
        similar = accepted.most_similar(text, 100)
        assert similar == {each: score for each, score in zip(texts, scores, strict=True) if score > 0}
        assert list(similar.values()) == sorted(similar.values(), reverse=True)


@pytest.mark.parametrize(
    "text", ["", "naïve 头痛 \U0001f642", "half \ud83d of a pair", "a\x00b", "x" * 70_000]
)
def test_a_text_comes_back_whole(text: str) -> None:
    accepted = AcceptedTexts(0.5)
    for each in ("first", text, "last words"):
        accepted.accept(each)

    nearest = accepted.nearest(text)
    assert (nearest.text if nearest else "") == text
    assert accepted.most_similar("last words", 1) == {"last words": 1.0}


def test_a_text_that_is_only_looked_up_leaves_nothing_behind() -> None:
    accepted = AcceptedTexts(0.7)
    accepted.accept("one two three four")
    size = len(accepted._vocabulary)

    assert accepted.nearest("five six seven eight nine") is None
    assert accepted.nearest("one two three four five") is not None
    assert len(accepted._vocabulary) == size

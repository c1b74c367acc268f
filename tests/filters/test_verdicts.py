"""Scores out of whatever a judge writes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.filters.verdicts import read_scores

CRITERIA = ("correctness", "clarity")
BOTH = {"correctness": 4.0, "clarity": 3.0}


@pytest.mark.parametrize(
    "text",
    [
        '{"reason": "fine", "scores": {"correctness": 4, "clarity": 3}}',
        '{"scores": {"Correctness": "4/5", "clarity ": "3"}}',
        '```json\n{"correctness": 4, "clarity": 3.0, "reason": "a {brace}"}\n```',
        'I think so.\n{"scores": {"correctness": {"score": 4, "why": "x"}, "clarity": {"score": 3}}}\nDone.',
        '{"reason": "says "correct" twice", "scores": {"correctness": 4, "clarity": 3}}',
        '{"理由": "还行", "scores": {"正确性": 4, "清晰度": "3分"}}',
        "Correctness: 4/5\nClarity: 3/5",
        "**Correctness** – 4\n**Clarity**: 3 out of 5",
        "正确性：4分，清晰度：３分。",
        "correctness = 4.0; clarity = 3",
        '<think>correctness: 1, clarity: 1</think>{"correctness": 4, "clarity": 3}',
        '{"example": 1} and then {"scores": {"correctness": 4, "clarity": 3}}',
    ],
)
def test_scores_are_read_out_of_json_and_prose(text: str) -> None:
    assert read_scores(text, CRITERIA) == BOTH


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot judge this.",
        '{"scores": {"correctness": 4}}',
        '{"scores": {"correctness": 4, "clarity": 0}}',
        '{"scores": {"correctness": 4, "clarity": 6}}',
        '{"scores": {"correctness": 4, "clarity": "8/10"}}',
        '{"scores": {"correctness": 4, "clarity": true}}',
        '{"scores": {"correctness": 4, "clarity": null}}',
        '{"scores": {"correctness": 4, "clarity": "good"}}',
        '{"scores": {"correctness": 4, "clari',
        "Correctness: 4/5",
        "Correctness: 4/10, clarity: 3/10",
        "Correctness: 40, clarity: 35",
        "Correctness: 4 at first, but correctness: 2 in the end. Clarity: 3",
        "[4, 3]",
    ],
)
def test_what_is_missing_doubtful_or_off_the_scale_is_no_score(text: str) -> None:
    assert read_scores(text, CRITERIA) is None


@given(st.text(max_size=80))
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    found = read_scores(text, CRITERIA)
    assert found is None or all(1 <= score <= 5 for score in found.values())


@given(
    st.dictionaries(
        st.text("abcd 正确", min_size=1).map(str.strip).filter(bool), st.integers(1, 5), min_size=1
    ),
    st.text(max_size=20),
)
def test_what_was_asked_for_is_read_as_it_was_written(scores: dict[str, int], why: str) -> None:
    if len({name.casefold() for name in scores}) == len(scores):
        text = json.dumps({"reason": why, "scores": scores})
        assert read_scores(text, tuple(scores)) == scores

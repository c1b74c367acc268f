"""Questions and answers by their length in words."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from instil.data.examples import Example, Origin
from instil.data.messages import Message
from instil.filters.shape import LengthConfig


def example(question: str, answer: str = "fine") -> Example:
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(messages=turns, origin=Origin(kind="corpus", name="test"))


BOUNDS = LengthConfig(kind="length", min_words=2, max_words=4, min_answer_words=1, max_answer_words=3)


@pytest.mark.parametrize(
    ("question", "answer", "reason", "score"),
    [
        ("one", "a", "question too short", 1),
        ("one two", "a", None, None),
        ("one two three four", "a b c", None, None),
        ("one two three four five", "a", "question too long", 5),
        ("头", "好", "question too short", 1),
        ("头疼怎么", "多喝水", None, None),
        ("头疼怎么办", "好", "question too long", 5),
        ("用 aspirin 吗？", "可以", None, None),
        ("don't, _do_!", "a", None, None),
        ("... ?!", "a", "question too short", 1),
        ("one two", "··· ––– ···", None, None),
        ("one two", "😈", None, None),
        ("one two", " \n", "answer too short", 0),
        ("one two", "a b c d", "answer too long", 4),
        ("one", "", "question too short", 1),
    ],
)
def test_words_are_counted_and_the_bounds_are_allowed(
    question: str, answer: str, reason: str | None, score: int | None
) -> None:
    rejection = BOUNDS.build().check(example(question, answer))
    assert (rejection and rejection.reason, rejection and rejection.score) == (reason, score)
    if rejection:
        assert rejection.filter == "length"
        assert rejection.example == example(question, answer)


def test_the_first_question_and_the_last_answer_count() -> None:
    turns = (
        Message(role="system", content="one two three four five six"),
        Message(role="user", content="one two"),
        Message(role="assistant", content="a b c d e"),
        Message(role="user", content="one"),
        Message(role="assistant", content="a b c"),
    )
    found = Example(messages=turns, origin=Origin(kind="corpus", name="test"))
    assert BOUNDS.build().check(found) is None


@pytest.mark.parametrize(
    "options", [{"min_words": 5, "max_words": 4}, {"min_answer_words": 9, "max_answer_words": 8}]
)
def test_bounds_that_would_keep_nothing_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="nothing would be kept"):
        LengthConfig.model_validate({"kind": "length", **options})

"""Grounded: answers, numbers and quotes that come from the passage pass, and those that do not are named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.examples import Evidence, Example, Origin, Rejection
from instil.data.messages import Message
from instil.filters.grounded import GroundedConfig, support

PASSAGE = (
    "Metformin lowers blood sugar. Adults take 500 mg twice a day with meals; the dose is raised to at most "
    "2,000 mg after one to two weeks. It must not be taken when the kidneys fail (eGFR below 30)."
)
ZH = "二甲双胍可降低血糖。成人每日两次，每次0.5克，随餐服用；一至二周后可加量，"
ZH += "每日不超过2克。肾功能不全者禁用。"


def example(
    answer: str,
    question: str = "How much metformin?",
    passage: str | None = PASSAGE,
    quote: str | None = None,
) -> Example:
    evidence = None
    if passage is not None:
        evidence = Evidence(document="a.pdf", place="page 1", text=passage, quote=quote)
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(messages=turns, origin=Origin(kind="teacher", name="t", evidence=evidence))


def check(row: Example, **config: object) -> Rejection | None:
    return GroundedConfig.model_validate({"kind": "grounded", **config}).build().check(row)


@pytest.mark.parametrize(
    ("answer", "passage"),
    [
        ("Adults take 500 mg with their meals, two times daily.", PASSAGE),
        ("The maximum dosage is 2000 mg a day for adults, raised after 2 weeks.", PASSAGE),
        ("1. Take it with a meal.\n2. Never take it if your kidneys failed.\n3) Adults: 500.0 mg.", PASSAGE),
        ("Yes.", PASSAGE),
        ("成人每次0.5克，每日2次，随餐服用。", ZH),
        ("每日最多2克，肾功能不全的人禁用。", ZH),
    ],
)
def test_an_answer_from_its_passage_passes(answer: str, passage: str) -> None:
    assert check(example(answer, passage=passage)) is None


@pytest.mark.parametrize(
    ("answer", "passage"),
    [
        ("Insulin pumps deliver hormones continuously through a catheter beneath the skin.", PASSAGE),
        ("高血压患者应当减少食盐摄入，坚持运动，保持心情舒畅。", ZH),
    ],
)
def test_an_answer_from_elsewhere_is_rejected_with_its_share(answer: str, passage: str) -> None:
    rejection = check(example(answer, passage=passage))
    assert rejection is not None
    assert rejection.reason == "too few of its words are in the passage"
    assert rejection.score is not None
    assert rejection.score < 0.2


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        ("Adults take 850 mg twice a day with meals.", "850"),
        ("Take 500 mg with meals, at most 2,500 mg, when eGFR is below 45.", "45, 2500"),
        ("The dose is raised after 1.5 weeks.", "1.5"),
        ("Ｔａｋｅ ８５０ mg with meals.", "850"),
    ],
)
def test_a_number_that_the_passage_does_not_have_is_named(answer: str, missing: str) -> None:
    rejection = check(example(answer))
    assert rejection is not None
    assert (rejection.reason, rejection.text) == ("a number that the passage does not have", missing)
    assert check(example(answer), numbers=False) is None


def test_a_number_of_the_question_may_be_in_the_answer() -> None:
    question = "Is metformin allowed with an eGFR of 25?"
    assert check(example("With 25, which is below 30, it must not be taken.", question)) is None


@pytest.mark.parametrize(
    ("answer", "passage", "passes"),
    [
        ("Raised after 12 weeks of meals.", "The dose is raised after twelve weeks of meals.", True),
        ("3天后复诊，共25片。", "三天后复诊，共二十五片。", True),
        ("2024年起有103家医院参加。", "二〇二四年起有一百零三家医院参加。", True),
        ("共12000人参加。", "共一万二千人参加。", True),
        ("共13000人参加。", "共一万二千人参加。", False),
    ],
)
def test_a_number_may_be_spelled_out_in_the_passage(answer: str, passage: str, passes: bool) -> None:
    assert (check(example(answer, passage=passage)) is None) is passes


@pytest.mark.parametrize(
    ("quote", "passes"),
    [
        ("Metformin lowers blood sugar.", True),
        ("“metformin  lowers\nblood sugar”", True),
        ("Adults take 500 mg … with meals", True),
        ("Metformin raises blood sugar.", False),
        ("Metformin lowers ... the weight", False),
        ("...", False),
        ("", False),
    ],
)
def test_a_quote_must_stand_in_the_passage_but_for_space_and_marks(quote: str, passes: bool) -> None:
    row = example("It lowers blood sugar.", quote=quote)
    rejection = check(row)
    assert (rejection is None) is passes
    assert passes or (rejection and rejection.reason == "the quote is not in the passage")
    assert check(row, quote=False) is None


def test_an_example_without_evidence_is_kept_unless_the_recipe_says_otherwise() -> None:
    row = example("Anything 7.", passage=None)
    assert check(row) is None
    rejection = check(row, without_evidence="reject")
    assert rejection is not None
    assert rejection.reason == "no evidence"


def test_every_answer_of_a_conversation_is_checked() -> None:
    row = example("It lowers blood sugar.")
    more = (Message(role="user", content="And then?"), Message(role="assistant", content="Take 850 mg."))
    assert check(row) is None
    assert check(row.model_copy(update={"messages": (*more, *row.messages)})) is not None


def test_support_is_the_share_of_words_that_count() -> None:
    # blood, sugar, lowered (lower) and metformin of five: of, is and by are too short.
    assert support("Blood sugar is lowered by metformin quickly", PASSAGE) == pytest.approx(4 / 5)
    assert support("血糖降低了", ZH) == pytest.approx(4 / 5)  # 了 has no neighbour there
    assert support("a b c", PASSAGE) == 1.0


@given(st.text(max_size=80))
def test_a_text_supports_itself_and_has_its_own_numbers(text: str) -> None:
    assert support(text, text) == 1.0
    assert check(example(text, passage=text), min_support=1) is None


def test_evidence_is_in_the_row_of_an_example_that_has_some_and_in_no_other() -> None:
    row = example("It lowers blood sugar.", quote="Metformin lowers").row()
    assert row["origin"]["evidence"] == {
        "document": "a.pdf",
        "place": "page 1",
        "text": PASSAGE,
        "quote": "Metformin lowers",
    }
    assert Example.model_validate(json.loads(json.dumps(row))).row() == row
    assert "evidence" not in example("x", passage=None).row()["origin"]

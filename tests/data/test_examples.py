"""Examples are values: equal by content, frozen, and the same after a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from instil.data.examples import Counts, Example, Origin, Rejection, SeedTask
from instil.data.jsonl import read_jsonl, write_jsonl
from instil.data.messages import Conversation, Message, ask

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MESSAGES = st.builds(Message, role=st.sampled_from(["system", "user", "assistant", "tool"]), content=TEXT)
ORIGINS = st.builds(
    Origin,
    kind=st.sampled_from(["seed", "teacher", "corpus"]),
    name=TEXT,
    license=st.none() | TEXT,
    parents=st.lists(TEXT, max_size=2).map(tuple),
    entities=st.lists(TEXT, max_size=2).map(tuple),
    request=st.none() | TEXT,
)
SCORES = st.dictionaries(TEXT, st.floats(allow_nan=False, allow_infinity=False), max_size=2)
EXAMPLES = st.builds(
    Example, messages=st.lists(MESSAGES, min_size=1, max_size=3).map(tuple), origin=ORIGINS, scores=SCORES
)
REJECTIONS = st.builds(
    Rejection,
    filter=TEXT,
    reason=TEXT,
    example=st.none() | EXAMPLES,
    text=st.none() | TEXT,
    request=st.none() | TEXT,
    score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    nearest=st.none() | TEXT,
)

SEED = Origin(kind="seed", name="seed_tasks.jsonl")
QUESTION, ANSWER = Message(role="user", content="热"), Message(role="assistant", content="Rest.")


@given(example=EXAMPLES, rejection=REJECTIONS)
def test_rows_read_back_as_equal_values(
    tmp_path_factory: pytest.TempPathFactory, example: Example, rejection: Rejection
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_jsonl(path, [example.row(), rejection.row()])
    (_, first), (_, second) = read_jsonl(path)
    assert Example.model_validate(first) == example
    assert Example.model_validate(first).id == example.id
    assert Rejection.model_validate(second) == rejection


def test_a_row_has_the_openai_chat_form_and_its_origin() -> None:
    assert Example(messages=(QUESTION, ANSWER), origin=SEED).row() == {
        "messages": [{"role": "user", "content": "热"}, {"role": "assistant", "content": "Rest."}],
        "origin": {
            "kind": "seed",
            "name": "seed_tasks.jsonl",
            "license": None,
            "parents": [],
            "entities": [],
            "request": None,
        },
    }


def test_scores_are_in_the_row_where_there_are_any() -> None:
    example = Example(messages=(QUESTION,), origin=SEED, scores={"judge": 4.5})
    assert example.row()["scores"] == {"judge": 4.5}


def test_a_rejection_is_written_without_what_it_does_not_have() -> None:
    assert Rejection(filter="parse", reason="no answer", text="Q:").row() == {
        "filter": "parse",
        "reason": "no answer",
        "text": "Q:",
    }


def test_the_id_is_the_hash_of_the_messages() -> None:
    # printf '[{"content":"热","role":"user"},{"content":"Rest.","role":"assistant"}]' | sha256sum
    assert Example(messages=(QUESTION, ANSWER), origin=SEED).id == "c6eb612c69b30309"


def test_the_id_depends_on_the_conversation_and_not_on_where_it_came_from() -> None:
    example = Example(messages=(QUESTION, ANSWER), origin=SEED)
    elsewhere = Origin(kind="teacher", name="gpt", request="abc")
    assert Example(messages=(QUESTION, ANSWER), origin=elsewhere, scores={"judge": 1}).id == example.id
    assert Example(messages=(ANSWER, QUESTION), origin=SEED).id != example.id
    assert Example(messages=(QUESTION,), origin=SEED).id != example.id
    spaced = Message(role="assistant", content="Rest. ")
    assert Example(messages=(QUESTION, spaced), origin=SEED).id != example.id


def test_a_value_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        QUESTION.content = "kalt"  # type: ignore[misc]
    assert Message(role="user", content="热") == QUESTION
    assert hash(QUESTION) == hash(Message(role="user", content="热"))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, r"messages\.0\.role"),
        ({"messages": [{"role": "user", "content": None}]}, r"messages\.0\.content"),
        ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, r"messages\.0\.name"),
        ({"messages": [{"role": "user", "content": "x"}], "id": "7"}, "id"),
    ],
)
def test_a_row_that_is_no_example_is_refused_at_its_place(row: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=rf"(?m)^{problem}$"):
        Example.model_validate({"origin": SEED.model_dump(), **row})


@pytest.mark.parametrize("instruction", ["", " ", "\n\t", "\u3000"])
def test_a_seed_task_without_an_instruction_is_refused(instruction: str) -> None:
    with pytest.raises(ValidationError, match="the instruction is empty"):
        SeedTask(id="1", name="triage", instruction=instruction)


def test_a_seed_task_keeps_its_white_space() -> None:
    assert SeedTask(id="1", name="triage", instruction=" def f():\n").instruction == " def f():\n"


@pytest.mark.parametrize(
    ("counts", "adds_up"),
    [
        (Counts(asked=0, kept=0), True),
        (Counts(asked=6, kept=3, rejected=2, failed=1, reasons={"short": 2, "timeout": 1}), True),
        (Counts(asked=7, kept=3, rejected=2, failed=1, reasons={"short": 2, "timeout": 1}), False),
        (Counts(asked=5, kept=3, rejected=2, failed=1, reasons={"short": 2, "timeout": 1}), False),
        (Counts(asked=6, kept=3, rejected=2, failed=1, reasons={"short": 2}), False),
        (Counts(asked=6, kept=3, rejected=2, failed=1, reasons={"short": 2, "timeout": 2}), False),
    ],
)
def test_counts_add_up_only_when_no_row_and_no_reason_is_lost(counts: Counts, adds_up: bool) -> None:
    assert counts.adds_up is adds_up


def test_a_count_is_never_negative() -> None:
    with pytest.raises(ValidationError, match=r"kept[^$]*greater than or equal to 0"):
        Counts(asked=0, kept=-1, rejected=1)


def test_a_conversation_ends_in_what_is_learned() -> None:
    system = Message(role="system", content="You are a nurse.")
    second = Message(role="user", content="And then?")
    messages = (system, QUESTION, ANSWER, second, ANSWER)
    conversation = Conversation(messages=messages)
    assert Example(messages=messages, origin=SEED).conversation == conversation
    assert conversation.prompt == (system, QUESTION, ANSWER, second)
    assert conversation.completion == ANSWER
    assert conversation.instruction == "热"
    assert Conversation(messages=(system, ANSWER)).instruction == ""


def test_a_question_comes_after_its_system_prompt() -> None:
    assert ask("热") == (QUESTION,)
    assert ask("热", system="") == (Message(role="system", content=""), QUESTION)

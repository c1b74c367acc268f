"""A user's own table as one entry of the recipe: columns, templates, conditions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instil.corpora.base import Excluded, Failure, Row
from instil.corpora.files import FilesConfig
from instil.data.examples import Example
from instil.data.messages import Turn
from instil.errors import StageError


def source(path: Path, records: list[dict[str, Any]], **options: Any) -> FilesConfig:
    path.joinpath("rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    return FilesConfig(kind="files", name="mine", path=path / "rows.jsonl", **options)


def turns(path: Path, record: dict[str, Any], **fields: str) -> list[Turn] | str:
    """Return the turns of a record, or why it has none."""
    config = source(path, [record], fields=fields)
    (each,) = (row for part in config.parts() for row in config.open(part, 0))
    if isinstance(each, Row):
        return list(each.turns)
    assert isinstance(each, Failure)
    return each.reason


def test_columns_become_turns_by_their_names(tmp_path: Path) -> None:
    record = {"q": "Why?", "a": "So.", "s": "Be brief.", "h": [["One?", "1"], ["Two?", "2"]], "c": "Here."}
    assert turns(tmp_path, record, user="q", assistant="a", system="s", history="h", input="c") == [
        ("system", "Be brief."),
        ("user", "One?"),
        ("assistant", "1"),
        ("user", "Two?"),
        ("assistant", "2"),
        ("user", "Why?\nHere."),
        ("assistant", "So."),
    ]


def test_they_may_be_called_as_alpaca_calls_them(tmp_path: Path) -> None:
    record = {"task": "Add.", "numbers": "1 2", "sum": 3}
    expected = [("user", "Add.\n1 2"), ("assistant", "3")]
    assert turns(tmp_path, record, instruction="task", input="numbers", output="sum") == expected


def test_what_may_be_empty_may_be_missing(tmp_path: Path) -> None:
    fields = {"user": "q", "assistant": "a", "system": "s", "history": "h", "input": "c"}
    expected = [("user", "Why?"), ("assistant", "So.")]
    for rest in ({}, {"s": "", "h": [], "c": " "}, {"s": None, "h": None, "c": None}, {"h": ""}):
        assert turns(tmp_path, {"q": "Why?", "a": "So.", **rest}, **fields) == expected


def test_a_value_may_be_nested_or_a_template(tmp_path: Path) -> None:
    record = {"meta": {"q": ["Why?"]}, "a": "So", "chief complaint": "cough", "tests": "['X-ray', 'CT']"}
    template = '{{ a }}: {{ record["chief complaint"] }}; {{ tests | as_list | join(", ") }}'
    expected = [("user", "Why?"), ("assistant", "So: cough; X-ray, CT")]
    assert turns(tmp_path, record, user="meta.q.0", assistant=template) == expected


def test_a_column_may_hold_the_whole_conversation(tmp_path: Path) -> None:
    said = [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]
    expected = [("system", "Be brief."), ("user", "Why?"), ("assistant", "So.")]
    assert turns(tmp_path, {"d": {"t": said}, "s": "Be brief."}, messages="d.t", system="s") == expected
    assert "is not a list of turns" in turns(tmp_path, {"d": "said"}, messages="d")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"a": "So."}, "'q' is missing"),
        ({"q": "Why?", "a": None}, "'a' is missing"),
        ({"q": "Why?", "a": ""}, "'a' is empty"),
        ({"q": "Why?", "a": ["So."]}, "'a' is not text"),
        ({"q": "Why?", "a": "So.", "c": {}}, "'c' is not text"),
        ({"q": "Why?", "a": "So.", "h": [["One?"]]}, "'h' is not a list of [question, answer]"),
        ({"q": "Why?", "a": "So.", "h": "earlier"}, "'earlier' is not a list"),
        ({"q": "Why?", "a": "So.", "h": {"q": "a"}}, "{'q': 'a'} is not a list"),
    ],
)
def test_a_record_without_a_question_or_an_answer_is_a_failure(
    tmp_path: Path, record: dict[str, Any], reason: str
) -> None:
    assert turns(tmp_path, record, user="q", assistant="a", history="h", input="c") == reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields": {"assistant": "a"}}, "user is missing"),
        (
            {"fields": {"user": "q", "instruction": "q", "assistant": "a"}},
            "user and instruction are the same",
        ),
        ({"fields": {"user": "q", "assistant": "a", "output": "a"}}, "assistant and output are the same"),
        ({"fields": {"messages": "m", "input": "q"}}, "input cannot stand beside it"),
        ({"fields": {"user": "{{ q", "assistant": "a"}}, "not a Jinja template"),
        ({"fields": {"user": "", "assistant": "a"}}, "at least 1 character"),
        ({"fields": {"user": "q", "assistant": "a"}, "format": "alpaca"}, "format and fields both say"),
        (
            {
                "fields": {"user": "q", "assistant": "a"},
                "task": {"kind": "summarization", "text": "q", "summary": "a"},
            },
            "fields and task both say",
        ),
        ({"where": "score >"}, "is not a Jinja expression"),
        ({"where": ""}, "at least 1 character"),
        ({"tool_turns": "some"}, "'drop' or 'keep'"),
    ],
)
def test_a_wrong_entry_is_refused_before_anything_is_read(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        source(tmp_path, [], **options)
    assert message in str(caught.value)


def test_rows_for_training_need_an_answer_and_questions_for_a_teacher_do_not(tmp_path: Path) -> None:
    records = [{"q": "Why?", "s": "Be brief."}, {"q": ""}]
    config = source(tmp_path, records, fields={"user": "q", "system": "s"})
    with pytest.raises(StageError, match="'mine' does not say which column is the answer"):
        config.parts()
    question, failure = config.read_questions()
    assert isinstance(question, Example)
    assert [(each.role, each.content) for each in question.messages] == [
        ("system", "Be brief."),
        ("user", "Why?"),
    ]
    assert failure == Failure("rows.jsonl", "'q' is empty", line=2)


def test_a_conversation_may_be_asked_to_its_last_question(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Why?"}]
    answered = [*said, {"role": "assistant", "content": "So."}]
    config = source(tmp_path, [{"m": said}, {"m": answered}], fields={"messages": "m"})
    found = [each.messages for each in config.read_questions() if isinstance(each, Example)]
    assert [[message.content for message in each] for each in found] == [["Why?"], ["Why?"]]


def test_rows_that_a_condition_leaves_out_are_counted_and_those_it_cannot_decide_are_failures(
    tmp_path: Path,
) -> None:
    records: list[dict[str, Any]] = [
        {"prompt": "1", "completion": "a", "score": 5},
        {"prompt": "2", "completion": "b", "score": 1},
        {"prompt": "3", "completion": "c"},
        {"prompt": "4", "completion": "d", "score": "high"},
    ]
    config = source(tmp_path, records, where="score > 3")
    (part,) = config.parts()
    taken, left_out, missing, text = config.open(part, 0)
    assert isinstance(taken, Row)
    assert left_out == Excluded("rows.jsonl", "where", 2)
    assert missing == Failure("rows.jsonl", "where: 'score' is undefined", line=3)
    assert isinstance(text, Failure)
    assert "not supported between" in text.reason
    # Where nobody counts exclusions they are told as failures.
    assert Failure("rows.jsonl", "left out by where", 2) in list(config.read())


def test_a_condition_is_decided_before_a_record_is_read(tmp_path: Path) -> None:
    config = source(tmp_path, [{"score": 1}], where="score > 3")
    assert [each for part in config.parts() for each in config.open(part, 0)] == [
        Excluded("rows.jsonl", "where", 1)
    ]


CALL = '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>'
WITH_TOOLS = {
    "messages": [
        {"role": "user", "content": "What time is it?"},
        {"role": "assistant", "content": CALL},
        {"role": "tool", "content": "12:00"},
        {"role": "assistant", "content": "Noon."},
        {"role": "user", "content": "Thanks."},
        {"role": "assistant", "content": "You are welcome."},
    ]
}


def test_tool_turns_are_dropped_or_kept_by_choice(tmp_path: Path) -> None:
    def roles(**options: Any) -> list[str]:
        (each,) = source(tmp_path, [WITH_TOOLS], **options).read()
        assert isinstance(each, Example)
        return [message.role for message in each.messages]

    assert "tool" not in roles()
    assert roles() == roles(tool_turns="drop")
    assert roles(tool_turns="keep") == ["user", "assistant", "tool", "assistant", "user", "assistant"]


def test_a_conversation_of_tool_turns_only_is_left_out_and_counted(tmp_path: Path) -> None:
    only = {"messages": WITH_TOOLS["messages"][:2]}
    config = source(tmp_path, [only])
    assert [each for part in config.parts() for each in config.open(part, 0)] == [
        Excluded("rows.jsonl", "tool_turns", 1)
    ]
    (kept,) = source(tmp_path, [only], tool_turns="keep").read()
    assert isinstance(kept, Example)

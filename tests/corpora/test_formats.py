"""Each format of a corpus on three records of its kind, and on records that are not what they claim."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from instil.corpora.base import BadRecord, Failure, Row, Task
from instil.corpora.containers import read_records
from instil.corpora.formats import FORMATS

ROWS = Path(__file__).parent / "rows"
MUST_BE_NAMED = {
    "lmflow_text2text": "lmflow",
    "medmcqa_hub": "medmcqa",
    "medmcqa_raw": "medmcqa",
    "openassistant_best": "openassistant",
}
"""Formats that match what another matches before them."""


def records(name: str) -> Iterator[dict[str, Any]]:
    """Yield the records of tests/corpora/rows/NAME.*, as the containers give them."""
    (path,) = ROWS.glob(f"{name}.*")
    for each in read_records(path):
        assert not isinstance(each, Failure), each
        yield each.value


def shown(row: Row | Task) -> str:
    """Return a row, or a task before it is worded, as one line of JSON."""
    said: dict[str, Any]
    if not isinstance(row, Row):
        assert dataclasses.is_dataclass(row)
        fields = dataclasses.asdict(row)
        said = {type(row).__name__: {key: value for key, value in fields.items() if value is not None}}
    else:
        said = {"messages": [{"role": role, "content": content} for role, content in row.turns]}
        if row.label:
            said["label"] = row.label.model_dump()
        if row.origin:
            said["origin"] = row.origin.model_dump(exclude_defaults=True)
        if row.group:
            said["group"] = row.group
    return json.dumps(said, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", FORMATS)
def test_three_records_become_the_reviewed_rows(name: str, golden: Callable[[str, str], None]) -> None:
    given = list(records(name))
    assert len(given) == 3
    golden(
        f"corpora/{name}.jsonl", "".join(shown(row) for record in given for row in FORMATS[name].read(record))
    )


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_told_from_its_keys(name: str) -> None:
    for record in records(name):
        found = next(each.name for each in FORMATS.values() if each.matches(record))
        assert found == MUST_BE_NAMED.get(name, name)


def test_the_formats_are_known_by_these_names() -> None:
    assert sorted(FORMATS) == [
        "alpaca",
        "belle_multiturn",
        "coig",
        "dolly",
        "gpt4all",
        "gsm8k",
        "guanaco",
        "huatuo",
        "huatuo_26m",
        "hugchat",
        "input_output",
        "input_target",
        "inputs_targets",
        "lmflow",
        "lmflow_text2text",
        "medmcqa",
        "medmcqa_hub",
        "medmcqa_raw",
        "medqa",
        "messages",
        "moss",
        "oig",
        "openassistant",
        "openassistant_best",
        "preference",
        "problem_solution",
        "prompt_completion",
        "pubmedqa",
        "query_response",
        "question_answer",
        "question_response",
        "self_instruct",
        "sharegpt",
        "ultrachat",
    ]


ASK = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}
MESSAGE = {"role": "prompter", "text": "q", "replies": []}
CHOICES = {"question": "q", "opa": "1", "opb": "2", "opc": "3", "opd": "4"}
PASSAGE = {"QUESTION": "q", "CONTEXTS": ["c"], "LONG_ANSWER": "l"}


def calling(**function: Any) -> dict[str, Any]:
    """Return a chat in which the assistant calls a tool."""
    return {"messages": [ASK, {"role": "assistant", "content": "", "tool_calls": [{"function": function}]}]}


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("alpaca", {"instruction": "q"}, "'output' is missing"),
    ("alpaca", {"instruction": "q", "output": " \n"}, "'output' is empty"),
    ("alpaca", {"instruction": "", "output": "a"}, "'instruction' is empty"),
    ("alpaca", {"instruction": " ", "input": " ", "output": "a"}, "'instruction' is empty"),
    ("alpaca", {"instruction": 1, "input": "q", "output": "a"}, "'instruction' is not text"),
    ("alpaca", {"instruction": "q", "output": ["a"]}, "'output' is not text"),
    ("alpaca", {"instruction": "q", "output": "a", "input": 3}, "'input' is not text"),
    *(
        ("alpaca", {"instruction": "q", "output": "a", "history": history}, "'history' is not a list of")
        for history in ("q", [["q"]], [["q", None]], ["qa"], {"q": "a"})
    ),
    ("messages", {}, "'messages' is not a list of turns"),
    ("messages", {"messages": []}, "'messages' is not a list of turns"),
    ("messages", {"messages": [ASK, "a"]}, "a turn is not an object: turn 2"),
    (
        "messages",
        {"messages": [ASK, {"role": "narrator", "content": "a"}]},
        "unknown role 'narrator': turn 2",
    ),
    ("messages", {"messages": [ASK, {"content": "a"}]}, "unknown role None: turn 2"),
    ("messages", {"messages": [{"role": ["user"], "content": "a"}]}, "unknown role ['user']: turn 1"),
    ("messages", {"messages": [ASK, {"role": "assistant", "content": None}]}, "turn 2 of assistant is empty"),
    ("messages", {"messages": [ASK, {"role": "assistant"}]}, "turn 2 of assistant is empty"),
    ("messages", {"messages": [ASK, {"role": "assistant", "content": 3}]}, "'content' is not text: turn 2"),
    (
        "messages",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, ANSWER]},
        "a part of type 'image_url' is not text: turn 1",
    ),
    ("messages", {"messages": [ASK]}, "no question with an answer"),
    ("messages", {"messages": [ANSWER]}, "no question with an answer"),
    ("messages", {"messages": [ANSWER, ASK]}, "no question with an answer"),
    ("messages", {"messages": [ASK, ANSWER], "tools": "calculator"}, "'tools' is not JSON"),
    ("messages", {"messages": [ASK, ANSWER], "tools": {"name": "x"}}, "'tools' is not a list"),
    ("messages", calling(name="x", arguments="{broken"), "the arguments of a tool call is not JSON"),
    ("messages", calling(arguments="{}"), "a tool call without a name"),
    ("sharegpt", {"conversations": "hi"}, "'conversations' is not a list of turns"),
    ("sharegpt", {"conversation": []}, "'conversation' is not a list of turns"),
    ("sharegpt", {"conversations": [{"from": "human", "value": ""}]}, "turn 1 of user is empty"),
    ("sharegpt", {"conversations": [{"from": "human", "value": "q"}], "system": 1}, "'system' is not text"),
    ("sharegpt", {"conversations": ["q", 1]}, "the turns are not all text"),
    ("sharegpt", {"conversation": [{"human": "q"}]}, "a pair without the texts 'human' and 'assistant'"),
    (
        "sharegpt",
        {"conversations": [{"from": "human", "value": "q"}, {"from": "function_call", "value": "look()"}]},
        "a tool call is not JSON",
    ),
    ("self_instruct", {"instruction": "q", "instances": []}, "'instances' is empty"),
    ("self_instruct", {"instruction": "q", "instances": ["a"]}, "'instances' is not a list"),
    ("self_instruct", {"instruction": "q", "instances": [{"input": ""}]}, "'output' is missing"),
    ("prompt_completion", {"prompt": "q", "completion": ""}, "'completion' is empty"),
    ("prompt_completion", {"prompt": [], "completion": "a"}, "'prompt' is not a list of turns"),
    ("input_target", {"input": " ", "target": "a"}, "'input' is empty"),
    ("huatuo", {"query": [], "answer": "a"}, "'query' is not text"),
    ("huatuo", {"query": "q", "answer": [[""]]}, "'answer' is empty"),
    ("gpt4all", {"prompt": "<p> </p>", "response": ""}, "'response' is empty"),
    ("hugchat", {"text": "Human: q"}, "'text' does not hold a turn of Human and one of HugChat"),
    ("hugchat", {"text": "Human: q\nHugChat: \n"}, "turn 3 of assistant is empty"),
    ("hugchat", {"text": "Human: q\nHuman: q"}, "no question with an answer"),
    ("hugchat", {"text": "HugChat: a\nHugChat: b"}, "no question with an answer"),
    ("oig", {"text": "<human>: q\n<human>: q"}, "no question with an answer"),
    ("guanaco", {"text": "### Instruction: q"}, "'text' has no marks of who speaks"),
    ("belle_multiturn", {"instruction": "Human:q\nAssistant:", "output": " "}, "'output' is empty"),
    ("preference", {"chosen": "a", "rejected": "b"}, "'chosen' answers nothing"),
    ("preference", {"chosen": None, "rejected": None, "prompt": "q"}, "'chosen' is not a list of turns"),
    ("coig", {"textbox_question": " ", "textbox_answer": "a"}, "'textbox_question' is empty"),
    ("coig", {"round_0": {"response": "Q"}}, "a 'response' is not JSON"),
    ("coig", {"round_0": {"response": "[]"}}, "a 'response' is not an object of Q and A"),
    ("lmflow", {"type": "text_only", "text": "prose"}, "'text' has no marks of who speaks"),
    ("lmflow", {"type": "float_only"}, "unknown type 'float_only'"),
    ("moss", {"chat": {"turn_1": "hi"}}, "'chat' is not an object of turns"),
    ("moss", {"chat": {"first": {"Human": "q"}}}, "'chat' has the unknown turn 'first'"),
    (
        "moss",
        {"chat": {"turn_1": {"Human": "q", "Commands": "Draw(x)", "MOSS": "a"}}},
        "a command is not one of Search, Calculate, Solve, Text2Image",
    ),
    ("openassistant", {"message_tree_id": "t", "parent_id": None, "text": "q"}, "one message of a tree"),
    ("openassistant", {"message_tree_id": "t", "prompt": "q"}, "'prompt' is not a message"),
    ("openassistant", {"prompt": MESSAGE}, "no path ends with an answer"),
    ("openassistant", {"prompt": {**MESSAGE, "role": "moderator"}}, "unknown role 'moderator'"),
    ("openassistant", {"prompt": {**MESSAGE, "replies": ["a"]}}, "'replies' is not a list of messages"),
    ("medmcqa", {**CHOICES, "cop": 2}, "'cop' may be counted from 0 or from 1"),
    ("medmcqa", {**CHOICES, "cop": -1}, "'cop' is kept back: this is the test split"),
    ("medmcqa", CHOICES, "'cop' is kept back"),
    ("medmcqa", {**CHOICES, "cop": 5}, "'cop' does not count one of four choices"),
    ("medmcqa_raw", {**CHOICES, "cop": 0}, "'cop' does not count one of four choices from 1: 0"),
    ("medmcqa_hub", {**CHOICES, "cop": 4}, "'cop' does not count one of four choices from 0: 4"),
    ("medmcqa_hub", {**CHOICES, "cop": True}, "'cop' is not a number"),
    ("medmcqa_hub", {**CHOICES, "opb": " ", "cop": 0}, "'opb' is empty"),
    ("medqa", {"question": "q", "options": ["x"], "answer": "x"}, "'options' is not an object of options"),
    ("medqa", {"question": "q", "options": {"A": "x"}, "answer": "x"}, "'options' are not two texts or more"),
    ("medqa", {"question": "q", "options": {"A": "x", "B": "y"}, "answer": "z"}, "none of the options"),
    ("medqa", {"question": "q", "options": {"A": "x", "B": "x"}, "answer": "x"}, "none of the options"),
    (
        "medqa",
        {"question": "q", "options": {"A": "x", "B": "y"}, "answer_idx": "A", "answer": "y"},
        "'answer_idx' and 'answer' name different options",
    ),
    ("pubmedqa", {**PASSAGE, "CONTEXTS": "c"}, "the contexts are not a list of texts"),
    ("pubmedqa", {**PASSAGE, "final_decision": "perhaps"}, "'final_decision' is none of yes, no, maybe"),
    ("pubmedqa", {**PASSAGE, "LONG_ANSWER": ""}, "neither a decision nor a long answer"),
    ("pubmedqa", {"1": "yes", "2": "no"}, "answers without their questions"),
    ("gsm8k", {"question": "q", "answer": "a\n#### "}, "'answer' has no number after ####"),
    ("ultrachat", {"data": "q"}, "'data' is not a list of texts"),
    ("ultrachat", {"data": ["q"]}, "no question with an answer"),
]


@pytest.mark.parametrize(("name", "record", "reason"), BAD)
def test_a_bad_record_says_what_is_wrong_with_it(name: str, record: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        list(FORMATS[name].read(record))
    assert reason in str(caught.value)


def turns(name: str, record: dict[str, Any]) -> list[tuple[str, str]]:
    (row,) = FORMATS[name].read(record)
    assert isinstance(row, Row)
    return list(row.turns)


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("alpaca", {"instruction": "", "input": "q", "output": "a"}),
        ("sharegpt", {"conversations": ["q", "a"], "source": "lima"}),
        ("sharegpt", {"conversation": [{"human": "q", "assistant": "a"}]}),
        ("sharegpt", {"instruction": "", "conversations": [{"question": "q", "answer": "a"}]}),
        ("sharegpt", {"conversation": [{**ASK, "language": "English"}, ANSWER], "model": "m"}),
        ("preference", {"prompt": "q", "chosen": "a", "rejected": "b"}),
        ("preference", {"question": "q", "chosen": "a", "rejected": "b", "system": ""}),
        ("preference", {"instruction": "q", "input": "", "chosen": "a", "rejected": "b"}),
        ("preference", {"prompt": [ASK], "chosen": [ANSWER], "rejected": [ANSWER]}),
        ("prompt_completion", {"prompt": [ASK], "completion": [ANSWER]}),
        ("moss", {"plain_text": "[Human]: q<eoh>\n[MOSS]: a<eoa>", "num_turns": 1}),
    ],
)
def test_variants_of_a_format_are_read_too(name: str, record: dict[str, Any]) -> None:
    assert turns(name, record) == [("user", "q"), ("assistant", "a")]


def test_the_turns_of_moss_are_in_the_order_of_their_numbers_and_empty_ones_of_a_table_are_none() -> None:
    chat: dict[str, Any] = {
        f"turn_{number}": {"Human": f"q{number}", "MOSS": f"a{number}"} for number in (10, 2, 1)
    }
    chat["turn_11"] = {"Human": None, "MOSS": None}
    said = [content for _, content in turns("moss", {"chat": chat})]
    assert said == ["q1", "a1", "q2", "a2", "q10", "a10"]


def test_commands_of_moss_become_calls_with_the_names_of_their_arguments() -> None:
    turn = {
        "Human": "q",
        "Commands": '<|Commands|>: Calculate("(1+2)*3"), Solve("x, y = 1")<eoc>\n',
        "MOSS": "a",
    }
    call = turns("moss", {"chat": {"turn_1": turn}})[1]
    assert call == (
        "assistant",
        '<tool_call>\n{"name": "Calculate", "arguments": {"expression": "(1+2)*3"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "Solve", "arguments": {"equation": "x, y = 1"}}\n</tool_call>',
    )


def test_the_counting_of_medmcqa_is_told_from_the_order_of_its_keys_alone() -> None:
    raw: dict[str, Any] = {
        "question": "q",
        "exp": None,
        "cop": 1,
        "opa": "1",
        "opb": "2",
        "opc": "3",
        "opd": "4",
        "id": "x",
    }
    hub: dict[str, Any] = {
        "id": "x",
        "question": "q",
        "opa": "1",
        "opb": "2",
        "opc": "3",
        "opd": "4",
        "cop": 1,
    }
    assert [each.answer for each in FORMATS["medmcqa"].read(raw)] == [0]  # type: ignore[union-attr]
    assert [each.answer for each in FORMATS["medmcqa"].read(hub)] == [1]  # type: ignore[union-attr]
    without_id = [{key: value for key, value in each.items() if key != "id"} for each in (raw, hub)]
    for unclear in (dict(sorted(raw.items())), *without_id):
        with pytest.raises(BadRecord, match="say format"):
            FORMATS["medmcqa"].read(unclear)
        # Only one way of counting has a choice 0, and only the other a choice 4.
        assert [each.answer for each in FORMATS["medmcqa"].read({**unclear, "cop": 0})] == [0]  # type: ignore[union-attr]
        assert [each.answer for each in FORMATS["medmcqa"].read({**unclear, "cop": 4})] == [3]  # type: ignore[union-attr]


def test_a_prompt_of_gpt4all_with_more_html_than_paragraphs_stays_html() -> None:
    prompt = "<p>What does <code>x</code> do?</p>"
    assert turns("gpt4all", {"prompt": prompt, "response": "a"})[0] == ("user", prompt)


def test_an_instruction_with_a_history_is_alpaca_whatever_marks_it_has() -> None:
    marked = {"instruction": "Human: q\nAssistant:", "input": "", "output": "a"}
    found = [
        next(each.name for each in FORMATS.values() if each.matches(record))
        for record in (marked, {**marked, "history": []})
    ]
    assert found == ["belle_multiturn", "alpaca"]


def test_a_row_of_ours_keeps_its_origin_and_anothers_origin_says_nothing() -> None:
    said: dict[str, Any] = {"messages": [ASK, ANSWER]}
    origin = {"kind": "teacher", "name": "large", "license": "MIT"}
    for given in (
        {**said, "origin": origin},
        {**said, "origin": {**origin, "license": None}, "details": '{"origin":{"license":"MIT"}}'},
    ):
        (row,) = FORMATS["messages"].read(given)
        assert isinstance(row, Row)
        assert row.origin is not None
        assert (row.origin.kind, row.origin.name, row.origin.license) == ("teacher", "large", "MIT")
    strangers: tuple[Any, ...] = ("web", {"url": "u"}, {"kind": "web", "name": "x"})
    for strange in strangers:
        (row,) = FORMATS["messages"].read({**said, "origin": strange, "label": 1})
        assert isinstance(row, Row)
        assert (row.origin, row.label) == (None, None)


@pytest.mark.parametrize("name", ["system", "beside", "same"])
def test_tools_and_a_system_prompt_beside_the_messages_stand_in_one_lead(name: str) -> None:
    first = [{"role": "system", "content": "Be kind."}] if name != "beside" else []
    record: dict[str, Any] = {"messages": [*first, ASK, ANSWER], "tools": [{"name": "look"}]}
    record |= {"system": "Be kind."} if name != "system" else {}
    assert turns("messages", record)[0] == ("system", 'Be kind.\n\n<tools>\n{"name": "look"}\n</tools>')


def test_two_different_system_prompts_are_both_kept() -> None:
    record = {"messages": [{"role": "system", "content": "Be brief."}, ASK, ANSWER], "system": "Be kind."}
    assert turns("messages", record)[0] == ("system", "Be kind.\n\nBe brief.")

"""Each format of a corpus on three rows of its kind, and on records that are not what they claim."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from instil.corpora.base import BadRecord
from instil.corpora.files import FilesConfig
from instil.corpora.formats import FORMATS
from instil.data.examples import Example

ROWS = Path(__file__).parent / "rows"


def conversations(name: str, format_name: str) -> str:
    """Return the conversations of tests/corpora/rows/NAME.*, one JSON list a line."""
    (path,) = ROWS.glob(f"{name}.*")
    lines = []
    for each in FilesConfig(kind="files", name="rows", path=path, format=format_name).read():
        assert isinstance(each, Example), each
        turns = [message.model_dump() for message in each.messages]
        lines.append(json.dumps(turns, ensure_ascii=False) + "\n")
    assert len(lines) == 3
    return "".join(lines)


@pytest.mark.parametrize("name", FORMATS)
def test_three_rows_become_the_reviewed_conversations(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"corpora/{name}.jsonl", conversations(name, name))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_told_from_its_keys(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"corpora/{name}.jsonl", conversations(name, "auto"))


def test_the_formats_are_known_by_these_names() -> None:
    assert sorted(FORMATS) == [
        "alpaca",
        "huatuo",
        "hugchat",
        "input_target",
        "messages",
        "prompt_completion",
        "self_instruct",
        "sharegpt",
    ]


ASK = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    ("name", "record", "reason"),
    [
        ("alpaca", {"instruction": "q"}, "'output' is missing"),
        ("alpaca", {"instruction": "q", "output": " \n"}, "'output' is empty"),
        ("alpaca", {"instruction": "", "output": "a"}, "'instruction' is empty"),
        ("alpaca", {"instruction": "q", "output": ["a"]}, "'output' is not text"),
        ("alpaca", {"instruction": "q", "output": "a", "input": 3}, "'input' is not text"),
        *(
            ("alpaca", {"instruction": "q", "output": "a", "history": history}, "'history' is not a list of")
            for history in ("q", [["q"]], [["q", None]], ["qa"], {"q": "a"})
        ),
        ("messages", {}, "'messages' is not a list of turns"),
        ("messages", {"messages": []}, "'messages' is not a list of turns"),
        ("messages", {"messages": [ASK, "a"]}, "turn 2 is not an object"),
        (
            "messages",
            {"messages": [ASK, {"role": "narrator", "content": "a"}]},
            "the unknown role 'narrator'",
        ),
        ("messages", {"messages": [ASK, {"content": "a"}]}, "turn 2 has the unknown role None"),
        ("messages", {"messages": [ASK, {"role": "assistant", "content": None}]}, "'content' is missing"),
        ("messages", {"messages": [ASK, {"role": "assistant", "content": [ASK]}]}, "'content' is not text"),
        ("messages", {"messages": [ASK]}, "no question with an answer"),
        ("messages", {"messages": [ANSWER]}, "no question with an answer"),
        ("messages", {"messages": [ANSWER, ASK]}, "no question with an answer"),
        ("sharegpt", {"conversations": "hi"}, "'conversations' is not a list of turns"),
        ("sharegpt", {"conversations": [{"from": "human", "value": ""}]}, "'value' is empty"),
        ("sharegpt", {"conversations": [], "system": 1}, "'system' is not text"),
        (
            "self_instruct",
            {"instruction": "q", "instances": []},
            "'instances' is not a list of input and output",
        ),
        ("self_instruct", {"instruction": "q", "instances": ["a"]}, "'instances' is not a list"),
        ("self_instruct", {"instruction": "q", "instances": [{"input": ""}]}, "'output' is missing"),
        ("prompt_completion", {"prompt": "q", "completion": ""}, "'completion' is empty"),
        ("input_target", {"input": " ", "target": "a"}, "'input' is empty"),
        ("huatuo", {"query": [], "answer": "a"}, "'query' is not text"),
        ("huatuo", {"query": "q", "answer": [[""]]}, "'answer' is empty"),
        ("hugchat", {"text": "Human: q"}, "'text' does not hold a turn of Human and one of HugChat"),
        ("hugchat", {"text": "Human: q\nHugChat: \n"}, "a turn of HugChat is empty"),
        ("hugchat", {"text": "Human: q\nHuman: q"}, "no question with an answer"),
        ("hugchat", {"text": "HugChat: a\nHugChat: b"}, "no question with an answer"),
    ],
)
def test_a_bad_record_says_what_is_wrong_with_it(name: str, record: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        FORMATS[name].messages(record)
    assert reason in str(caught.value)

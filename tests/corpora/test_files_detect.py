"""Formats told from records: always the first that matches, whatever records came before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.corpora.base import BadRecord, Format, Record
from instil.corpora.detect import Detector
from instil.corpora.formats import FORMATS

KEYS = [
    "instruction",
    "input",
    "output",
    "history",
    "system",
    "messages",
    "conversations",
    "conversation",
    "text",
    "prompt",
    "completion",
    "response",
    "query",
    "answer",
    "question",
    "options",
    "opa",
    "cop",
    "target",
    "instances",
    "chat",
    "plain_text",
    "data",
    "type",
    "chosen",
    "rejected",
    "pubid",
    "context",
    "QUESTION",
    "CONTEXTS",
    "message_tree_id",
    "parent_id",
    "inputs",
    "targets",
    "problem",
    "solution",
    "textbox_question",
    "extra",
]
VALUES: tuple[Any, ...] = (
    "plain",
    "Human: a\nHugChat: b",
    "<human>: a\n<bot>: b",
    "### Human: a\n### Assistant: b",
    "Human:a\nAssistant:",
    "text2text",
    "conversation",
    "so\n#### 4",
    "yes",
    None,
    3,
    [],
    ["a", "b"],
    {"turn_1": {}},
)
records = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=5)


def first(record: Record) -> Format | None:
    return next((each for each in FORMATS.values() if each.matches(record)), None)


@given(st.lists(records, max_size=12))
def test_a_record_has_the_first_format_that_matches_whatever_came_before(several: list[Record]) -> None:
    detector = Detector(tuple(FORMATS.values()))
    for record in several * 2:
        try:
            assert detector.find(record) is first(record)
        except BadRecord:
            assert first(record) is None


def test_the_same_keys_may_be_of_two_formats_by_their_values() -> None:
    detector = Detector(tuple(FORMATS.values()))
    plain = {"instruction": "Why?", "input": "", "output": "So."}
    turns = {"instruction": "Human:Why?\nAssistant:", "input": "", "output": "So."}
    assert [detector.find(each).name for each in (plain, turns, plain)] == [
        "alpaca",
        "belle_multiturn",
        "alpaca",
    ]


def test_formats_that_looked_at_no_value_are_not_asked_again_for_the_same_keys() -> None:
    asked = []

    def watching(name: str, matches: Any) -> Format:
        def watch(record: Record) -> bool:
            asked.append(name)
            return bool(matches(record))

        return Format(name, watch, lambda record: ())

    detector = Detector(
        (
            watching("keys", lambda record: "other" in record),
            watching("values", lambda record: record.get("a") == 1),
            watching("absent", lambda record: record.get("other") == 1),
            watching("yes", lambda record: "a" in record),
            watching("late", lambda record: True),
        )
    )
    assert detector.find({"a": 2}).name == "yes"
    asked.clear()
    assert detector.find({"a": 3}).name == "yes"
    assert asked == ["values"]
    assert detector.find({"a": 1}).name == "values"


def test_many_sets_of_keys_do_not_fill_the_memory() -> None:
    detector = Detector(tuple(FORMATS.values()))
    for number in range(3000):
        with pytest.raises(BadRecord):
            detector.find({f"key {number}": 1})
    assert len(detector._learned) <= 1024
    assert detector.find({"messages": []}).name == "messages"


def test_of_many_unknown_keys_the_first_twelve_are_named() -> None:
    with pytest.raises(BadRecord) as caught:
        Detector(()).find({f"{number:02}": {} for number in range(15)})
    assert str(caught.value) == (
        "no known format has the keys 00, 01, 02, 03, 04, 05, 06, 07, 08, 09, 10, 11 and 3 more"
    )

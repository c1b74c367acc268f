"""Chat completions: the body of a request, and what all the servers' answers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.messages import ask
from instil.teachers.base import Completion, Request, Sampling
from instil.teachers.chat_completions import Dialect, chat_body, is_closed, read_completion


def read(message: dict[str, Any], finish: str | None = "stop") -> Completion:
    answer = {"choices": [{"message": message, "finish_reason": finish}]}
    return read_completion(json.dumps(answer).encode())


def test_the_body_holds_what_was_given_and_nothing_else() -> None:
    assert chat_body("m", Request(messages=ask("a", system="b"), draw=3)) == {
        "model": "m",
        "messages": [{"role": "system", "content": "b"}, {"role": "user", "content": "a"}],
    }


def test_options_are_sent_by_the_server_s_names_and_others_as_they_stand() -> None:
    sampling = Sampling(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        max_tokens=64,
        stop=("END",),
        seed=7,
        frequency_penalty=0.1,
        presence_penalty=-0.1,
        extra={"min_p": 0.05, "temperature": 0.7},
    )
    request = Request(messages=ask("a"), sampling=sampling)
    body = chat_body("m", request, Dialect("off", "max_completion_tokens", "random_seed"))

    del body["messages"]
    assert body == {
        "model": "m",
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 40,
        "max_completion_tokens": 64,
        "stop": ["END"],
        "random_seed": 7,
        "frequency_penalty": 0.1,
        "presence_penalty": -0.1,
        "min_p": 0.05,
    }


@pytest.mark.parametrize(
    ("schema", "prompt", "sent"),
    [
        ({"type": "object"}, "as Json", True),
        ({"type": "object"}, "as a table", False),  # servers refuse the mode when nobody speaks of JSON
        ({"type": "array"}, "as JSON", False),  # the mode gives objects only
        ({"type": "object", "properties": {"items": {"type": "array"}}}, "a JSON list", False),
        ({"type": "object", "properties": {"text": {"type": "string"}}}, "as JSON", True),
    ],
)
def test_any_json_object_is_asked_for_only_where_one_can_come(
    schema: dict[str, Any], prompt: str, sent: bool
) -> None:
    request = Request(messages=ask(prompt), response_schema=schema)

    assert ("response_format" in chat_body("m", request, Dialect("json_object"))) == sent


@pytest.mark.parametrize(
    ("message", "finish", "expected"),
    [
        ({"content": "hi"}, "stop", Completion(text="hi")),
        ({"content": "hi"}, None, Completion(text="hi")),
        ({"content": "hi"}, "eos", Completion(text="hi")),
        ({"content": "hi"}, "normal", Completion(text="hi")),
        ({"content": "hi"}, "length", Completion(text="hi", finish_reason="length")),
        ({"content": "hi"}, "model_length", Completion(text="hi", finish_reason="length")),
        ({"content": "hi"}, "sensitive", Completion(text="hi", finish_reason="content_filter")),
        ({"content": None}, "length", Completion(text="", finish_reason="length")),
        ({}, "stop", Completion(text="")),
        ({"content": [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]},
         "stop", Completion(text="ab")),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                      {"type": "text", "text": "a"}]},
         "stop", Completion(text="a", reasoning="hm")),
        ({"content": None, "tool_calls": [{"type": "function", "function": {"arguments": "[1]"}}]},
         "tool_calls", Completion(text="[1]", finish_reason="tool_calls")),
        ({"content": "hi", "tool_calls": None}, "stop", Completion(text="hi")),
        ({"content": None, "refusal": "I will not."}, "stop",
         Completion(text="I will not.", finish_reason="content_filter")),
        ({"content": "hi", "refusal": None}, "stop", Completion(text="hi")),
        ({"content": "hi", "reasoning_content": "hm"}, "stop", Completion(text="hi", reasoning="hm")),
        ({"content": "hi", "reasoning": "hm"}, "stop", Completion(text="hi", reasoning="hm")),
        ({"content": "hi", "reasoning_content": ""}, "stop", Completion(text="hi")),
        ({"content": "<think>hm</think>hi"}, "stop", Completion(text="<think>hm</think>hi")),
    ],
    ids=["plain", "no reason", "unknown reason", "Qianfan", "cut off", "context full", "filtered",
         "null content", "no content", "parts", "thinking parts", "tool call", "no tool call", "refusal",
         "no refusal", "DeepSeek's reasoning", "OpenRouter's reasoning", "no reasoning", "think tags"],
)  # fmt: skip
def test_reads_what_servers_send(message: dict[str, Any], finish: str | None, expected: Completion) -> None:
    assert read(message, finish) == expected


@pytest.mark.parametrize("finish", ["error", "insufficient_system_resource", "network_error"])
def test_an_answer_that_the_server_gave_up_is_none(finish: str) -> None:
    with pytest.raises(ValueError, match=finish):
        read({"content": "half"}, finish)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "tool_calls",
                    "function",
                    "usage",
                    "type",
                    "text",
                    "refusal",
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_body_is_an_answer_or_one_of_the_errors_that_are_promised(body: Any) -> None:
    for shape in (
        body,
        {"choices": [body]},
        {"choices": [{"message": body}]},
        {"choices": [{}], "usage": body},
    ):
        try:
            answer = read_completion(json.dumps(shape).encode())
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError):
            continue
        assert isinstance(answer.text, str)


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def test_a_schema_is_strict_when_every_object_in_it_is_closed() -> None:
    text = {"type": "string"}
    assert is_closed(_object(a=text, b={"type": "array", "items": _object(type=text)}))
    assert is_closed({"type": "array", "items": text})
    assert not is_closed({"type": "object"})
    assert not is_closed(_object(a=text) | {"required": []})
    assert not is_closed(_object(a=text) | {"additionalProperties": True})
    assert not is_closed(_object(a={"type": "array", "items": {"type": "object", "properties": {}}}))
    assert not is_closed({"anyOf": [text, {"type": "object"}]})

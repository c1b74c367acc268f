"""anthropic: the form of a request, blocks, reasons to stop, and structured output."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from instil.data.messages import Message
from instil.data.messages import ask as ask_for
from instil.errors import TeacherError, TeacherRefused, TeacherRejected, TeacherUnavailable
from instil.teachers import teacher_identity
from instil.teachers.anthropic import AnthropicConfig
from instil.teachers.base import Completion, Request, Sampling, Usage
from tests.fakes import Reply, ScriptedServer, in_turn, request, serving
from tests.teachers.kinds import message, messages_error

KEY = "sk-ant-very-secret"
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
WANTS_JSON = Request(messages=ask_for("a"), response_schema=SCHEMA)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


def config(base_url: str = "http://a/v1", **options: Any) -> AnthropicConfig:
    return AnthropicConfig(kind="anthropic", base_url=base_url, model="claude", **options)


def ask(server: ScriptedServer, *requests: Request, **options: Any) -> list[Completion]:
    async def run() -> list[Completion]:
        async with config(server.base_url, **options).open(Path()) as teacher:
            return [await teacher.complete(each) for each in requests or (request(),)]

    return asyncio.run(run())


def error_of(reply: Reply) -> TeacherError:
    with serving(reply) as server, pytest.raises(TeacherError) as caught:
        ask(server)
    return caught.value


def answers(**more: Any) -> Reply:
    return Reply(json.dumps({"content": [], "stop_reason": "end_turn", **more}).encode())


def test_asks_with_the_model_the_messages_the_sampling_the_key_and_the_version() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, top_k=40, max_tokens=64, stop=("END",))
    with serving(message("hi")) as server:
        ask(server, Request(messages=ask_for("你好", system="Be brief."), sampling=sampling))

    assert server.bodies == [
        {
            "model": "claude",
            "system": "Be brief.",
            "messages": [{"role": "user", "content": "你好"}],
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 40,
            "max_tokens": 64,
            "stop_sequences": ["END"],
        }
    ]
    assert server.paths == ["/v1/messages"]
    headers = {name.lower(): value for name, value in server.headers[0].items()}
    assert headers["x-api-key"] == KEY
    assert headers["anthropic-version"] == "2023-06-01"


def test_the_most_tokens_are_always_sent_because_the_api_has_no_default() -> None:
    with serving(message("hi")) as server:
        ask(server, request(), max_tokens=77)

    assert server.bodies[0]["max_tokens"] == 77


@pytest.mark.parametrize("roles", [(), ("system",), ("system", "system"), ("user", "tool")])
def test_messages_that_the_api_cannot_take_are_not_sent(roles: tuple[Any, ...]) -> None:
    asked = Request(messages=tuple(Message(role=role, content="a") for role in roles))
    with serving(message("hi")) as server, pytest.raises(TeacherRejected):
        ask(server, asked)

    assert server.bodies == []


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": 1.5}, {"sampling_seed": 1}, {"frequency_penalty": 0.5}, {"presence_penalty": 0.5}],
)
def test_what_the_api_does_not_take_is_an_error_before_anything_starts(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        config(**wrong)


@pytest.mark.parametrize(
    ("stop_reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
        (None, "stop"),
    ],
)
def test_says_why_an_answer_ended(stop_reason: str | None, finish: str) -> None:
    with serving(message("hi", stop_reason)) as server:
        [answer] = ask(server)

    assert answer.finish_reason == finish


@pytest.mark.parametrize(
    ("blocks", "text", "reasoning"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab", None),
        (
            [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "a"}],
            "a",
            "hm",
        ),
        ([{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "a"}], "a", None),
        ([{"type": "tool_use", "id": "1", "name": "f", "input": {"a": "好"}}], '{"a":"好"}', None),
        ([], "", None),
    ],
    ids=["texts", "thinking", "hidden thinking", "tool", "nothing"],
)
def test_text_is_joined_and_thinking_kept_aside(
    blocks: list[dict[str, Any]], text: str, reasoning: str | None
) -> None:
    with serving(answers(content=blocks)) as server:
        [answer] = ask(server)

    assert (answer.text, answer.reasoning) == (text, reasoning)


def test_what_the_cache_held_counts_as_input() -> None:
    usage = {
        "input_tokens": 5,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 300,
        "output_tokens": 7,
    }
    with serving(answers(usage=usage)) as server:
        assert ask(server)[0].usage == Usage(input_tokens=325, output_tokens=7)
    with serving(answers(usage={"cache_read_input_tokens": None})) as server:
        assert ask(server)[0].usage == Usage()


@pytest.mark.parametrize(
    ("status", "kind", "reason", "error"),
    [
        (400, "invalid_request_error", "messages: at least one", TeacherRejected),
        (400, "invalid_request_error", "Your credit balance is too low to access the API", TeacherRefused),
        (401, "authentication_error", "invalid x-api-key", TeacherRefused),
        (402, "billing_error", "payment", TeacherRefused),
        (403, "permission_error", "no", TeacherRefused),
        (404, "not_found_error", "model: claude", TeacherRefused),
        (413, "request_too_large", "too large", TeacherRejected),
        (429, "rate_limit_error", "slow down", TeacherUnavailable),
        (500, "api_error", "oops", TeacherUnavailable),
        (504, "timeout_error", "late", TeacherUnavailable),
        (529, "overloaded_error", "Overloaded", TeacherUnavailable),
    ],
)
def test_every_error_of_the_api_is_one_thing_to_do(
    status: int, kind: str, reason: str, error: type[TeacherError]
) -> None:
    found = error_of(messages_error(status, kind, reason))

    assert type(found) is error
    assert str(found).endswith(f"/v1/messages answered {status}: {reason}")
    assert getattr(found, "congested", False) == (status in (429, 529))


def test_an_error_inside_a_200_is_no_answer() -> None:
    assert type(error_of(messages_error(200, "api_error", "oops"))) is TeacherUnavailable


def test_a_schema_is_sent_where_one_is_wanted_and_allowed() -> None:
    with serving(message("{}")) as server:
        ask(server, WANTS_JSON, request())
        ask(server, WANTS_JSON, structured_output="off")

    assert [body.get("output_config") for body in server.bodies] == [
        {"format": {"type": "json_schema", "schema": SCHEMA}},
        None,
        None,
    ]
    assert config().schema_for(SCHEMA) == SCHEMA
    assert config(structured_output="off").schema_for(SCHEMA) is None


def test_a_model_without_structured_output_is_asked_in_plain_text_from_then_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def script(body: Mapping[str, Any]) -> Reply:
        if "output_config" in body:
            return messages_error(400, "invalid_request_error", "output_config.format: not supported")
        return message("hi")

    with serving(script) as server:
        found = ask(server, WANTS_JSON, WANTS_JSON)

    assert [answer.text for answer in found] == ["hi", "hi"]
    assert ["output_config" in body for body in server.bodies] == [True, False, False]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_other_refusals_do_not_cost_the_schema() -> None:
    async def run(server: ScriptedServer) -> None:
        async with config(server.base_url).open(Path()) as teacher:
            with pytest.raises(TeacherRejected, match="prompt is too long"):
                await teacher.complete(WANTS_JSON)
            # Words that sound like it, but plain text is refused too.
            with pytest.raises(TeacherRejected, match="schema"):
                await teacher.complete(WANTS_JSON)
            await teacher.complete(WANTS_JSON)

    refusals = [
        messages_error(400, "invalid_request_error", text) for text in ("prompt is too long", "schema")
    ]
    with serving(in_turn(*refusals, refusals[1], message("hi"))) as server:
        asyncio.run(run(server))

    assert ["output_config" in body for body in server.bodies] == [True, True, False, True]


def test_what_decides_an_answer_beside_the_sampling_makes_another_teacher() -> None:
    assert teacher_identity(config()) == {
        "kind": "anthropic",
        "model": "claude",
        "structured_output": "json_schema",
    }
    assert teacher_identity(config(structured_output="off")) != teacher_identity(config())

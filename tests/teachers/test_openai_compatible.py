"""openai_compatible, against a real server that misbehaves on script."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import pytest

from instil.data.messages import Message
from instil.data.messages import ask as ask_for
from instil.errors import RequestError, TeacherError, TeacherRefused, TeacherRejected, TeacherUnavailable
from instil.teachers import teacher_identity
from instil.teachers.base import Completion, Request, Sampling, Usage
from instil.teachers.openai_compatible import OpenAICompatibleConfig
from instil.teachers.providers import PROVIDERS, ProviderName, provider_table
from tests.fakes import Reply, ScriptedServer, fails, in_turn, request, says, serving

KEY = "sk-very-secret"


def config(base_url: str, **options: Any) -> OpenAICompatibleConfig:
    return OpenAICompatibleConfig(
        kind="openai_compatible", base_url=(base_url,), model="teacher-large", **options
    )


def ask(server: ScriptedServer, *requests: Request, **options: Any) -> list[Completion]:
    async def run() -> list[Completion]:
        async with config(server.base_url, **options).open(Path()) as teacher:
            return [await teacher.complete(each) for each in requests or (request(),)]

    return asyncio.run(run())


def error_of(reply: Reply, **options: Any) -> TeacherError:
    with serving(reply) as server, pytest.raises(TeacherError) as caught:
        ask(server, **options)
    return caught.value


def test_asks_with_the_model_the_messages_the_sampling_and_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEACHER_API_KEY", f" {KEY}\n")
    messages = (Message(role="system", content="Be brief."), Message(role="user", content="你好"))
    with serving(says("hi")) as server:
        sampling = Sampling(temperature=0.5, max_tokens=64, stop=("END",))
        ask(server, Request(messages=messages, sampling=sampling, draw=3), api_key_env="TEACHER_API_KEY")

    assert server.bodies == [
        {
            "model": "teacher-large",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "你好"},
            ],
            "temperature": 0.5,
            "max_tokens": 64,
            "stop": ["END"],
        }
    ]
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert server.headers[0]["Content-Type"] == "application/json"


def test_sends_no_key_to_an_open_server_and_bears_a_slash_after_the_address() -> None:
    with serving(says("hi")) as server:
        server.base_url += "/"
        ask(server)

    assert "Authorization" not in server.headers[0]
    assert server.paths == ["/v1/chat/completions"]


def test_returns_text_finish_reason_model_and_usage() -> None:
    with serving(
        says("好的", finish="length", usage={"prompt_tokens": 11, "completion_tokens": 7})
    ) as server:
        answers = ask(server)

    usage = Usage(input_tokens=11, output_tokens=7)
    assert answers == [Completion(text="好的", finish_reason="length", model="fake-1", usage=usage)]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (says(None, finish="length"), Completion(text="", finish_reason="length", model="fake-1")),
        (says("hi", finish=None), Completion(text="hi", model="fake-1")),
        (says("hi", finish="eos"), Completion(text="hi", model="fake-1")),
        (Reply(b'{"choices": [{"message": {"content": "hi"}}], "usage": null}'), Completion(text="hi")),
    ],
    ids=["null content", "no finish reason", "an unknown finish reason", "no usage and no model"],
)  # fmt: skip
def test_an_answer_that_leaves_things_out_is_an_answer(reply: Reply, expected: Completion) -> None:
    with serving(reply) as server:
        assert ask(server) == [expected]


@pytest.mark.parametrize(
    ("error", "statuses"),
    [
        (TeacherUnavailable, (408, 409, 425, 429, 500, 502, 503, 504, 529)),
        (TeacherRefused, (401, 402, 403, 404)),
        (TeacherRejected, (400, 405, 413, 415, 422)),
    ],
)
def test_the_status_decides_whether_to_wait_to_stop_or_to_go_on(
    error: type[TeacherError], statuses: tuple[int, ...]
) -> None:
    with serving(lambda body: fails(int(body["messages"][0]["content"]), "because")) as server:
        for status in statuses:
            with pytest.raises(TeacherError, match=f"answered {status}: because") as caught:
                ask(server, request(str(status)))
            assert type(caught.value) is error, status
            assert (caught.value.hint is not None) == (error is TeacherRefused)
    assert len(server.bodies) == len(statuses)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-3", 0.0),
        (None, None),
        ("tomorrow", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_hands_on_how_long_the_server_asks_to_wait(header: str | None, seconds: float | None) -> None:
    error = error_of(fails(429, retry_after=header))

    assert isinstance(error, TeacherUnavailable)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    "reply",
    [
        Reply(says("hi").body[:-9]),
        Reply(b'{"choices": []}'),
        Reply(b'{"choices": [{}]}'),
        Reply(b'{"choices": [{"message": {"content": "a"}}], "usage": [1]}'),
        Reply(b'{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": 1e999}}'),
        Reply(b'{"choices": [{"message": {"content": "half"}, "finish_reason": "error"}]}'),
        Reply(b'{"error": {"message": "busy"}}'),
    ],
    ids=["truncated", "no choices", "no message", "usage is a list", "usage is infinite",
         "the server gave up", "an error without a code"],
)  # fmt: skip
def test_a_broken_answer_is_a_failure_of_the_server_that_may_pass(reply: Reply) -> None:
    error = error_of(reply)

    assert type(error) is TeacherUnavailable
    assert "/v1/chat/completions" in str(error)


@pytest.mark.parametrize(
    ("code", "error"), [(429, TeacherUnavailable), ("502", TeacherUnavailable), (401, TeacherRefused)]
)
def test_an_error_that_a_gateway_puts_into_a_200_counts_as_its_own_status(
    code: int | str, error: type[TeacherError]
) -> None:
    body = json.dumps({"error": {"code": code, "message": "from behind"}}).encode()

    found = error_of(Reply(body))
    assert type(found) is error
    assert str(found).endswith(f"answered {code}: from behind")


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"error": {"message": "prompt too long"}}', "answered 400: prompt too long"),
        (b'{"error": "prompt too long"}', "answered 400: prompt too long"),
        (b'{"detail": "prompt too long"}', "answered 400: prompt too long"),
        (b'{"reason": "prompt too long"}', 'answered 400: {"reason": "prompt too long"}'),
        (b"\xff prompt", "answered 400: � prompt"),
        (b"", "answered 400: "),
    ],
)
def test_the_reason_of_the_server_is_in_the_error(body: bytes, shown: str) -> None:
    assert str(error_of(Reply(body, 400))).endswith(shown)


# ------------------------------------------------------------------ providers


def test_every_provider_opens_with_nothing_but_its_name_and_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, known in PROVIDERS.items():
        chosen = OpenAICompatibleConfig(kind="openai_compatible", provider=name, model="m")
        if known.api_key_env:
            with pytest.raises(RequestError, match=known.api_key_env):
                chosen.preflight()
            monkeypatch.setenv(known.api_key_env, KEY)
        chosen.preflight()


def test_the_table_is_sound() -> None:
    assert set(PROVIDERS) == set(get_args(ProviderName))
    for name, known in PROVIDERS.items():
        address = urlsplit(known.base_url)
        local = address.hostname == "localhost"
        assert address.scheme == ("http" if local else "https"), name
        assert local == (known.api_key_env is None), name
        assert not known.base_url.endswith("/"), name
        assert any(f"| `{name}` | {known.base_url} |" in line for line in provider_table())


def test_given_fields_win_over_the_provider_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", KEY)
    with serving(says("{}")) as server:
        ask(
            server,
            Request(messages=ask_for("JSON"), response_schema=SCHEMA, sampling=Sampling(seed=7)),
            provider="mistral",
            api_key_env="MY_API_KEY",
            structured_output="json_object",
        )

    [body] = server.bodies
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert body["response_format"] == {"type": "json_object"}
    assert body["random_seed"] == 7, "what was not given is the provider's"


def test_without_a_provider_and_an_address_the_error_names_the_providers() -> None:
    with pytest.raises(ValueError, match="give a base_url, or a provider: openai, qianfan, deepseek"):
        OpenAICompatibleConfig(kind="openai_compatible", model="m")


def test_an_option_that_a_provider_answers_with_an_error_is_found_before_anything_starts() -> None:
    with pytest.raises(ValueError, match="provider 'openai' has no `top_k`; leave it out"):
        OpenAICompatibleConfig(kind="openai_compatible", model="m", provider="openai", top_k=5)


def test_openai_s_own_models_get_the_name_of_max_tokens_that_all_of_them_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(says("hi")) as server:
        ask(server, request(max_tokens=9), provider="openai")

    assert server.bodies[0]["max_completion_tokens"] == 9
    assert "max_tokens" not in server.bodies[0]


# ------------------------------------------------------------------ what makes another teacher


def test_where_it_is_asked_makes_no_other_teacher() -> None:
    one = config("http://a/v1")
    more = OpenAICompatibleConfig(
        kind="openai_compatible", base_url=("http://a/v1", "http://b/v1"), model="teacher-large"
    )

    assert teacher_identity(one) == teacher_identity(more)
    assert teacher_identity(one) == {
        "kind": "openai_compatible",
        "model": "teacher-large",
        "structured_output": "off",
    }


def test_how_it_is_told_to_answer_makes_another_teacher() -> None:
    plain, named = config("http://a/v1"), config("http://a/v1", provider="vllm")
    same = config("http://a/v1", structured_output="json_schema")

    assert teacher_identity(plain) != teacher_identity(named)
    assert teacher_identity(named) == teacher_identity(same)


# ------------------------------------------------------------------ structured output


SCHEMA = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "score": {"type": "integer"}},
    "required": ["reason", "score"],
    "additionalProperties": False,
}


def wants_json(text: str = "a") -> Request:
    return Request(messages=ask_for(f"{text}, as JSON"), response_schema=SCHEMA)


@pytest.mark.parametrize(
    ("mode", "sent"),
    [
        ("json_schema", {"type": "json_schema",
                         "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}),
        ("json_object", {"type": "json_object"}),
        ("off", None),
        ("auto", None),
    ],
)  # fmt: skip
def test_a_schema_is_sent_in_the_way_that_was_chosen(mode: str, sent: Any) -> None:
    with serving(says("{}")) as server:
        ask(server, wants_json(), structured_output=mode)
        ask(server, request(), structured_output=mode)

    assert server.bodies[0].get("response_format") == sent
    assert "response_format" not in server.bodies[1], "no schema was wanted"
    assert (config("http://a/v1", structured_output=mode).schema_for(SCHEMA) is None) == (sent is None)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "Invalid parameter: 'response_format' of type 'json_schema' is not "
                                    "supported with this model."}}),
        (400, {"error": {"message": "This response_format type is unavailable now"}}),
        (422, {"error": {"message": "Failed to deserialize the JSON body: response_format.type: unknown"}}),
        (400, {"object": "error", "message": "The provided JSON schema contains features not supported by "
                                             "xgrammar.", "type": "BadRequestError", "code": 400}),
        (400, {"error": "invalid JSON schema in format"}),
        (400, {"error": {"code": 400, "message": "Failed to initialize samplers: failed to parse grammar"}}),
        (422, {"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs are not permitted"}]}),
    ],
    ids=["OpenAI", "DeepSeek", "DeepSeek before", "vLLM", "Ollama", "llama.cpp", "FastAPI"],
)  # fmt: skip
def test_a_server_that_refuses_the_format_is_asked_in_plain_text_from_then_on(
    status: int, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def script(sent: Mapping[str, Any]) -> Reply:
        return Reply(json.dumps(body).encode(), status) if "response_format" in sent else says("hi")

    with serving(script) as server:
        answers = ask(server, wants_json("a"), wants_json("b"), structured_output="json_schema")

    assert [answer.text for answer in answers] == ["hi", "hi"]
    assert ["response_format" in sent for sent in server.bodies] == [True, False, False]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "asked in plain text from now on" in caplog.text


def test_calls_in_flight_when_the_format_is_refused_are_all_answered_and_warn_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def script(sent: Mapping[str, Any]) -> Reply:
        return fails(400, "response_format") if "response_format" in sent else says("hi")

    async def run(server: ScriptedServer) -> list[Completion]:
        chosen = config(server.base_url, structured_output="json_schema")
        async with chosen.open(Path()) as teacher:
            return await asyncio.gather(*(teacher.complete(wants_json(str(n))) for n in range(8)))

    with serving(script) as server:
        assert [answer.text for answer in asyncio.run(run(server))] == ["hi"] * 8
    assert len(caplog.records) == 1


def test_a_refusal_that_plain_text_does_not_cure_was_about_something_else() -> None:
    async def run(server: ScriptedServer) -> None:
        async with config(server.base_url, structured_output="json_schema").open(Path()) as teacher:
            for _ in range(2):
                with pytest.raises(TeacherRejected, match="your grammar is bad"):
                    await teacher.complete(wants_json())

    with serving(fails(400, "your grammar is bad")) as server:
        asyncio.run(run(server))

    assert ["response_format" in sent for sent in server.bodies] == [True, False, True, False]


def test_other_refusals_do_not_cost_the_format() -> None:
    with serving(fails(400, "prompt too long")) as server, pytest.raises(TeacherRejected):
        ask(server, wants_json(), structured_output="json_schema")

    assert len(server.bodies) == 1


def test_one_spoiled_answer_does_not_cost_the_format() -> None:
    spoiled = {
        "error": {"message": "Generated JSON does not match the schema", "code": "json_validate_failed"}
    }
    script = in_turn(Reply(json.dumps(spoiled).encode(), 400), says("plain"), says("{}"))
    with serving(script) as server:
        answers = ask(server, wants_json("a"), wants_json("b"), structured_output="json_schema")

    assert [answer.text for answer in answers] == ["plain", "{}"]
    assert ["response_format" in sent for sent in server.bodies] == [True, False, True]


def test_a_server_that_wants_the_newer_name_of_max_tokens_gets_it_from_then_on() -> None:
    reason = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    with serving(lambda sent: fails(400, reason) if "max_tokens" in sent else says("hi")) as server:
        ask(server, request("a", max_tokens=5), request("b", max_tokens=5))

    assert [sent.get("max_completion_tokens") for sent in server.bodies] == [None, 5, 5]


# ------------------------------------------------------------------ several servers


def test_calls_are_shared_and_a_server_that_is_down_costs_nothing() -> None:
    with socket.socket() as unused, serving(says("one")) as one, serving(says("two")) as two:
        unused.bind(("127.0.0.1", 0))  # taken, but nobody listens
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"

        async def run() -> list[Completion]:
            chosen = OpenAICompatibleConfig(
                kind="openai_compatible", base_url=(nobody, one.base_url, two.base_url), model="m"
            )
            async with chosen.open(Path()) as teacher:
                return [await teacher.complete(request(str(number))) for number in range(10)]

        assert len(asyncio.run(run())) == 10

    assert len(one.bodies) == len(two.bodies) == 5


def test_one_address_may_stand_alone_and_several_in_a_list() -> None:
    for written, read in [
        ("http://a/v1", ("http://a/v1",)),
        (["http://a", "http://b"], ("http://a", "http://b")),
    ]:
        chosen = OpenAICompatibleConfig.model_validate(
            {"kind": "openai_compatible", "model": "m", "base_url": written}
        )
        assert chosen.base_url == read

"""openai_compatible, against a real server that misbehaves on script."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from instil.data.messages import Message
from instil.errors import RequestError, TeacherError, TeacherRefused, TeacherRejected, TeacherUnavailable
from instil.teachers.base import Completion, Request, Sampling, Usage
from instil.teachers.openai_compatible import OpenAICompatibleConfig
from tests.fakes import Reply, ScriptedServer, fails, in_turn, request, says, serving

KEY = "sk-very-secret"


def config(base_url: str, **options: Any) -> OpenAICompatibleConfig:
    return OpenAICompatibleConfig(
        kind="openai_compatible", base_url=base_url, model="teacher-large", **options
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
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
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
        Reply(b'{"choices": [{"mess', then="reset"),
        Reply(then="hang"),
        Reply(says("hi").body[:-9]),
        Reply(b'{"choices": []}'),
        Reply(b'{"choices": [{}]}'),
        Reply(b'{"error_code": 336501, "error_msg": "rate limit"}'),
        Reply(b'["not", "an", "object"]'),
        Reply(b"<html>gateway</html>"),
        Reply(b""),
        Reply(b'{"choices": [{"message": {"content": "a"}}], "usage": [1]}'),
        Reply(b'{"choices": [{"message": {"content": "a"}}], "usage": {"prompt_tokens": 1e999}}'),
    ],
    ids=["reset", "hang", "truncated", "no choices", "no message", "error in 200", "a list", "html",
         "nothing", "usage is a list", "usage is infinite"],
)  # fmt: skip
def test_a_broken_answer_is_a_failure_of_the_server_that_may_pass(reply: Reply) -> None:
    error = error_of(reply, timeout_s=0.1 if reply.then == "hang" else 5.0)

    assert type(error) is TeacherUnavailable
    assert "/v1/chat/completions" in str(error)


def test_a_refused_connection_may_pass_and_the_hint_names_the_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, but nobody listens
        server = ScriptedServer(in_turn(says("hi")))
        server.base_url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with pytest.raises(TeacherUnavailable) as caught:
            ask(server)

    assert caught.value.hint == "is the server running, and is base_url its address?"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"error": {"message": "prompt too long"}}', "answered 400: prompt too long"),
        (b'{"error": "prompt too long"}', "answered 400: prompt too long"),
        (b'{"detail": "prompt too long"}', 'answered 400: {"detail": "prompt too long"}'),
        (b"\xff prompt", "answered 400: � prompt"),
        (b"", "answered 400: "),
    ],
)
def test_the_reason_of_the_server_is_in_the_error(body: bytes, shown: str) -> None:
    assert str(error_of(Reply(body, 400))).endswith(shown)


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_preflight_names_the_variable_that_is_not_set(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("TEACHER_API_KEY", value)

    with pytest.raises(RequestError, match="the environment variable 'TEACHER_API_KEY' is not set"):
        config("http://127.0.0.1:1/v1", api_key_env="TEACHER_API_KEY").preflight()


def _chain(error: BaseException | None) -> str:
    return "" if error is None else f"{error!s} {error!r} {_chain(error.__cause__ or error.__context__)}"


@pytest.mark.parametrize(
    "quote",
    [
        lambda key: fails(401, f"Incorrect API key provided: {key}."),
        lambda key: fails(400, "x" * 290 + key),
        lambda key: Reply(f"you sent Authorization: Bearer {key}".encode(), 500),
        lambda key: Reply(f"<html>{key}</html>".encode()),
    ],
    ids=["401", "400 where the text is cut within the key", "plain 500", "not JSON"],
)
def test_the_key_is_not_in_the_error_when_the_server_quotes_it(
    quote: Callable[[str], Reply], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHER_API_KEY", KEY)
    error = error_of(quote(KEY), api_key_env="TEACHER_API_KEY")

    assert "***" in str(error)
    assert KEY not in str(error)
    # What the JSON reader could not read is in its error's `doc`, not in its text.
    assert "very-secret" not in _chain(error)
    assert "sk-ver" not in str(error)


def test_a_cancelled_call_leaves_the_teacher_usable() -> None:
    async def run(server: ScriptedServer) -> str:
        async with config(server.base_url).open(Path()) as teacher:
            lost = asyncio.create_task(teacher.complete(request("hang")))
            while not server.bodies:
                await asyncio.sleep(0.005)
            lost.cancel()
            with pytest.raises(asyncio.CancelledError):
                await lost
            return (await teacher.complete(request("again"))).text

    with serving(in_turn(Reply(then="hang"), says("hi"))) as server:
        assert asyncio.run(run(server)) == "hi"
    assert server.prompts == ["hang", "again"]

"""ernie: the access token, the form of a request, and error codes inside a 200."""

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
from instil.teachers.base import Completion, Request, Sampling
from instil.teachers.ernie import ErnieConfig
from tests.fakes import Reply, Script, ScriptedServer, in_turn, request, serving
from tests.teachers.kinds import TOKEN, ernie_error, granting, result

CHAT = "/rpc/2.0/ai_custom/v1/wenxinworkshop/chat/"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIANFAN_AK", "ak")
    monkeypatch.setenv("QIANFAN_SK", "sk")


def config(base_url: str = "http://a", **options: Any) -> ErnieConfig:
    options.setdefault("model", "ERNIE-4.0-8K")
    return ErnieConfig(kind="ernie", base_url=base_url.removesuffix("/v1"), **options)


def ask(server: ScriptedServer, *requests: Request, **options: Any) -> list[Completion]:
    async def run() -> list[Completion]:
        async with config(server.base_url, **options).open(Path()) as teacher:
            return await asyncio.gather(*(teacher.complete(each) for each in requests or (request(),)))

    return asyncio.run(run())


def error_of(reply: Reply, script: Script | None = None) -> TeacherError:
    with serving(script or granting(in_turn(reply))) as server, pytest.raises(TeacherError) as caught:
        ask(server)
    return caught.value


def calls(server: ScriptedServer) -> list[str]:
    return [path.rpartition("/")[2] for path in server.paths]


def test_a_key_and_a_secret_give_a_token_that_all_calls_share() -> None:
    with serving(granting(in_turn(result("hi")))) as server:
        ask(server, *(request(str(number)) for number in range(20)))

    assert calls(server) == ["token"] + ["completions_pro"] * 20
    assert server.paths[0] == "/oauth/2.0/token"
    assert server.queries[0] == {
        "grant_type": "client_credentials",
        "client_id": "ak",
        "client_secret": "sk",
    }
    assert {query["access_token"] for query in server.queries[1:]} == {TOKEN}


@pytest.mark.parametrize(
    ("model", "endpoint"),
    [
        ("ERNIE-4.0-8K", "completions_pro"),
        ("ERNIE-4.0-Turbo-8K", "ernie-4.0-turbo-8k"),
        ("ERNIE-3.5-8K", "completions"),
        ("ERNIE-3.5-128K", "ernie-3.5-128k"),
        ("ERNIE-Speed-8K", "ernie_speed"),
        ("ERNIE-Speed-128K", "ernie-speed-128k"),
        ("ERNIE-Lite-8K", "ernie-lite-8k"),
        ("ERNIE-Tiny-8K", "ernie-tiny-8k"),
        ("my_own_service", "my_own_service"),
        ("a/../b?c", "a%2F..%2Fb%3Fc"),
    ],
)
def test_a_public_name_becomes_the_address_of_the_model(model: str, endpoint: str) -> None:
    with serving(granting(in_turn(result("hi")))) as server:
        ask(server, model=model)

    # The server shows the path decoded.
    assert server.paths[-1] == (CHAT + endpoint).replace("%2F", "/").replace("%3F", "?")


def test_the_system_prompt_and_the_options_go_where_the_api_has_them() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.8, max_tokens=64, stop=("END",), frequency_penalty=0.1)
    messages = (*ask_for("a", system="Be brief."), Message(role="assistant", content="b"))
    asked = Request(messages=(*messages, Message(role="user", content="c")), sampling=sampling)
    with serving(granting(in_turn(result("hi")))) as server:
        ask(server, asked, penalty_score=1.2)

    assert server.bodies[-1] == {
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"},
        ],
        "system": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.8,
        "max_output_tokens": 64,
        "stop": ["END"],
        "frequency_penalty": 0.1,
        "penalty_score": 1.2,
        "disable_search": True,
    }


@pytest.mark.parametrize(
    "roles",
    [(), ("system",), ("user", "user"), ("assistant",), ("user", "assistant"), ("user", "tool", "user")],
)
def test_messages_that_the_api_cannot_take_are_not_sent(roles: tuple[Any, ...]) -> None:
    asked = Request(messages=tuple(Message(role=role, content="a") for role in roles))
    with serving(granting(in_turn(result("hi")))) as server, pytest.raises(TeacherRejected):
        ask(server, asked)

    assert server.bodies == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"temperature": 1.1},
        {"max_tokens": 1},
        {"penalty_score": 0.5},
        {"sampling_seed": 1},
        {"model": ""},
    ],
)
def test_what_the_api_does_not_take_is_an_error_before_anything_starts(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        config(**wrong)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "stop"),
        ({"finish_reason": "normal"}, "stop"),
        ({"finish_reason": "stop"}, "stop"),
        ({"finish_reason": "length"}, "length"),
        ({"is_truncated": True}, "length"),
        ({"finish_reason": "normal", "is_truncated": True}, "length"),
        ({"finish_reason": "content_filter", "is_truncated": True}, "content_filter"),
        ({"need_clear_history": True}, "content_filter"),
        ({"finish_reason": "function_call"}, "tool_calls"),
    ],
)
def test_says_why_an_answer_ended(more: dict[str, Any], reason: str) -> None:
    with serving(granting(in_turn(result("hi", **more)))) as server:
        [answer] = ask(server)

    assert (answer.text, answer.finish_reason, answer.model) == ("hi", reason, "ERNIE-4.0-8K")


@pytest.mark.parametrize(
    ("codes", "error", "congested"),
    [
        ((4, 18, 336100, 336501, 336502, 336503), TeacherUnavailable, True),
        ((1, 2, 15, 336000, 999999), TeacherUnavailable, False),
        ((3, 6, 13, 14, 17, 19, 100, 336004, 336005), TeacherRefused, None),
        ((336001, 336002, 336003, 336006, 336007, 336008, 336103, 336104), TeacherRejected, None),
    ],
)
def test_an_error_code_inside_a_200_decides_whether_to_wait_to_stop_or_to_go_on(
    codes: tuple[int, ...], error: type[TeacherError], congested: bool | None
) -> None:
    for code in codes:
        found = error_of(ernie_error(code, "because"))
        assert type(found) is error, code
        assert str(found).endswith(f"{CHAT}completions_pro answered error {code}: because")
        assert (found.hint is not None) == (error is TeacherRefused), code
        assert getattr(found, "congested", None) is congested, code


def test_an_error_code_by_its_other_name_is_one_too() -> None:
    found = error_of(Reply(b'{"code": 336501, "msg": "Rate limit reached for RPM"}'))

    assert isinstance(found, TeacherUnavailable)
    assert found.congested


class Tokens:
    """Grants token 1, 2, 3 …, and refuses those that it is told to."""

    def __init__(self, code: int, refused: tuple[str, ...], expires_in: float = 2592000) -> None:
        self.code, self.refused, self.expires_in, self.granted = code, refused, expires_in, 0
        self.server: ScriptedServer | None = None

    def __call__(self, body: Mapping[str, Any]) -> Reply:
        if "messages" not in body:
            self.granted += 1
            grant = {"access_token": str(self.granted), "expires_in": self.expires_in}
            return Reply(json.dumps(grant).encode())
        assert self.server
        token = self.server.queries[-1]["access_token"]
        return ernie_error(self.code, "expired") if token in self.refused else result("hi")


def served(tokens: Tokens, *requests: Request) -> list[Completion]:
    with serving(tokens) as server:
        tokens.server = server
        return ask(server, *requests)


@pytest.mark.parametrize("code", [110, 111])
def test_a_refused_token_is_renewed_once_for_all_calls_and_they_are_asked_again(code: int) -> None:
    tokens = Tokens(code, refused=("1",))

    assert len(served(tokens, *(request(str(number)) for number in range(10)))) == 10
    assert tokens.granted == 2


@pytest.mark.parametrize("code", [110, 111])
def test_a_token_that_is_refused_again_stops(code: int) -> None:
    tokens = Tokens(code, refused=("1", "2", "3"))

    with pytest.raises(TeacherRefused) as caught:
        served(tokens)
    assert tokens.granted == 2
    assert "check the key and the secret" in str(caught.value.hint)


def test_a_token_that_is_at_its_end_is_renewed_before_the_next_call() -> None:
    tokens = Tokens(110, refused=(), expires_in=0)

    async def run(server: ScriptedServer) -> None:
        async with config(server.base_url).open(Path()) as teacher:
            for _ in range(3):
                await teacher.complete(request())

    with serving(tokens) as server:
        tokens.server = server
        asyncio.run(run(server))
    assert tokens.granted == 3


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (
            Reply(b'{"error": "invalid_client", "error_description": "unknown client id"}', 401),
            TeacherRefused,
        ),
        (Reply(b'{"error": "invalid_client", "error_description": "unknown client id"}'), TeacherRefused),
        (Reply(b"{}", 503), TeacherUnavailable),
        (Reply(b"{}"), TeacherUnavailable),
        (Reply(b'{"access_token": "1", "expires_in": "soon"}'), TeacherUnavailable),
        (Reply(b"<html>"), TeacherUnavailable),
        (Reply(b'{"acc', then="reset"), TeacherUnavailable),
    ],
)
def test_without_a_token_nothing_is_asked_and_the_error_shows_no_key(
    reply: Reply, error: type[TeacherError]
) -> None:
    with serving(reply) as server, pytest.raises(error) as caught:
        ask(server)

    assert calls(server) == ["token"]
    assert type(caught.value) is error
    assert "client_secret=sk" not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    if b"unknown client" in reply.body:
        assert "unknown client id" in str(caught.value)


def test_what_decides_an_answer_beside_the_sampling_makes_another_teacher() -> None:
    assert teacher_identity(config()) == {
        "kind": "ernie",
        "model": "ERNIE-4.0-8K",
        "penalty_score": None,
        "disable_search": True,
    }

"""What every teacher behind a server promises, whatever its API: add a `Kind` and it is held to it."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from instil.data.messages import ask
from instil.errors import (
    RequestError,
    TeacherError,
    TeacherRefused,
    TeacherRejected,
    TeacherUnavailable,
    TeacherUnreachable,
)
from instil.teachers import teacher_identity
from instil.teachers.base import Completion, Request, Sampling, Usage
from tests.fakes import Reply, ScriptedServer, in_turn, request, serving
from tests.teachers.kinds import KINDS, Kind

pytestmark = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@pytest.fixture(autouse=True)
def keys(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in kind.keys.items():
        monkeypatch.setenv(name, value)


def complete(kind: Kind, server: ScriptedServer, *requests: Request, **options: Any) -> list[Completion]:
    """Ask all at once."""

    async def run() -> list[Completion]:
        async with kind.config(server.base_url, **options).open(Path()) as teacher:
            return await asyncio.gather(*(teacher.complete(each) for each in requests or (request(),)))

    return asyncio.run(run())


def asked(server: ScriptedServer) -> list[dict[str, Any]]:
    return [body for body in server.bodies if "messages" in body]


def error_of(kind: Kind, reply: Reply, **options: Any) -> TeacherError:
    with serving(kind.script(in_turn(reply))) as server, pytest.raises(TeacherError) as caught:
        complete(kind, server, **options)
    assert len(asked(server)) == 1, "retrying is another layer's"
    return caught.value


def test_returns_text_usage_and_model(kind: Kind) -> None:
    with serving(kind.script(in_turn(kind.says("好的\n\u2028 “x”")))) as server:
        answers = complete(kind, server)

    usage = Usage(input_tokens=11, output_tokens=7)
    assert answers == [Completion(text="好的\n\u2028 “x”", model="fake-1", usage=usage)]


def test_says_when_an_answer_was_cut_off(kind: Kind) -> None:
    with serving(kind.script(in_turn(kind.cut_off))) as server:
        [answer] = complete(kind, server)

    assert (answer.text, answer.finish_reason) == ("half", "length")


def test_sends_the_messages_and_honours_max_tokens_and_stop(kind: Kind) -> None:
    sampling = Sampling(max_tokens=64, stop=("END", "##"), temperature=0.5, top_p=0.9)
    with serving(kind.script(in_turn(kind.says("hi")))) as server:
        complete(kind, server, Request(messages=ask("你好", system="Be brief."), sampling=sampling))

    [body] = asked(server)
    assert kind.limits(body) == (64, ["END", "##"])
    assert (body["temperature"], body["top_p"]) == (0.5, 0.9)
    assert body["messages"][-1] == {"role": "user", "content": "你好"}
    assert "Be brief." in str(body)


def test_other_options_are_sent_by_the_names_they_were_given(kind: Kind) -> None:
    with serving(kind.script(in_turn(kind.says("hi")))) as server:
        complete(kind, server, Request(messages=ask("a"), sampling=Sampling(extra={"thinking": {"a": [1]}})))

    assert asked(server)[0]["thinking"] == {"a": [1]}


def test_extra_may_not_hold_what_instil_sets(kind: Kind) -> None:
    for name in ("model", "messages", "stream"):
        with pytest.raises(ValueError, match=f"extra may not hold '{name}'"):
            kind.config("http://127.0.0.1:9/v1", extra={name: 1})


def test_calls_at_the_same_time_get_each_their_own_answer(kind: Kind) -> None:
    def echo(body: Mapping[str, Any]) -> Reply:
        return kind.says(body["messages"][-1]["content"].upper())

    texts = [f"call {number}" for number in range(40)]
    with serving(kind.script(echo)) as server:
        answers = complete(kind, server, *map(request, texts))

    assert [answer.text for answer in answers] == [text.upper() for text in texts]


def test_a_busy_server_is_congestion_that_may_pass(kind: Kind) -> None:
    error = error_of(kind, kind.busy("slow down"))

    assert isinstance(error, TeacherUnavailable)
    assert error.congested
    assert "slow down" in str(error)


def test_an_error_inside_the_server_may_pass(kind: Kind) -> None:
    error = error_of(kind, kind.broken("oops"))

    assert isinstance(error, TeacherUnavailable)
    assert not error.congested


def test_a_refused_key_stops_and_says_what_to_do(kind: Kind) -> None:
    error = error_of(kind, kind.wrong_key("who are you?"))

    assert type(error) is TeacherRefused
    assert "key" in str(error.hint)


def test_a_bad_request_is_the_fault_of_that_request(kind: Kind) -> None:
    error = error_of(kind, kind.bad_request("I do not like it"))

    assert type(error) is TeacherRejected
    assert "I do not like it" in str(error)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (408, TeacherUnavailable),
        (429, TeacherUnavailable),
        (502, TeacherUnavailable),
        (503, TeacherUnavailable),
        (504, TeacherUnavailable),
        (401, TeacherRefused),
        (402, TeacherRefused),
        (403, TeacherRefused),
        (404, TeacherRefused),
        (307, TeacherRefused),
        (413, TeacherRejected),
    ],
)
def test_a_proxy_in_between_is_understood_by_its_status(
    kind: Kind, status: int, error: type[TeacherError]
) -> None:
    assert type(error_of(kind, Reply(b"<html>proxy</html>", status))) is error


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b'{"choices": [{"mess', then="reset"),
        Reply(then="hang"),
        Reply(b""),
        Reply(b"{}"),
        Reply(b'{"result": '),
        Reply(b'["not", "an", "object"]'),
        Reply(b"<html>gateway</html>"),
        Reply(b"\xff\xfe"),
        Reply(b'{"choices": null, "content": null, "result": null}'),
        Reply(b'{"choices": [{"message": 1}], "content": [1], "result": 1}'),
    ],
    ids=["reset", "hang", "nothing", "empty", "half", "a list", "html", "no text", "null", "other types"],
)
def test_a_broken_answer_may_pass(kind: Kind, reply: Reply) -> None:
    error = error_of(kind, reply, timeout_s=0.2 if reply.then == "hang" else 5.0)

    assert type(error) is TeacherUnavailable


def test_nobody_there_may_pass_and_the_hint_names_the_address(kind: Kind) -> None:
    with serving(kind.script(in_turn(kind.says("hi")))) as server:
        pass  # its port is free now
    with pytest.raises(TeacherUnavailable) as caught:
        complete(kind, server)

    assert caught.value.hint == "is the server running, and is base_url its address?"


def test_a_key_that_is_not_set_is_found_before_anything_starts(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = kind.config("http://127.0.0.1:9/v1")
    config.preflight()
    for name in kind.keys:
        monkeypatch.setenv(name, " \n")
        with pytest.raises(RequestError, match=f"{name!r} is not set"):
            config.preflight()
        monkeypatch.setenv(name, "key")


def _chain(error: BaseException | None) -> str:
    return "" if error is None else f"{error!s} {error!r} {_chain(error.__cause__ or error.__context__)}"


def test_keys_are_in_no_error_no_repr_and_no_log(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = " ".join(kind.secrets)
    replies = [
        *(make(f"you sent {told}") for make in (kind.busy, kind.broken, kind.wrong_key, kind.bad_request)),
        Reply(f"<html>{told}</html>".encode()),
        Reply(f"{told}".encode(), 500),
        Reply(b"", 307, {"Location": f"https://elsewhere.example/?access_token={kind.secrets[-1]}"}),
        Reply(then="hang"),
        Reply(b"{", then="reset"),
    ]
    shown = [_chain(error_of(kind, reply, timeout_s=0.2)) for reply in replies]
    config = kind.config("http://127.0.0.1:9/v1")
    shown += [repr(config), config.model_dump_json(), str(config.identity()), caplog.text]

    assert "***" in shown[0]
    assert not [secret for secret in kind.secrets for text in shown if secret in text]
    assert not [text for text in shown if "very-secret" in text or "very+secret" in text]


def test_an_address_that_takes_no_connection_in_time_is_unreachable_and_shows_no_key(kind: Kind) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):  # nobody accepts them, and there is no place for a third
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        server = ScriptedServer(in_turn(kind.says("hi")))
        server.base_url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        with pytest.raises(TeacherUnreachable) as caught:
            complete(kind, server, timeout_s=0.4)

    assert not [secret for secret in kind.secrets if secret in _chain(caught.value)]
    assert "very-secret" not in _chain(caught.value)


def test_an_address_holds_no_key(kind: Kind) -> None:
    for address in ("https://me:pass@api.example.com", "https://api.example.com/?key=1", "ftp://a", "a"):
        with pytest.raises(ValueError, match="address"):
            kind.config(address)


def test_connections_are_kept_while_it_is_open_and_closed_with_it(kind: Kind) -> None:
    async def run(server: ScriptedServer) -> None:
        async with kind.config(server.base_url).open(Path()) as teacher:
            for _ in range(5):
                await teacher.complete(request())
            assert len(server.transports) == 1
            assert not any(transport.is_closing() for transport in server.transports)

    with serving(kind.script(in_turn(kind.says("hi")))) as server:
        asyncio.run(run(server))
        deadline = time.monotonic() + 10
        while not all(transport.is_closing() for transport in server.transports):
            assert time.monotonic() < deadline, "a connection stayed open"
            time.sleep(0.01)


def test_a_cancelled_call_leaves_the_teacher_usable(kind: Kind) -> None:
    async def run(server: ScriptedServer) -> str:
        async with kind.config(server.base_url).open(Path()) as teacher:
            lost = asyncio.create_task(teacher.complete(request("hang")))
            while not asked(server):
                await asyncio.sleep(0.005)
            lost.cancel()
            with pytest.raises(asyncio.CancelledError):
                await lost
            return (await teacher.complete(request("again"))).text

    with serving(kind.script(in_turn(Reply(then="hang"), kind.says("hi")))) as server:
        assert asyncio.run(run(server)) == "hi"
    assert [body["messages"][-1]["content"] for body in asked(server)] == ["hang", "again"]


def test_only_what_decides_an_answer_makes_another_teacher(kind: Kind) -> None:
    one = kind.config("http://a.example/v1")
    options = {"timeout_s": 5.0, "max_concurrency": 2, "max_attempts": 1, "temperature": 0.5, "top_p": 0.5}
    same = kind.config("http://b.example/v1", **options, max_tokens=7)

    assert teacher_identity(one) == teacher_identity(same)
    assert {"kind": kind.name, "model": "fake-1"}.items() <= teacher_identity(one).items()

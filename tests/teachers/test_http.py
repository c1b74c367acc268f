"""HttpClient: nothing secret leaves it, and waits are read by the server's clock."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web
from pydantic import SecretStr

from instil.errors import TeacherRefused, TeacherUnavailable
from instil.teachers.http import HttpAnswer, open_http
from tests.fakes import Reply, fails, serving

KEY = "sk-very-secret"


def error_of(reply: Reply, *, late: str = "") -> Exception:
    async def run(url: str) -> Exception:
        async with open_http(timeout_s=5.0, secrets=[SecretStr(KEY)]) as http:
            if late:
                http.hide(SecretStr(late))
            return http.error(url, await http.request("POST", url, body=b"{}"))

    with serving(reply) as server:
        return asyncio.run(run(server.base_url))


def test_a_message_that_is_cut_within_a_key_shows_none_of_it() -> None:
    text = str(error_of(fails(400, "x" * 290 + KEY)))

    assert "***" in text
    assert "sk-ver" not in text


@pytest.mark.parametrize("shown", ["a/b+c=", "a%2Fb%2Bc%3D", "a/b%2Bc%3D"])
def test_a_secret_that_was_learned_later_is_hidden_as_it_stands_in_a_url_too(shown: str) -> None:
    text = str(error_of(fails(400, f"no {shown} here"), late="a/b+c="))

    assert text.endswith("answered 400: no *** here")


def test_no_secret_hides_nothing() -> None:
    async def run(url: str) -> Exception:
        async with open_http(timeout_s=5.0, secrets=[SecretStr("")]) as http:
            return http.error(url, HttpAnswer(400, {}, b"why"))

    assert str(asyncio.run(run("http://a"))) == "http://a answered 400: why"


def test_a_date_to_wait_for_is_read_by_the_server_s_clock_and_not_by_ours() -> None:
    headers = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2015 07:28:45 GMT"}
    error = error_of(Reply(b"", 503, headers))

    assert isinstance(error, TeacherUnavailable)
    assert error.retry_after == 45.0


def test_a_post_is_not_sent_on_to_another_address_and_the_address_shows_no_key() -> None:
    with serving(Reply(b"{}")) as other:
        error = error_of(Reply(b"", 307, {"Location": f"{other.base_url}?key={KEY}"}))

    assert other.bodies == []
    assert isinstance(error, TeacherRefused)
    assert f"{other.base_url}?key=***" in str(error.hint)


def test_a_get_follows_to_where_a_file_lies() -> None:
    async def run() -> bytes:
        app = web.Application()

        async def moved(_request: web.Request) -> web.Response:
            raise web.HTTPFound("/there")

        async def there(_request: web.Request) -> web.Response:
            return web.json_response([1])

        app.router.add_get("/here", moved)
        app.router.add_get("/there", there)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with open_http(timeout_s=5.0) as http:
                answer = await http.request("GET", f"http://127.0.0.1:{runner.addresses[0][1]}/here")
                return answer.content
        finally:
            await runner.cleanup()

    assert json.loads(asyncio.run(run())) == [1]

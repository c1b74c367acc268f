"""A chat server that misbehaves on script, and a teacher that does so without a server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from aiohttp import web

from instil.data.messages import Message
from instil.teachers.base import Completion, Request, Sampling, Usage


@dataclass(frozen=True)
class Reply:
    """What the server sends, and what it does after that."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Literal["end", "reset", "hang"] = "end"
    """Finish the answer, or promise more of it and break the connection, or send nothing at all."""


Script = Callable[[Mapping[str, Any]], Reply]
"""From the JSON body of a request to the reply."""


def says(text: str | None, *, finish: str | None = "stop", usage: Mapping[str, int] | None = None) -> Reply:
    """A chat completion; without `usage` the answer does not speak of it."""
    answer: dict[str, Any] = {
        "model": "fake-1",
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}],
    }
    return Reply(json.dumps(answer if usage is None else {**answer, "usage": usage}).encode())


def fails(status: int, reason: str = "no", *, retry_after: str | None = None) -> Reply:
    """An error in the form of the OpenAI API."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Reply(json.dumps({"error": {"message": reason}}).encode(), status, headers)


def in_turn(*replies: Reply) -> Script:
    """Send these one after the other; the last one also to whoever asks later."""
    left = list(replies)
    return lambda _body: left.pop(0) if len(left) > 1 else left[0]


def items(*pairs: tuple[str, str]) -> str:
    """An answer to a generation prompt: a JSON list of instructions and outputs."""
    rows = [{"instruction": question, "input": "", "output": output} for question, output in pairs]
    return json.dumps(rows, ensure_ascii=False)


class ScriptedServer:
    """A real HTTP server on loopback, in a thread of its own, that keeps what it was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.paths: list[str] = []
        self.queries: list[Mapping[str, str]] = []
        self.transports: set[asyncio.BaseTransport] = set()
        self.base_url = ""

    @property
    def prompts(self) -> list[str]:
        """The last message of every request."""
        return [body["messages"][-1]["content"] for body in self.bodies]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        self.queries.append(dict(request.query))
        assert request.transport
        self.transports.add(request.transport)
        reply = self.script(body)
        if reply.then == "hang":
            await asyncio.sleep(60)  # cancelled when the client gives up or the server stops
        if reply.then == "end":
            return web.Response(body=reply.body, status=reply.status, headers=dict(reply.headers))
        response = web.StreamResponse(status=reply.status, headers={"Content-Length": "1000000"})
        await response.prepare(request)
        await response.write(reply.body)
        request.transport.abort()
        return response

    async def _start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        return runner


class Startable(Protocol):
    """A server that can be run in a thread of its own."""

    async def _start(self) -> web.AppRunner: ...


S = TypeVar("S", bound=Startable)


@contextmanager
def serving(script: Script | Reply) -> Iterator[ScriptedServer]:
    """Run a server while the block runs; a single reply is sent to everyone."""
    with running(ScriptedServer(in_turn(script) if isinstance(script, Reply) else script)) as server:
        yield server


@contextmanager
def running(server: S) -> Iterator[S]:
    """Run a server while the block runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        runner = asyncio.run_coroutine_threadsafe(server._start(), loop).result(5)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(5)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


class ScriptedTeacher:
    """Gives these outcomes in turn, the last one for ever, and keeps what it was asked."""

    def __init__(self, *outcomes: Completion | Exception) -> None:
        self.outcomes: Sequence[Completion | Exception] = outcomes
        self.asked: list[Request] = []

    async def complete(self, request: Request) -> Completion:
        self.asked.append(request)
        outcome = self.outcomes[min(len(self.asked), len(self.outcomes)) - 1]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def request(text: str = "hello", *, draw: int = 0, max_tokens: int | None = None) -> Request:
    """A request of one user message."""
    message = Message(role="user", content=text)
    return Request(messages=(message,), sampling=Sampling(max_tokens=max_tokens), draw=draw)


def completion(text: str = "hi", *, used: tuple[int, int] = (3, 2)) -> Completion:
    """An answer that used so many input and output tokens."""
    return Completion(text=text, model="fake-1", usage=Usage(input_tokens=used[0], output_tokens=used[1]))

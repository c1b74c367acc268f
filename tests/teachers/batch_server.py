"""A server with the OpenAI files and batches API, that outlives its clients and can stop them at any step."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from tests.fakes import running

Step = Literal["upload", "create", "list", "get", "download"]
Row = dict[str, Any]


def answer(text: str, *, finish: str = "stop") -> Row:
    """The row of an answer of 11 input and 7 output tokens, less its `custom_id`."""
    body = {
        "model": "fake-1",
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7},
    }
    return {"response": {"status_code": 200, "request_id": "r", "body": body}, "error": None}


def fails(status: int, reason: str = "no", code: str | None = None) -> Row:
    """The row of a request that failed, less its `custom_id`."""
    body = {"error": {"message": reason, "code": code}}
    return {"response": {"status_code": status, "request_id": "r", "body": body}, "error": None}


def untried(code: str) -> Row:
    """The row of a request whose turn never came, less its `custom_id`."""
    return {"response": None, "error": {"code": code, "message": "This request could not be executed."}}


def echo(body: Mapping[str, Any]) -> Row:
    """Answer with the last message."""
    return answer(body["messages"][-1]["content"].upper())


@dataclass
class Made:
    """A batch at the server."""

    id: str
    file_id: str
    lines: list[Row]
    metadata: Any
    looks: int = 0
    outcome: str = "completed"
    errors: list[Row] = field(default_factory=list)


class BatchServer:
    """Answers every batch at its third look, by `respond`.

    What happens to a batch is decided when it is made: `outcomes` has one for each, in order.
    """

    def __init__(self) -> None:
        self.respond: Callable[[Mapping[str, Any]], Row | None] = echo
        """From the body of a row to its answer; None for no row at all."""
        self.outcomes: list[str] = []
        self.errors: list[list[Row]] = []
        self.most_alive: int | None = None
        self.most_rows: int | None = None
        self.refuse: dict[Step, list[int]] = {}
        """Statuses to answer at a step before it succeeds."""
        self.forget_answer: dict[Step, int] = {}
        """How often to break the connection at a step after it was taken."""
        self.looks = 3
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, Made] = {}
        self.steps: list[Step] = []
        self.auth: set[str | None] = set()
        self.base_url = ""
        self._on_step: dict[tuple[Step, Literal["before", "after"]], threading.Event] = {}

    def reached(self, step: Step, when: Literal["before", "after"]) -> threading.Event:
        """Return what is set when a client gets to a step, which then gets no answer.

        `before` the server has done it, or `after`, when only the answer is missing.
        """
        return self._on_step.setdefault((step, when), threading.Event())

    def release(self) -> None:
        """Answer every step again."""
        self._on_step.clear()

    def paid(self) -> Counter[str]:
        """How often each request was answered, or may still be."""
        rows: Counter[str] = Counter()
        for made in self.batches.values():
            if made.outcome == "completed" or made.looks < self.looks:
                rows.update(line["custom_id"] for line in made.lines)
        return rows

    def sizes(self) -> list[int]:
        """How many requests each batch has, in the order in which they were made."""
        return [len(made.lines) for made in self.batches.values()]

    @web.middleware
    async def _watch(self, request: web.Request, handler: Any) -> web.StreamResponse:
        step: Step = _step(request)
        self.steps.append(step)
        self.auth.add(request.headers.get("Authorization"))
        await self._halt(step, "before")
        if self.refuse.get(step):
            status = self.refuse[step].pop(0)
            return web.json_response({"error": {"message": "no"}}, status=status)
        response: web.StreamResponse = await handler(request)
        await self._halt(step, "after")
        if self.forget_answer.get(step):
            self.forget_answer[step] -= 1
            assert request.transport
            request.transport.abort()
        return response

    async def _halt(self, step: Step, when: Literal["before", "after"]) -> None:
        if (step, when) in self._on_step:
            self._on_step[step, when].set()
            await asyncio.sleep(60)  # cancelled when the client is gone or the server stops

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["purpose"] == "batch"
        upload = form["file"]
        assert isinstance(upload, web.FileField)
        assert upload.filename.endswith(".jsonl")
        name = f"file-{len(self.files)}"
        with upload.file:
            self.files[name] = upload.file.read()
        return web.json_response({"id": name, "object": "file", "purpose": "batch"})

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        lines = [json.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        assert {line["url"] for line in lines} == {body["endpoint"]}
        assert {line["method"] for line in lines} == {"POST"}
        made = Made(f"batch-{len(self.batches)}", body["input_file_id"], lines, body.get("metadata"))
        made.outcome = self.outcomes.pop(0) if self.outcomes else "completed"
        made.errors = self.errors.pop(0) if self.errors else []
        alive = sum(other.looks < self.looks and other.outcome != "failed" for other in self.batches.values())
        full = self.most_alive is not None and alive >= self.most_alive
        if full or (self.most_rows is not None and len(lines) > self.most_rows):
            message = "Enqueued token limit reached. Limit: 90,000 enqueued tokens."
            made.outcome, made.errors = "failed", [{"code": "token_limit_exceeded", "message": message}]
        self.batches[made.id] = made
        return web.json_response(self._shown(made))

    async def _list(self, request: web.Request) -> web.Response:
        newest = list(reversed(self.batches.values()))
        after = request.query.get("after")
        start = next((i + 1 for i, made in enumerate(newest) if made.id == after), 0)
        page = newest[start : start + 2]  # small pages, so that there are several
        more = len(newest) > start + 2
        return web.json_response({"data": [self._shown(made) for made in page], "has_more": more})

    async def _get(self, request: web.Request) -> web.Response:
        made = self.batches.get(request.match_info["id"])
        if made is None:
            return web.json_response({"error": {"message": "No such batch"}}, status=404)
        made.looks += 1
        return web.json_response(self._shown(made))

    async def _download(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        made = self.batches[name.split(".")[0]]
        rows = [row for row in self._rows(made) if _is_error(row) == name.endswith(".errors")]
        return web.Response(body="".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())

    def _rows(self, made: Made) -> list[Row]:
        """The rows of a batch, in the server's own order; an untimely end comes after the first half."""
        reached = len(made.lines) if made.outcome == "completed" else len(made.lines) // 2
        rows = []
        for index, line in enumerate(made.lines):
            row = self.respond(line["body"]) if index < reached else untried(f"batch_{made.outcome}")
            if row is not None:
                rows.append({"id": f"row-{index}", "custom_id": line["custom_id"], **row})
        return rows[::-1]

    def _shown(self, made: Made) -> Row:
        ended = made.looks >= self.looks
        rows = self._rows(made) if ended and made.outcome != "failed" else []
        done = [_is_error(row) for row in rows]
        return {
            "id": made.id,
            "object": "batch",
            "input_file_id": made.file_id,
            "status": made.outcome if ended else ("validating", "in_progress", "finalizing")[made.looks % 3],
            "output_file_id": f"{made.id}.out" if False in done else None,
            "error_file_id": f"{made.id}.errors" if True in done else None,
            "errors": {"object": "list", "data": made.errors} if ended and made.errors else None,
            "request_counts": {
                "total": len(made.lines),
                "completed": done.count(False),
                "failed": done.count(True),
            },
            "metadata": made.metadata,
        }

    async def _start(self) -> web.AppRunner:
        app = web.Application(middlewares=[self._watch], client_max_size=1 << 30)
        app.router.add_post("/v1/files", self._upload)
        app.router.add_post("/v1/batches", self._create)
        app.router.add_get("/v1/batches", self._list)
        app.router.add_get("/v1/batches/{id}", self._get)
        app.router.add_get("/v1/files/{id}/content", self._download)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        return runner


def _step(request: web.Request) -> Step:
    if request.path.startswith("/v1/files"):
        return "upload" if request.method == "POST" else "download"
    if request.method == "POST":
        return "create"
    return "list" if request.path == "/v1/batches" else "get"


def _is_error(row: Row) -> bool:
    return row["error"] is not None or row["response"]["status_code"] != 200


@contextmanager
def batch_server() -> Iterator[BatchServer]:
    """Run a server while the block runs."""
    with running(BatchServer()) as server:
        yield server

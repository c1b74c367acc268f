"""A hub on loopback that imitates the real one's API, and misbehaves on demand."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.fakes import running

REPOSITORY = "somebody/rows"
COMMIT = "c" * 40
LFS_FROM = 1000
"""Bytes from which the hub keeps a file outside of git, and states its SHA-256."""


@dataclass
class Asked:
    """One request as the server saw it."""

    path: str
    range: str | None
    token: str | None
    sent: int = 0
    """Bytes of the file that were sent for it."""


@dataclass
class HubServer:
    """A real HTTP server with one repository's files, whose bytes come from another port as from a CDN."""

    files: dict[str, bytes]
    repository: str = REPOSITORY
    gated_for: str | None = None
    """The token that alone may read; None: everybody may."""
    ranges: bool = True
    cuts: int = 0
    """How many answers break off in their middle."""
    fails: list[int] = field(default_factory=list)
    """Statuses of the first answers with bytes."""
    retry_after: str | None = None
    delivered: Callable[[bytes], bytes] = lambda content: content
    """What is sent in place of a file's content, of the same length."""
    seconds_a_block: float = 0.0
    commit: str = COMMIT
    asked: list[Asked] = field(default_factory=list)
    base_url: str = ""
    bytes_url: str = ""

    @property
    def sent(self) -> int:
        """Bytes of files that were sent, all requests together."""
        return sum(each.sent for each in self.asked)

    async def _list(self, request: web.Request) -> web.Response:
        self._note(request)
        if request.match_info["id"] != self.repository:
            # The real one does not say whether it exists.
            return web.json_response({"error": "Invalid username or password."}, status=401)
        if request.match_info["revision"] not in ("main", self.commit):
            return web.json_response({"error": "Invalid rev id"}, status=404)
        assert request.query["blobs"] == "true"
        siblings = [{"rfilename": path, **_blob(content)} for path, content in self.files.items()]
        readme = {"rfilename": "README.md", "size": 3, "blobId": "0" * 40}
        return web.json_response({"id": self.repository, "sha": self.commit, "siblings": [readme, *siblings]})

    async def _resolve(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        if self.gated_for and request.headers.get("authorization") != f"Bearer {self.gated_for}":
            return web.Response(status=401 if "authorization" not in request.headers else 403)
        if self.fails:
            headers = {} if self.retry_after is None else {"retry-after": self.retry_after}
            return web.Response(status=self.fails.pop(0), headers=headers)
        raise web.HTTPFound(f"{self.bytes_url}/{request.match_info['path']}?signature=secret")

    async def _bytes(self, request: web.Request) -> web.StreamResponse:
        asked = self._note(request)
        path = request.match_info["path"]
        if path not in self.files:
            return web.Response(status=404)
        content = self.delivered(self.files[path])
        start, end = 0, len(content)
        response = web.StreamResponse(headers={"etag": '"v1"'})
        if self.ranges and asked.range:
            first, _, last = asked.range.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last) + 1, len(content)) if last else len(content)
            response.set_status(206)
            response.headers["content-range"] = f"bytes {start}-{end - 1}/{len(content)}"
        response.content_length = end - start
        await response.prepare(request)
        cut = self.cuts > 0 and end - start > 1
        self.cuts -= cut
        stop = (start + end) // 2 if cut else end
        for at in range(start, stop, 1 << 16):
            block = content[at : min(at + (1 << 16), stop)]
            await response.write(block)
            asked.sent += len(block)
            await asyncio.sleep(self.seconds_a_block)
        if cut:
            assert request.transport
            request.transport.abort()
        return response

    def _note(self, request: web.Request) -> Asked:
        headers = request.headers
        self.asked.append(Asked(request.path, headers.get("range"), headers.get("authorization")))
        return self.asked[-1]

    async def _start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/api/datasets/{id:[^/]+/[^/]+}/revision/{revision}", self._list)
        app.router.add_get("/datasets/{id:[^/]+/[^/]+}/resolve/{revision}/{path:.+}", self._resolve)
        app.router.add_get("/bytes/{path:.+}", self._bytes)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        for _ in range(2):
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        (_, hub), (_, bytes_) = runner.addresses
        self.base_url, self.bytes_url = f"http://127.0.0.1:{hub}", f"http://127.0.0.1:{bytes_}/bytes"
        return runner


@contextmanager
def hub_of(files: dict[str, bytes], **behaviour: object) -> Iterator[HubServer]:
    """Run a hub with these files while the block runs."""
    with running(HubServer(files, **behaviour)) as server:  # type: ignore[arg-type]
        yield server


def _blob(content: bytes) -> dict[str, object]:
    git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if len(content) < LFS_FROM:
        return {"size": len(content), "blobId": git}
    sha256 = hashlib.sha256(content).hexdigest()
    lfs = {"sha256": sha256, "size": len(content), "pointerSize": 134}
    return {"size": len(content), "blobId": "1" * 40, "lfs": lfs}

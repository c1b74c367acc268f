"""The loopback teacher that benchmarks and fault tests ask, in an environment of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT

SERVER = ROOT.parent / "shared" / "tools" / "teacher_server.py"
NEEDS = "uvloop httptools"


class LoopbackTeacher:
    """A running server."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self.base_url = f"{self._address}/v1"

    def configure(self, **options: Any) -> None:
        """Change how it behaves; its counters go back to zero."""
        self._call("/config", json.dumps(options).encode())

    def get(self, path: str) -> dict[str, Any]:
        """Return what it tells under a path: /stats, /paid, /faulty."""
        return self._call(path)

    @contextmanager
    def first_request(self) -> Iterator[list[float]]:
        """Yield a list that receives the seconds until the first request, within a hundredth."""
        found: list[float] = []
        started, over = time.perf_counter(), threading.Event()

        def watch() -> None:
            while not over.wait(0.01):
                if self.get("/stats")["total"]:
                    found.append(round(time.perf_counter() - started, 3))
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield found
        finally:
            over.set()
            watcher.join()

    def _call(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        with urllib.request.urlopen(self._address + path, data=body, timeout=30) as answer:
            value: dict[str, Any] = json.load(answer)
            return value


@contextmanager
def serving(python: Path) -> Iterator[LoopbackTeacher]:
    """Run the server with an interpreter that has what it needs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [str(python), str(SERVER), "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        if not process.stdout.readline().startswith(b"listening"):
            raise RuntimeError(f"{SERVER} did not start")
        yield LoopbackTeacher(port)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

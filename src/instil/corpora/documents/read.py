"""Read the user's files: a document, or a reason, for each."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from instil.corpora.base import Failure
from instil.corpora.documents.document import Document
from instil.corpora.documents.find import find_files
from instil.data.jsonl import encode
from instil.errors import MissingPackage

MAX_SECONDS = 300.0
"""Longest time for one file."""
_PACKAGES = {
    "chardet": "a text file that is not UTF-8",
    "mammoth": "a Word document",
    "markdown_it": "a Markdown document",
    "pypdfium2": "a PDF document",
    "selectolax": "an HTML or Word document",
}


def preflight(paths: Sequence[Path]) -> None:
    """Find what is missing before anything starts.

    Raises:
        RecipeError: a path does not exist, or gives no file.
        MissingPackage: a package that reads documents is not installed.
    """
    find_files(paths)
    for package, what in _PACKAGES.items():
        if find_spec(package) is None:
            raise MissingPackage(what, package, "documents")


def read_documents(
    paths: Sequence[Path], *, max_seconds: float = MAX_SECONDS
) -> Iterator[Document | Failure]:
    """Yield a document for every file, or a failure that says why and what to do: as many as there are files.

    Args:
        paths: files, directories (all files below, sorted, without hidden ones) and patterns (`a/**/*.md`).
        max_seconds: longest time for one file.

    Raises:
        RecipeError: a path does not exist, or gives no file; before the first document.
        MissingPackage: a file needs a package that is not installed.
    """
    files = find_files(paths)
    with _Worker() as worker:
        for name, path in files.items():
            found = worker.ask(name, path, max_seconds)
            if "missing" in found:
                package = found["missing"]
                raise MissingPackage(_PACKAGES.get(package, "a document"), package, "documents")
            if "failure" in found:
                yield Failure(name, found["failure"])
            else:
                yield Document.model_validate(found["document"])


class _Worker:
    """The process that reads, started when it is needed and again when it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, name: str, path: Path, max_seconds: float) -> dict[str, Any]:
        """Return the worker's answer; a failure if it crashed or took too long."""
        request = encode({"name": name, "path": str(path)})
        used = self._process is not None
        found = self._answer(request, max_seconds)
        if found is None and used:
            # It may have died of what it read before; only a new one tells.
            found = self._answer(request, max_seconds)
        return found or {
            "failure": "its reader crashed; save it anew in the program that wrote it, or in another format"
        }

    def _answer(self, request: bytes, max_seconds: float) -> dict[str, Any] | None:
        """Return what the process answers, or None if it died."""
        process = self._process = self._process or _start()
        assert process.stdin
        assert process.stdout
        late = threading.Event()
        timer = threading.Timer(max_seconds, _kill, (process, late))
        timer.start()
        try:
            process.stdin.write(request)
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = b""
        finally:
            timer.cancel()
            timer.join()
        if late.is_set() or not line.endswith(b"\n"):
            self._end()
        if line.endswith(b"\n"):
            found: dict[str, Any] = orjson.loads(line)
            return found
        if late.is_set():
            return {
                "failure": f"reading it took more than {max_seconds:g} seconds; split it, or save it anew"
            }
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _kill(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _start() -> subprocess.Popen[bytes]:
    # The same modules as here, whatever the directory.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-m", "instil.corpora.documents.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )

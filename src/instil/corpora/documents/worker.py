"""Reads files in a process of its own: `python -m instil.corpora.documents.worker`.

Strangers' files are read by parsers that may run for ever, take all memory, or crash. Here that ends one
file and not the run. A request is a line of JSON on standard input, `{"name", "path"}`; the answer is a line
on standard output: `{"document"}`, `{"failure"}` with a reason, or `{"missing"}` with the package to install.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import orjson

from instil.corpora.documents.document import Document, Unreadable
from instil.corpora.documents.formats import parse

MAX_BYTES = 256 << 20
"""Largest file that is read."""
MAX_MEMORY = 4 << 30
"""Most address space of the process, where the system can limit it."""


def answer(name: str, path: Path) -> dict[str, Any]:
    """Return the document of a file, or why there is none."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Unreadable(f"it is larger than {MAX_BYTES >> 20} MiB; split it")
        data = path.read_bytes()
        found, parsed = parse(name, data)
        document = Document(name=name, sha256=hashlib.sha256(data).hexdigest(), format=found, **dict(parsed))
        return {"document": document.model_dump(mode="json")}
    except ModuleNotFoundError as error:
        return {"missing": error.name}
    except Unreadable as error:
        return {"failure": str(error)}
    except OSError as error:
        return {"failure": f"it cannot be read: {error.strerror}"}
    except MemoryError:
        return {"failure": f"it needs more than {MAX_MEMORY >> 30} GiB of memory; split it"}
    except RecursionError:
        return {"failure": "its parts are nested too deep; save it anew in the program that wrote it"}


def main() -> None:
    """Answer requests until there are no more."""
    # What a library prints must not stand among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _limit_memory()
    for line in sys.stdin.buffer:
        request = orjson.loads(line)
        answers.write(
            orjson.dumps(answer(request["name"], Path(request["path"])), option=orjson.OPT_APPEND_NEWLINE)
        )
        answers.flush()


def _limit_memory() -> None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MAX_MEMORY if hard == resource.RLIM_INFINITY else min(MAX_MEMORY, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    except (ValueError, OSError):  # macOS knows the limit and refuses to set it
        return


if __name__ == "__main__":
    main()

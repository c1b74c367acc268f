"""Compile the kernel: when the package is installed, and by `python -m instil.novelty.build`.

Uses the standard library only and nothing of instil, because the build hook runs this file before
anything is installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("kernel.c")
LIBRARY = Path(__file__).with_name("libnovelty.so")

# No -march: a wheel runs on every processor of its architecture. Doubles must be rounded as in Python.
_FLAGS = ["-O3", "-std=c11", "-fPIC", "-shared", "-ffp-contract=off"]
if sys.platform == "linux":
    _FLAGS.append("-s")


class CannotCompile(Exception):
    """There is no C compiler, or it says no."""


def source_digest(source: Path) -> str:
    """Return what identifies a source; the library that is made of it says the same."""
    return hashlib.sha256(source.read_bytes()).hexdigest()[:16]


def compiler() -> list[str] | None:
    """Return the command of a C compiler: $CC, the system's, the one in the package `ziglang`, or None."""
    chosen = shlex.split(os.environ.get("CC", ""))
    for command in ([chosen] if chosen else []) + [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(command[0]):
            return command
    if importlib.util.find_spec("ziglang"):
        # By itself it compiles for this very processor.
        return [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]
    return None


def build(source: Path = SOURCE, library: Path = LIBRARY) -> None:
    """Compile the kernel; the library appears whole, so that processes that use an older one go on.

    Raises:
        CannotCompile: with the reason in a line.
    """
    command = compiler()
    if command is None:
        raise CannotCompile("there is no C compiler")
    unfinished = library.with_name(f".{library.name}.{os.getpid()}.tmp")
    digest = f'-DSOURCE_DIGEST="{source_digest(source)}"'
    try:
        done = subprocess.run(  # noqa: S603  # the user's own compiler
            [*command, *_FLAGS, digest, "-o", str(unfinished), str(source)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotCompile(f"{command[0]}: {done.stderr.strip() or f'exit code {done.returncode}'}")
        unfinished.replace(library)
    except OSError as error:
        raise CannotCompile(str(error)) from error
    finally:
        unfinished.unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        build()
    except CannotCompile as reason:
        sys.exit(f"the novelty kernel was not compiled: {reason}")

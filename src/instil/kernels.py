"""The parts of instil that are written in C: how they are compiled, and how they are loaded.

Each is one file, `PACKAGE/kernel.c`, compiled when instil is installed and by `python -m instil.kernels`,
and called through ctypes, so that one library serves every version of Python. Where none could be compiled,
its package gives the same answers without it, slower.

Uses the standard library only and nothing of instil, because the build hook runs this file before anything
is installed.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

# No -march: a wheel runs on every processor of its architecture. Doubles must be rounded as in Python.
_FLAGS = ["-O3", "-std=c11", "-fPIC", "-shared", "-ffp-contract=off"]
if sys.platform == "linux":
    _FLAGS.append("-s")


class Kernel(NamedTuple):
    """A source and the library that is made of it."""

    name: str
    """What the functions of the library begin with; each has `NAME_source()`."""
    source: Path
    library: Path


def _of(package: str) -> Kernel:
    directory = Path(__file__).with_name(package)
    return Kernel(package, directory / "kernel.c", directory / f"lib{package}.so")


NOVELTY, SHINGLES = KERNELS = (_of("novelty"), _of("shingles"))


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


def build(kernel: Kernel) -> None:
    """Compile a kernel; the library appears whole, so that processes that use an older one go on.

    Raises:
        CannotCompile: with the reason in a line.
    """
    command = compiler()
    if command is None:
        raise CannotCompile("there is no C compiler")
    unfinished = kernel.library.with_name(f".{kernel.library.name}.{os.getpid()}.tmp")
    digest = f'-DSOURCE_DIGEST="{source_digest(kernel.source)}"'
    try:
        done = subprocess.run(  # noqa: S603  # the user's own compiler
            [*command, *_FLAGS, digest, "-o", str(unfinished), str(kernel.source)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotCompile(f"{command[0]}: {done.stderr.strip() or f'exit code {done.returncode}'}")
        unfinished.replace(kernel.library)
    except OSError as error:
        raise CannotCompile(str(error)) from error
    finally:
        unfinished.unlink(missing_ok=True)


def load(kernel: Kernel, functions: Iterable[tuple[str, Any, tuple[Any, ...]]]) -> ctypes.CDLL:
    """Return the library of a kernel with its functions declared: name, type of the result, of the arguments.

    Raises:
        OSError: it was never compiled, not for this machine, or of another source than the one beside it.
        AttributeError: it is something else.
    """
    if not kernel.library.exists():
        raise OSError("it was not compiled when instil was installed")
    library = ctypes.CDLL(str(kernel.library))
    for name, result, arguments in (("source", ctypes.c_char_p, ()), *functions):
        function = getattr(library, f"{kernel.name}_{name}")
        function.restype, function.argtypes = result, arguments
    if getattr(library, f"{kernel.name}_source")().decode() != source_digest(kernel.source):
        raise OSError("it was compiled from an older source")
    return library


if __name__ == "__main__":
    for each in KERNELS:
        try:
            build(each)
        except CannotCompile as reason:
            sys.exit(f"the {each.name} kernel was not compiled: {reason}")

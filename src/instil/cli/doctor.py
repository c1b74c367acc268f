"""doctor: what this machine can do, and what is missing for what."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from instil import __version__
from instil.cli import display
from instil.novelty import kernel as novelty
from instil.shingles import kernel as shingles

_PACKAGES = (
    ("aiohttp", "generate with a teacher on the network", "core"),
    ("rapidfuzz", "the novelty filter without its kernel", "core"),
    ("py3langid", "the filter 'language'", "filters"),
    ("python-stdnum", "the filter 'pii'", "filters"),
    ("pyahocorasick", "the filter 'unsafe'", "filters"),
    ("pypdfium2", "PDF documents", "documents"),
    ("mammoth", "Word documents", "documents"),
    ("selectolax", "HTML and Word documents", "documents"),
    ("markdown-it-py", "Markdown documents", "documents"),
    ("chardet", "text documents that are not UTF-8", "documents"),
    ("torch", "train, evaluate, chat", "train"),
    ("transformers", "train, evaluate, chat", "train"),
    ("tokenizers", "train, evaluate, chat", "train"),
    ("safetensors", "train", "train"),
    ("peft", "train with LoRA", "train"),
    ("prompt_toolkit", "editing and history in chat", "chat"),
    ("ray", "mix on a cluster", "cluster"),
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def doctor(as_json: bool) -> None:
    """Say what this machine can do, and what is missing for what."""
    found = examine()
    if as_json:
        display.print_json(found)
        return
    for key, value in found["machine"].items():
        click.echo(f"{key:<12}{value}")
    rows = [
        [row["package"], row["version"] or "missing", row["for"], row["get"]] for row in found["packages"]
    ]
    display.print_table(["package", "version", "needed for", "how to get it"], rows)
    missing = sorted({row["get"] for row in found["packages"] if not row["version"]})
    click.echo("everything is installed" if not missing else f"to get what is missing: {'; '.join(missing)}")


def examine() -> dict[str, Any]:
    """Return the machine's facts and the state of every package, as JSON values."""
    packages = []
    for package, purpose, extra in _PACKAGES:
        found = _version(package)
        get = "" if found else f"pip install 'instil[{extra}]'" if extra != "core" else "pip install instil"
        packages.append({"package": package, "version": found, "for": purpose, "get": get})
    return {"machine": _machine(), "packages": packages}


def _machine() -> dict[str, str]:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    return {
        "instil": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": _memory(),
        "disk free": f"{free:,.0f} GiB here",
        "gpu": _gpu(),
        "novelty": _kernel(novelty.problem()),
        "shingles": _kernel(shingles.problem()),
    }


def _kernel(reason: str | None) -> str:
    if reason:
        return f"slower: no kernel, {reason}; install a C compiler and instil again"
    return "compiled kernel"


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:,.1f} GiB"
    except (ValueError, OSError):
        return "unknown"


def _gpu() -> str:
    if not _version("torch"):
        return "unknown without torch"
    from instil.models.machine import gpu

    return gpu()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""

"""How each program is started for the work of `benchmarks/mix.py`.

A piece of work is a dictionary: `data` (a directory of `mix_data.py`), `weights` by source, `num_examples`,
`validation_fraction`, `seed`, `clean` and `near`. Each program gets it in a file, or in the recipe that is
made of it, and an empty directory to write into.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import peer_environment

Work = dict[str, Any]
Command = Sequence[str | Path]

TASKS = ("exact", "near", "plain")
INSTIL = Path(sys.executable).with_name("instil")


@dataclass(frozen=True)
class Tool:
    """A program that does the work."""

    name: str
    command: Callable[[Work, Path], Command]
    """Returns what is run for a piece of work and an empty directory."""
    output: str = "."
    """Where `train` and `validation` lie then, below that directory."""
    tasks: tuple[str, ...] = TASKS
    slow: bool = False
    """Whether gigabytes would take it hours."""


def instil(work: Work, out: Path) -> Command:
    steps = ("nfc", "control", "html_entities", "mojibake")
    mix = {
        "num_examples": work["num_examples"],
        "validation_fraction": work["validation_fraction"],
        "workers": 2,
        "clean": dict.fromkeys(steps, work["clean"]),
        "near_duplicates": {
            "action": "remove" if work["near"] else "ignore",
            "threshold": 0.8,
            "permutations": 128,
        },
        "corpora": [
            {"kind": "files", "name": name, "path": f"{work['data']}/{name}", "weight": weight}
            for name, weight in work["weights"].items()
        ],
    }
    recipe = out / "recipe.yaml"
    recipe.write_text(json.dumps({"name": "mix", "seed": work["seed"], "mix": mix}, indent=2))
    return [INSTIL, "run", recipe, "--until", "mix", "--quiet"]


def module(python: Path, name: str, near: str) -> Callable[[Work, Path], Command]:
    def command(work: Work, out: Path) -> Command:
        (out / "work.json").write_text(json.dumps(work))
        return [
            python,
            "-m",
            f"benchmarks.peers.{name}",
            out / "work.json",
            out,
            near if work["near"] else "none",
        ]

    return command


def tools(stack: ExitStack, *, quick: bool) -> tuple[list[Tool], list[str]]:
    """Return ours and the peers that can be had, and what cannot."""
    found = [Tool("instil", instil, "runs/mix/mix")]
    missing: list[str] = []
    shared = "ftfy orjson xxhash numpy"
    if python := _python(stack, f"datasets==5.2.0 rensa datasketch {shared}", missing):
        datasets = module(python, "datasets_mix", "rensa")
        found.append(Tool("datasets", datasets))
        if not quick:
            slow = module(python, "datasets_mix", "datasketch")
            found.append(Tool("datasets + datasketch", slow, tasks=("near",), slow=True))
    # What it needs and does not say: its own modules import these.
    needed = f"py-data-juicer aiohttp scipy regex msgpack ray {shared}"
    if not quick and (python := _python(stack, needed, missing)):
        juicer = module(python, "data_juicer_mix", "minhash")
        found.append(Tool("data-juicer", juicer, tasks=("exact", "near"), slow=True))
    return found, missing


def _python(stack: ExitStack, requirement: str, missing: list[str]) -> Path | None:
    bin_dir = stack.enter_context(peer_environment(requirement))
    if bin_dir is None:
        missing.append(requirement.split()[0])
        return None
    return bin_dir / "python"

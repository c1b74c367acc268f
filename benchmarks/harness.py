"""What every benchmark shares: peers in throw-away environments, alternating runs, one JSON line."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Run:
    """One command that has ended."""

    wall_s: float
    cpu_s: float
    """User and system time of the process and its children."""
    peak_mb: float = 0.0
    """Most resident memory of the process, in 10^6 bytes."""


def arguments(description: str | None) -> argparse.Namespace:
    """Return the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs; ends within two minutes")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    return parser.parse_args()


@contextmanager
def peer_environment(requirement: str) -> Iterator[Path | None]:
    """Install a peer into an environment of its own and yield its bin directory; None if it cannot be had.

    Args:
        requirement: what pip installs, several things with spaces between them.
    """
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        bin_dir = Path(directory) / "bin"
        install = [
            str(bin_dir / "pip"),
            "install",
            "--quiet",
            "--disable-pip-version-check",
            *requirement.split(),
        ]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            print(
                f"{requirement} cannot be installed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr
            )
        yield bin_dir if done.returncode == 0 else None


def timed(command: Sequence[str | Path], cwd: Path | None = None) -> Run:
    """Run a command to its end and return what it took.

    Raises:
        CalledProcessError: it failed.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command], cwd=cwd, stdout=output, stderr=subprocess.STDOUT
        )
        # Not process.wait(): only wait4 tells what this one process used.
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise subprocess.CalledProcessError(process.returncode, process.args, output.read())
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 1e6)


def alternating(
    commands: Mapping[str, Sequence[str | Path]], runs: int, cwd: Path | None = None
) -> dict[str, list[Run]]:
    """Run every command in turn, `runs` times after one warm-up, and return all runs by name."""
    found: dict[str, list[Run]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            run = timed(command, cwd)
            if turn:
                found[name].append(run)
    return found


def median(runs: Sequence[Run]) -> dict[str, float]:
    """Return the medians with the spread of the wall time."""
    walls = [run.wall_s for run in runs]
    return {
        "wall_s": round(statistics.median(walls), 4),
        "wall_min_s": round(min(walls), 4),
        "wall_max_s": round(max(walls), 4),
        "cpu_s": round(statistics.median(run.cpu_s for run in runs), 4),
        "peak_mb": round(statistics.median(run.peak_mb for run in runs), 1),
        "runs": len(runs),
    }


def report(
    name: str, *, ours: Any, peers: Mapping[str, Any], ratio: Mapping[str, float], **equal: Any
) -> None:
    """Print the JSON line that ends a benchmark."""
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    machine = {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
    }
    line = {
        "benchmark": name,
        "ours": ours,
        "peers": peers,
        "ratio": ratio,
        "machine": machine,
        "commit": commit,
    }
    print(json.dumps({**line, **equal}))

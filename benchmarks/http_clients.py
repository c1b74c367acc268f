"""Bare HTTP clients against the loopback teacher: which of them asks the teacher.

    python -m benchmarks.http_clients [--quick] [--json]

Every client posts the same calls, so many at once, and reads the answers; nothing else is done. The
ideal is calls / concurrency x 0.2 s.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.harness import ROOT, arguments, peer_environment, report
from benchmarks.teacher import NEEDS, LoopbackTeacher, serving

LATENCY = 0.2
CLIENTS = ("aiohttp", "primp", "pyreqwest", "httpx")
CASES = ((2000, 64), (2000, 256), (10_000, 256))
OURS = "aiohttp"


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__)
    cases, runs = (CASES[:2], 1) if options.quick else (CASES, 3)
    with ExitStack() as stack:
        server_bin = stack.enter_context(peer_environment(NEEDS))
        if server_bin is None:
            sys.exit("the loopback teacher cannot be set up")
        bins = {name: stack.enter_context(peer_environment(name)) for name in CLIENTS}
        here = {name: path for name, path in bins.items() if path is not None}
        server = stack.enter_context(serving(server_bin / "python"))
        server.configure(latency=LATENCY)
        found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in here}
        for calls, concurrency in cases:
            case, ideal = f"{calls:,} @ {concurrency}", calls / concurrency * LATENCY
            each: dict[str, list[dict[str, float]]] = {name: [] for name in here}
            for _ in range(runs):
                for name, path in here.items():
                    # httpx scans its pool for every request: ten thousand take it ten minutes.
                    if not (name == "httpx" and calls * concurrency > 200_000):
                        each[name].append(_once(name, path, server, calls, concurrency))
            for name, figures in each.items():
                if figures:
                    medians = {key: statistics.median(run[key] for run in figures) for key in figures[0]}
                    medians["over_ideal"] = medians["wall_s"] / ideal
                    found[name][case] = {key: round(value, 3) for key, value in medians.items()}
                    if not options.json:
                        _print(case, name, medians)
    ours, peers = found.pop(OURS), found
    ratio = {
        f"{name}, {case}": round(figures["over_ideal"] / ours[case]["over_ideal"], 2)
        for name, each_case in peers.items()
        for case, figures in each_case.items()
    }
    missing = [name for name, path in bins.items() if path is None]
    report("http_clients", ours=ours, peers=peers, ratio=ratio, not_installed=missing)


def _once(
    name: str, bin_dir: Path, server: LoopbackTeacher, calls: int, concurrency: int
) -> dict[str, float]:
    program = ROOT / "benchmarks" / "peers" / "http_client.py"
    command = [bin_dir / "python", program, name, server.base_url, calls, concurrency]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _print(case: str, name: str, figures: dict[str, float]) -> None:
    print(
        f"{case:<14}{name:<12}{figures['over_ideal']:6.2f} x ideal  CPU {figures['cpu_s']:6.2f} s  "
        f"peak {figures['peak_mb']:4.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()

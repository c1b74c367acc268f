"""Generation beside distilabel, curator and a plain OpenAI client, against the same server.

    python -m benchmarks.generate [--quick] [--json]

The server answers every call after 0.2 s with three items of about 100 tokens. Measured on whole
processes: wall time, first request to last answer over the ideal (calls / concurrency x 0.2 s), CPU
seconds, peak memory, time to the first request. Ours writes the journal with fsync, parses, filters
by novelty and counts; the peers parse and write. Goals: at most 1.2 x ideal at 64 in flight, 1.5 x
for 2,000 and 1.25 x for 10,000 at 256, 0.6 CPU s for 1,000 rows, 80 MB, first request within 1 s.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, arguments, peer_environment, report, timed
from benchmarks.teacher import NEEDS, LoopbackTeacher, serving

LATENCY = 0.2
PEERS = {
    "openai sdk": ("openai", "openai_sdk.py"),
    "curator": ("bespokelabs-curator", "curator_llm.py"),
    "distilabel": ("distilabel[openai] requests", "distilabel_pipeline.py"),
}
OURS = "instil"

RECIPE = """\
name: bench
seeds: {{path: seeds.jsonl}}
generate:
  num_examples: {rows}
  items_per_call: 3
  prompt: prompt.txt
  filters:
    - kind: length
    - kind: rouge_l
  teacher:
    kind: openai_compatible
    base_url: {base_url}
    model: teacher
    max_concurrency: {concurrency}
"""
PROMPT = """\
You write tasks for a course. Examples:
<sample_list>
Write <item_count> new tasks as a JSON list of objects with instruction, input and output. ID:<call_number>
"""
SEEDS = """\
{"id": "1", "name": "lab", "instruction": "Explain how a finding is verified.", \
"instances": [{"input": "", "output": "Repeat it blind."}]}
{"id": "2", "name": "lab", "instruction": "Name a beginner's mistake with charts.", \
"instances": [{"input": "", "output": "Not reading the axes."}]}
"""


@dataclass(frozen=True)
class Case:
    """So many calls, so many at once."""

    calls: int
    concurrency: int
    tools: tuple[str, ...]
    runs: int

    @property
    def ideal_s(self) -> float:
        """Seconds if nothing but the server took time."""
        return self.calls / self.concurrency * LATENCY

    @property
    def name(self) -> str:
        """How it is called in the tables."""
        return f"{self.calls:,} @ {self.concurrency}"


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__)
    with ExitStack() as stack:
        server_bin = stack.enter_context(peer_environment(NEEDS))
        if server_bin is None:
            sys.exit("the loopback teacher cannot be set up")
        names = ["openai sdk"] if options.quick else list(PEERS)
        bins = {name: stack.enter_context(peer_environment(PEERS[name][0])) for name in names}
        here = {name: path for name, path in bins.items() if path is not None}
        server = stack.enter_context(serving(server_bin / "python"))
        server.configure(latency=LATENCY)
        found = {
            case.name: _measure(case, here, server, options.json) for case in _cases(options.quick, here)
        }
    ours = {name: tools[OURS] for name, tools in found.items()}
    peers = {tool: {name: tools[tool] for name, tools in found.items() if tool in tools} for tool in here}
    ratio = {
        f"{tool}, {name}": round(figures["over_ideal"] / ours[name]["over_ideal"], 2)
        for tool, cases in peers.items()
        for name, figures in cases.items()
    }
    missing = [name for name, path in bins.items() if path is None]
    report("generate", ours=ours, peers=peers, ratio=ratio, not_installed=missing)


def _cases(quick: bool, peers: dict[str, Path]) -> Sequence[Case]:
    everyone = (OURS, *peers)
    if quick:
        return [Case(1000, 64, everyone, 1), Case(2000, 256, everyone, 1)]
    return [
        Case(2000, 64, everyone, 3),
        Case(2000, 256, everyone, 3),
        Case(10_000, 256, everyone, 3),
        Case(100_000, 256, (OURS,), 1),
    ]


def _measure(case: Case, bins: dict[str, Path], server: LoopbackTeacher, silent: bool) -> dict[str, Any]:
    runs: dict[str, list[dict[str, float]]] = {tool: [] for tool in case.tools}
    for _ in range(case.runs):
        for tool in case.tools:
            runs[tool].append(_once(case, tool, bins, server))
    found = {
        tool: {key: round(statistics.median(run[key] for run in each), 3) for key in each[0]}
        for tool, each in runs.items()
    }
    for tool, figures in found.items():
        if not silent:
            took = f"wall {figures['wall_s']:7.2f} s  {figures['over_ideal']:6.2f} x ideal"
            used = f"CPU {figures['cpu_s']:6.2f} s  peak {figures['peak_mb']:4.0f} MB"
            first = f"first request after {figures['first_request_s']:.2f} s"
            print(
                f"{case.name:<14}{tool:<12}{took}  {used}  {first}  {figures['rows']:,.0f} rows", flush=True
            )
    return found


def _once(case: Case, tool: str, bins: dict[str, Path], server: LoopbackTeacher) -> dict[str, float]:
    server.configure()
    with tempfile.TemporaryDirectory() as name, server.first_request() as first:
        directory = Path(name)
        if tool == OURS:
            run = timed(_our_command(directory, case, server), cwd=directory)
        else:
            program = ROOT / "benchmarks" / "peers" / PEERS[tool][1]
            out = directory / "rows.jsonl"
            command = [bins[tool] / "python", program, server.base_url, case.calls, case.concurrency, out]
            run = timed([str(part) for part in command], cwd=directory)
        rows = _rows(directory)
    stats = server.get("/stats")
    return {
        "wall_s": run.wall_s,
        "wall_over_ideal": run.wall_s / case.ideal_s,
        "over_ideal": stats["span_s"] / case.ideal_s,
        "cpu_s": run.cpu_s,
        "cpu_s_per_1000_rows": run.cpu_s / rows * 1000,
        "peak_mb": run.peak_mb,
        "first_request_s": first[0],
        "rows": rows,
        "paid": stats["paid"],
    }


def _our_command(directory: Path, case: Case, server: LoopbackTeacher) -> list[str]:
    write_workspace(directory, server.base_url, calls=case.calls, concurrency=case.concurrency)
    return [str(Path(sys.executable).with_name("instil")), "run", "recipe.yaml", "--quiet"]


def write_workspace(directory: Path, base_url: str, *, calls: int, concurrency: int) -> None:
    """Write a recipe that makes so many calls of three items, each with an id of its own."""
    recipe = RECIPE.format(rows=3 * calls, base_url=base_url, concurrency=concurrency)
    for name, text in (("recipe.yaml", recipe), ("prompt.txt", PROMPT), ("seeds.jsonl", SEEDS)):
        (directory / name).write_text(text, encoding="utf-8")


def _rows(directory: Path) -> int:
    """Return how many items came back: what is kept and what the filters took, without what was broken."""
    files = [*directory.glob("rows.jsonl"), *directory.glob("runs/bench/generate/*.jsonl")]
    wanted = [file for file in files if file.name in ("rows.jsonl", "examples.jsonl", "rejected.jsonl")]
    counted = subprocess.run(["wc", "-l", *map(str, wanted)], capture_output=True, text=True, check=True)
    return int(counted.stdout.split()[-2] if len(wanted) > 1 else counted.stdout.split()[0])


if __name__ == "__main__":
    main()

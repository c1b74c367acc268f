"""Rows to packed tokens beside TRL's SFTTrainer.

    python -m benchmarks.pack [--quick] [--json]

200,000 conversations (20,000 with `--quick`) of people's text in English and Chinese, with GPT-2's tokenizer
and the chatml template, to packed rows of 1,024 tokens; `peers/pack_data.py` says how they are made. Measured
on whole processes, in turn: examples for each CPU second, peak memory, and what lies on the disk afterwards.
TRL does its own preparation, in two ways: with the assistant's mask of the template, which learns what
instil learns, and with prompt and completion, where only the last answer is learned and all is tokenized two
times. Then, from what was written, the time to get 8 rows ready for the model. Goals: 4 times TRL's examples
for each CPU second, at most 300 MB, a batch in under 1 ms; and the same tokens, the same of them learned.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, arguments, report, timed

DATA = ROOT.parent / "shared" / "data"
TOKENIZER = DATA / "tokenizers" / "gpt2" / "tokenizer.json"
TEMPLATE = ROOT / "src" / "instil" / "models" / "templates" / "chatml.jinja"
OURS = "instil"
TRL = ("assistant_mask", "prompt_completion")


class Bench:
    """Runs tools over a file of conversations, each in a directory of its own."""

    def __init__(self, directory: Path, examples: int) -> None:
        self._directory, self._examples = directory, examples
        self._rows = directory / "rows.jsonl"
        data = [sys.executable, "-m", "benchmarks.peers.pack_data", DATA, self._rows, examples]
        timed([str(part) for part in data], ROOT)

    @property
    def megabytes(self) -> float:
        """Size of the file."""
        return round(self._rows.stat().st_size / 1e6, 1)

    def run(self, tool: str) -> dict[str, Any]:
        """Return what a tool took and what came out."""
        with tempfile.TemporaryDirectory(dir=self._directory) as name:
            place = Path(name)
            figures = place / "figures.json"
            if tool == OURS:
                module = [sys.executable, "-m", "benchmarks.peers.instil_pack"]
                run = timed([*module, self._rows, TOKENIZER, place / "tokens", figures], ROOT)
                found = json.loads(figures.read_text())
                timed([*module, "batch", place / "tokens", figures], ROOT)
                found |= json.loads(figures.read_text())
            else:
                module = [sys.executable, "-m", "benchmarks.peers.trl_pack", tool]
                run = timed([*module, self._rows, TOKENIZER, TEMPLATE, place / "cache", figures], ROOT)
                found = json.loads(figures.read_text())
        cpu = run.cpu_s - found.pop("not_packing_cpu_s", 0.0)
        return {
            **found,
            "wall_s": run.wall_s,
            "cpu_s": cpu,
            "examples_per_cpu_s": self._examples / cpu,
            "peak_mb": run.peak_mb,
        }


def middle(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of every figure, and the spread of the CPU time."""
    found = {key: round(statistics.median(run[key] for run in runs), 3) for key in runs[0]}
    spread = [round(run["cpu_s"], 1) for run in runs]
    return {**found, "cpu_min_s": min(spread), "cpu_max_s": max(spread), "runs": len(runs)}


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__)
    if not TOKENIZER.is_file():
        sys.exit(f"the real data is not at {DATA}; this benchmark has nothing to measure without it")
    examples, runs = (20_000, 1) if options.quick else (200_000, 3)
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), examples)
        if not options.json:
            print(f"{examples:,} examples, {bench.megabytes:,} MB of JSON Lines", flush=True)
        taken: dict[str, list[dict[str, Any]]] = {tool: [] for tool in (OURS, *TRL)}
        for _ in range(runs):
            for tool, each in taken.items():
                each.append(bench.run(tool))
                show(options.json, tool, each[-1])
        megabytes = bench.megabytes
    found = {tool: middle(each) for tool, each in taken.items()}
    ours, masked = found[OURS], found[TRL[0]]
    ratio = {
        f"trl, {tool}": round(ours["examples_per_cpu_s"] / found[tool]["examples_per_cpu_s"], 2)
        for tool in TRL
    }
    report(
        "pack",
        ours=ours,
        peers={f"trl, {tool}": found[tool] for tool in TRL},
        ratio=ratio,
        text_mb=megabytes,
        tokens_equal=ours["tokens"] == masked["tokens"] and ours["examples"] == masked["examples"],
        learned_equal=ours["supervised"] == masked["supervised"],
        goals_met={
            "4 times the examples for each CPU second": min(ratio.values()) >= 4,
            "300 MB": ours["peak_mb"] <= 300,
            "a batch in 1 ms": ours["batch_ms"] < 1,
        },
    )


def show(silent: bool, tool: str, found: dict[str, Any]) -> None:
    """Print a line for people."""
    if not silent:
        rates = f"{found['examples_per_cpu_s']:8,.0f} examples/CPU s  {found['cpu_s']:7.1f} CPU s"
        sizes = f"{found['peak_mb']:6,.0f} MB peak  {found['disk_mb']:6,.0f} MB on disk"
        print(
            f"{tool:<20}{rates}  {sizes}  {found['fill']:.2%} full  batch {found['batch_ms']:.2f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()

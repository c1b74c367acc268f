"""Any corpora to one mixture, from 0.2 to 8 GB of JSON Lines, beside `datasets` and data-juicer.

    python -m benchmarks.mix [--quick] [--json] [--data DIR] [--sizes GB …] [--runs N]

The work is the same for all: rows of eight sources in four formats become conversations, are cleaned (NFC,
control characters, HTML entities, mojibake), equal ones are one, the sources are mixed at given ratios to a
total, shuffled, split nine to one with no question on both sides, and written as Parquet. `near` also removes
near duplicates (MinHash of 128 permutations, threshold 0.8); `plain` is the work without cleaning. Everybody
has two processes. Ours is the whole command `instil run`. What is in the data, and how it is known what there
is to be found, is said in `peers/mix_data.py`; every result is checked by `peers/mix_check.py`. Each program
runs three times in turn up to 2 GB, once above and with `--quick`; the slow ones run once, on 0.2 GB.

Memory is that of all processes of a command together (`process_tree.py`). Goals: six times the speed of
`datasets`, less than 1 GiB for every size, time that grows as the data does.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, median, report
from benchmarks.peers.mix_commands import TASKS, Tool, tools
from benchmarks.process_tree import TreeRun, measured

DATA = ROOT.parent / "shared" / "data"
WEIGHTS = {"alpaca": 5, "alpaca_zh": 3, "belle": 2, "chatdoctor": 2, "huatuo": 2, "medical": 1, "sharegpt": 1}
WEIGHTS["smile"] = 1
QUICK, FULL = (0.2,), (0.2, 2.0, 8.0)
SLOW_GB = 0.2
"""What slow programs are measured on, once."""
REMOVED = ("near.jsonl", "rejected.jsonl")
"""Where a program lists the near duplicates that it removed."""
TIMES_DATASETS, MOST_MB, TIMES_LINEAR = 6.0, 1024 * 1.048576, 1.2
"""Goals."""

Figures = dict[str, Any]


def check(*arguments: str | Path) -> Figures:
    """Return what `mix_check.py` finds, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.peers.mix_check", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


class Corpora:
    """Data of one size, and what is done with it."""

    def __init__(self, directory: Path, gigabytes: float) -> None:
        self._data = directory / f"{gigabytes:g}GB"
        if not (self._data / "summary.json").exists():
            shutil.rmtree(self._data, ignore_errors=True)
            module = [sys.executable, "-m", "benchmarks.peers.mix_data"]
            size = str(int(gigabytes * 1e9))
            subprocess.run([*module, DATA, self._data, size], cwd=ROOT, check=True)
        summary = json.loads((self._data / "summary.json").read_text())
        self._sources: Mapping[str, Mapping[str, int]] = summary
        self.bytes = sum(kinds["bytes"] for kinds in summary.values())

    def work(self, task: str) -> Figures:
        """Return what is to be done; every source has more rows than are drawn from it."""
        least = min(
            (kinds["lines"] - kinds["broken"] - kinds["exact"] - kinds["near"]) / WEIGHTS[name]
            for name, kinds in self._sources.items()
        )
        return {
            "data": str(self._data.resolve()),
            "weights": WEIGHTS,
            "num_examples": int(0.9 * least * sum(WEIGHTS.values())),
            "validation_fraction": 0.1,
            "seed": 17,
            "clean": task != "plain",
            "near": task == "near",
        }

    def measure(self, task: str, programs: Sequence[Tool], runs: int) -> dict[str, Figures]:
        """Run every program in turn, and return the medians and what came out last, by name."""
        done: dict[str, list[TreeRun]] = {tool.name: [] for tool in programs}
        found: dict[str, Figures] = {tool.name: {} for tool in programs}
        for turn in range(runs):
            for tool in programs:
                if turn and tool.slow:
                    continue
                with tempfile.TemporaryDirectory(dir=self._data.parent) as directory:
                    try:
                        run, found[tool.name] = self._run(tool, self.work(task), Path(directory))
                    except subprocess.CalledProcessError as error:
                        found[tool.name] = {"failed": f"ended with {error.returncode}"}
                    else:
                        done[tool.name].append(run)
        return {name: {**self._speed(done[name]), **facts} for name, facts in found.items()}

    def _run(self, tool: Tool, work: Figures, out: Path) -> tuple[TreeRun, Figures]:
        run = measured(tool.command(work, out), cwd=ROOT)
        (out / "work.json").write_text(json.dumps(work))
        result = out / tool.output
        found = {**facts(result), **check("mixture", out / "work.json", result)}
        if work["near"]:
            removed = next(path for name in REMOVED if (path := result / name).exists())
            found["near_known"] = check("near", self._data, removed)
        known = sum(kinds["exact"] for kinds in self._sources.values())
        found["sound"] = (
            found["rows"] == work["num_examples"]
            and found["rows_off_their_share"] < 1
            and not any(found[name] for name in ("rows_twice", "questions_on_both_sides"))
            # Without cleaning, copies that were soiled differ.
            and (not work["clean"] or (found["exact"] == known and not found["dirty_texts"]))
        )
        return run, found

    def _speed(self, runs: Sequence[TreeRun]) -> Figures:
        if not runs:
            return {}
        figures = median(runs)
        return {
            "mb_per_s": round(self.bytes / 1e6 / figures["wall_s"], 2),
            "mb_per_cpu_s": round(self.bytes / 1e6 / figures["cpu_s"], 2),
            **figures,
            "anonymous_mb": round(sorted(run.anonymous_mb for run in runs)[len(runs) // 2], 1),
        }


def facts(result: Path) -> Figures:
    """Return how many equal rows a program says that it removed."""
    if (result / "facts.json").exists():
        return {"exact": json.loads((result / "facts.json").read_text())["exact"]}
    counts = json.loads((result / "manifest.json").read_text())["counts"]
    return {"exact": counts["reasons"].get("duplicate", 0)}


def show(quiet: bool, name: str, found: Mapping[str, Any]) -> None:
    """Print a line for people."""
    if quiet:
        return
    if "mb_per_s" not in found:
        print(f"{name:<32} {found['failed']}", flush=True)
        return
    near = found.get("near_known")
    recall = f", near {near['recall']:.1%} found, {near['false']} false" if near else ""
    sound = "" if found["sound"] else ", NOT WHAT WAS ASKED FOR"
    print(
        f"{name:<36}{found['mb_per_s']:>8.1f} MB/s{found['wall_s']:>9.1f} s{found['cpu_s']:>9.1f} CPU s"
        f"{found['peak_mb']:>8,.0f} MB{recall}{sound}",
        flush=True,
    )


def growth(found: Mapping[str, Figures], sizes: Sequence[float]) -> dict[str, Figures]:
    """Return by task and program how time and memory grow from the second largest size to the largest."""
    grown = {}
    if len(sizes) < 2:
        return {}
    small, large = sizes[-2:]
    for name, figures in found.items():
        before = found.get(name.replace(f"{large:g} GB", f"{small:g} GB"))
        if name.endswith(f"{large:g} GB") and before and "cpu_s" in before and "cpu_s" in figures:
            grown[name] = {
                "data": round(large / small, 2),
                **{key: round(figures[key] / before[key], 2) for key in ("wall_s", "cpu_s", "peak_mb")},
            }
    return grown


def options() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="0.2 GB, once; ends within two minutes")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--data", type=Path, help="directory in which the data stays for the next time")
    parser.add_argument("--sizes", type=float, nargs="+", help=f"gigabytes; {' '.join(map(str, FULL))}")
    parser.add_argument("--runs", type=int, help="of each program; by default 3 up to 2 GB, else 1")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    asked = options()
    if not DATA.is_dir():
        sys.exit(f"the real data is not at {DATA}; this benchmark has nothing to measure without it")
    sizes = sorted(asked.sizes or (QUICK if asked.quick else FULL))
    found: dict[str, Figures] = {}
    with ExitStack() as stack:
        directory = asked.data or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        programs, missing = tools(stack, quick=asked.quick)
        for size in sizes:
            corpora = Corpora(directory, size)
            for task in TASKS[:2] if asked.quick else TASKS:
                mine = [
                    tool for tool in programs if task in tool.tasks and (size <= SLOW_GB or not tool.slow)
                ]
                runs = asked.runs or (1 if asked.quick or size > 2 else 3)
                for name, figures in corpora.measure(task, mine, runs).items():
                    found[f"{name}, {task}, {size:g} GB"] = figures
                    show(asked.json, f"{name}, {task}, {size:g} GB", figures)
            if not asked.data:
                shutil.rmtree(directory / f"{size:g}GB")
    conclude(found, sizes, missing)


def _times(ours: Mapping[str, Figures], peers: Mapping[str, Figures], key: str) -> dict[str, float]:
    """Return by peer, task and size how many times its figure ours is."""
    pairs = {name: (each, ours[f"instil,{name.partition(',')[2]}"]) for name, each in peers.items()}
    return {
        name: round(mine[key] / each[key], 2)
        for name, (each, mine) in pairs.items()
        if key in each and key in mine
    }


def conclude(found: Mapping[str, Figures], sizes: Sequence[float], missing: Sequence[str]) -> None:
    """Print the JSON line."""
    ours = {name: each for name, each in found.items() if name.startswith("instil,")}
    peers = {name: each for name, each in found.items() if name not in ours}
    ratio, ratio_cpu = (_times(ours, peers, key) for key in ("mb_per_s", "mb_per_cpu_s"))
    grown = growth(found, sizes)
    goals = {
        "six_times_datasets": ratio.get(f"datasets, exact, {sizes[-1]:g} GB", 0.0) >= TIMES_DATASETS,
        "less_than_1_gib": all("peak_mb" in each and each["peak_mb"] < MOST_MB for each in ours.values()),
        "linear": all(
            each["cpu_s"] <= TIMES_LINEAR * each["data"] for name, each in grown.items() if name in ours
        ),
    }
    sound = all(each.get("sound", False) for each in ours.values())
    report(
        "mix",
        ours=ours,
        peers=peers,
        ratio=ratio,
        ratio_cpu=ratio_cpu,
        growth=grown,
        goals_met=goals,
        sound=sound,
        not_installed=missing,
    )


if __name__ == "__main__":
    main()

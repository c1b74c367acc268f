"""The novelty filter of Self-Instruct, exact, from 52,002 to a million instructions, beside the reference.

    python -m benchmarks.novelty [--quick] [--json]

Ours is the whole process `instil dedupe`: start, reading, tokenization, decisions, both files written. Goals:
Alpaca's 52,002 instructions in 1 CPU second, 200,000 English ones in 5, 45,000 Chinese ones in 3, a million
in 180 and 1.5 GB. Peers compare every pair: `rouge_score` on a sub-sample that is stated (10 CPU hours for
all of Alpaca), rapidfuzz on a larger one; both also set the decisions that ours must equal, row by row, with
score and nearest instruction. What the sets are is said in `peers/novelty_data.py`.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from benchmarks.harness import ROOT, arguments, median, report, timed

DATA = ROOT.parent / "shared" / "data"
INSTIL = Path(sys.executable).with_name("instil")


@dataclass(frozen=True)
class Task:
    """So many rows of a file, and what their filtering may cost."""

    name: str
    source: str
    rows: int
    goal_cpu_s: float | None = None
    goal_mb: float | None = None


GOALS = (
    Task("alpaca, its own JSON list", "alpaca_data.json", 52_002, 1.0),
    Task("alpaca, JSON Lines", "alpaca.jsonl", 52_002, 1.0),
    Task("english 200,000", "english.jsonl", 200_000, 5.0),
    Task("chinese 45,000", "chinese.jsonl", 45_000, 3.0),
    Task("english 1,000,000", "english.jsonl", 1_000_000, 180.0, 1500.0),
)
GROWTH = (62_500, 125_000, 250_000, 500_000)


@dataclass(frozen=True)
class Pairs:
    """A sub-sample on which every pair is compared too."""

    way: str
    source: str
    rows: int
    tokenization: str = "rouge_score"


QUICK = (
    Pairs("rouge_score", "alpaca.jsonl", 1_000),
    Pairs("rouge_score", "dense.jsonl", 1_500),
    Pairs("rapidfuzz", "english.jsonl", 8_000),
    Pairs("rapidfuzz", "chinese.jsonl", 4_000, "auto"),
)
FULL = (
    Pairs("rouge_score", "alpaca.jsonl", 4_000),
    Pairs("rouge_score", "dense.jsonl", 4_000),
    Pairs("rapidfuzz", "alpaca.jsonl", 52_002),
    Pairs("rapidfuzz", "english.jsonl", 30_000),
    Pairs("rapidfuzz", "chinese.jsonl", 45_000, "auto"),
)


class Bench:
    """Runs commands over the first rows of files in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def sample(self, source: str, rows: int) -> Path:
        """Return a file of the first rows of another."""
        if not source.endswith(".jsonl"):
            return DATA / "alpaca" / source
        path = self._directory / f"{rows}-{source}"
        if not path.exists():
            with (self._directory / source).open("rb") as file, path.open("wb") as out:
                out.writelines(islice(file, rows))
        return path

    def command(self, source: Path, tokenization: str = "auto") -> list[str | Path]:
        """Return ours; what it rejects lies in `rejected(source, tokenization)` then."""
        files: list[str | Path] = [
            "-o",
            self._directory / "kept.jsonl",
            "--rejected",
            self.rejected(source, tokenization),
        ]
        return [INSTIL, "dedupe", source, *files, "--quiet", "--json", "--tokenization", tokenization]

    def rejected(self, source: Path, by: str) -> Path:
        """Return where the rejected rows of a file lie."""
        return self._directory / f"rejected-{by}-{source.stem}.jsonl"

    def measure(self, task: Task, runs: int) -> dict[str, Any]:
        """Return what ours takes for a task, and how many rows it kept."""
        source = self.sample(task.source, task.rows)
        found = median([timed(self.command(source)) for _ in range(runs)])
        # Not parsed: what this process holds would count as theirs, which it starts.
        with self.rejected(source, "auto").open("rb") as file:
            rejected = sum(1 for _ in file)
        met = (task.goal_cpu_s is None or found["cpu_s"] <= task.goal_cpu_s) and (
            task.goal_mb is None or found["peak_mb"] <= task.goal_mb
        )
        return {"rows": task.rows, "rejected": rejected, **found, "goal_cpu_s": task.goal_cpu_s, "met": met}

    def compare(self, pairs: Pairs) -> dict[str, Any]:
        """Return what comparing every pair takes, beside ours, and whether all is decided alike."""
        source = self.sample(pairs.source, pairs.rows)
        out = self.rejected(source, pairs.way)
        module = [sys.executable, "-m", "benchmarks.peers.novelty_pairs"]
        theirs = timed([*module, pairs.way, source, out, pairs.tokenization], ROOT)
        ours = timed(self.command(source, pairs.tokenization))
        expected = decisions(out)
        return {
            "rows": pairs.rows,
            "rejected": len(expected),
            "cpu_s": round(theirs.cpu_s, 2),
            "peak_mb": round(theirs.peak_mb, 1),
            "ours_cpu_s": round(ours.cpu_s, 2),
            "equal": decisions(self.rejected(source, pairs.tokenization)) == expected,
        }

    def tokenizations_differ(self) -> int:
        """Return how many rows of Alpaca are decided otherwise with `auto` than with `rouge_score`."""
        source = self.sample("alpaca.jsonl", 52_002)
        found = []
        for tokenization in ("auto", "rouge_score"):
            timed(self.command(source, tokenization))
            found.append({place for place, _, _ in decisions(self.rejected(source, tokenization))})
        return len(found[0] ^ found[1])


def decisions(path: Path) -> list[tuple[str, float, str]]:
    """Return place, score and nearest instruction of every rejected row."""
    rows = map(orjson.loads, path.read_bytes().splitlines())
    return [(row["place"], row["score"], row["nearest"]) for row in rows]


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__)
    if not DATA.is_dir():
        sys.exit(f"the real data is not at {DATA}; this benchmark has nothing to measure without it")
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        timed([sys.executable, "-m", "benchmarks.peers.novelty_data", DATA, directory], ROOT)
        ours = {}
        for task in GOALS:
            ours[task.name] = bench.measure(task, 1 if task.rows > 500_000 else 3)
            show(options.json, task.name, ours[task.name])
        peers = {}
        for pairs in QUICK if options.quick else FULL:
            name = f"{pairs.way}, {pairs.rows:,} of {pairs.source}"
            peers[name] = bench.compare(pairs)
            show(options.json, name, peers[name])
        sizes = () if options.quick else GROWTH
        growth = [bench.measure(Task("", "english.jsonl", rows), 1) for rows in sizes]
        differ = bench.tokenizations_differ()
    report(
        "novelty",
        ours=ours,
        peers=peers,
        ratio={name: round(each["cpu_s"] / each["ours_cpu_s"], 1) for name, each in peers.items()},
        decisions_equal=all(each["equal"] for each in peers.values()),
        goals_met=all(each["met"] for each in ours.values()),
        growth=[*growth, ours["english 1,000,000"]],
        alpaca_decisions_that_auto_changes=differ,
    )


def show(quiet: bool, name: str, found: dict[str, Any]) -> None:
    """Print a line for people."""
    if not quiet:
        goal = f" (goal {found['goal_cpu_s']:g})" if found.get("goal_cpu_s") else ""
        equal = {True: ", decisions equal", False: ", DECISIONS DIFFER", None: ""}[found.get("equal")]
        print(
            f"{name:<40}{found['cpu_s']:>9.2f} CPU s{goal}, {found['peak_mb']:,.0f} MB,"
            f" {found['rejected']:,} rejected{equal}",
            flush=True,
        )


if __name__ == "__main__":
    main()

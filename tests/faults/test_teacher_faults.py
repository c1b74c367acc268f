"""Generation through the installed command, against a fast server that misbehaves on request.

The server is a program of the project's shared tools; without it these tests are skipped.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import pytest
from benchmarks.generate import write_workspace
from benchmarks.teacher import SERVER, LoopbackTeacher, serving

from instil.data.jsonl import read_jsonl
from tests.workspace import instil, start, stop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SERVER.exists(), reason="the loopback teacher is not there"),
    pytest.mark.skipif(
        not (find_spec("uvloop") and find_spec("httptools")), reason="needs uvloop, httptools"
    ),
]


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackTeacher]:
    with serving(Path(sys.executable)) as running:
        yield running


CALM = {
    "latency": 0.02,
    "jitter": 0.0,
    "max_inflight": 0,
    "once": False,
    "slow": 5.0,
    "retry_after": 1,
    "seed": 7,
    **dict.fromkeys(
        ("p429", "p500", "preset", "pslow", "ptrunc", "pfence", "pprose", "pcomma", "pempty"), 0.0
    ),
}


class Bench:
    """A workspace whose recipe asks the server, without a novelty filter: its items are all alike."""

    def __init__(
        self, directory: Path, server: LoopbackTeacher, calls: int, concurrency: int, **faults: Any
    ) -> None:
        self.directory, self.server = directory, server
        directory.mkdir(parents=True, exist_ok=True)
        server.configure(**{**CALM, **faults})
        write_workspace(directory, server.base_url, calls=calls, concurrency=concurrency)
        self.arguments = ["run", "recipe.yaml", "--quiet", "generate.filters=[]"]

    @property
    def out(self) -> Path:
        return self.directory / "runs" / "bench" / "generate"

    def run(self, *overrides: str) -> subprocess.CompletedProcess[str]:
        return instil(*self.arguments, *overrides, cwd=self.directory)

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads((self.out / "manifest.json").read_bytes())["counts"]
        assert found["asked"] == found["kept"] + found["rejected"] + found["failed"]
        return found

    def journaled(self) -> int:
        return sum(1 for _ in read_jsonl(self.directory / "runs" / "bench" / "journal.jsonl"))


def test_errors_resets_and_hanging_answers_lose_nothing(tmp_path: Path, server: LoopbackTeacher) -> None:
    faults = {"p429": 0.1, "p500": 0.1, "preset": 0.05, "pslow": 0.02, "slow": 60.0, "retry_after": 0}
    bench = Bench(tmp_path, server, 300, 32, once=True, **faults)
    done = bench.run("generate.teacher.timeout_s=1.0")

    assert done.returncode == 0, done.stderr
    assert bench.counts()["kept"] == 900
    stats = server.get("/stats")
    assert sum(stats["faults"][name] for name in ("p429", "p500", "preset", "pslow")) >= 50
    assert stats["paid_again"] == 0
    shown = instil("show", "runs/bench", cwd=bench.directory).stdout
    assert "traffic: attempts " in shown
    assert ", retried " in shown


def test_a_server_that_takes_32_at_once_is_not_hammered_by_128(
    tmp_path: Path, server: LoopbackTeacher
) -> None:
    bench = Bench(tmp_path, server, 600, 128, max_inflight=32, latency=0.1)
    done = bench.run()

    assert done.returncode == 0, done.stderr
    assert bench.counts()["kept"] == 1800
    # The openai client collects 580 refusals on 1,000 calls.
    assert server.get("/stats")["faults"].get("p429", 0) <= 180


def test_malformed_answers_give_their_whole_items_without_another_call(
    tmp_path: Path, server: LoopbackTeacher
) -> None:
    broken = {"ptrunc": 0.032, "pfence": 0.036, "pprose": 0.014, "pcomma": 0.013}
    bench = Bench(tmp_path / "once", server, 1000, 64, **broken)
    assert bench.run().returncode == 0
    stats = server.get("/stats")
    cut_off = stats["faults"]["ptrunc"]
    counts = bench.counts()

    assert stats["total"] == 1000
    assert counts["kept"] == 3000 - cut_off
    assert counts["reasons"] == {"parse: cut off at max_tokens": cut_off}

    again = Bench(tmp_path / "again", server, 1000, 64, **broken)
    assert again.run("generate.shortfall=ask_again").returncode == 0
    stats = server.get("/stats")
    assert again.counts()["kept"] >= 3000
    assert stats["total"] - 1000 <= stats["faults"]["ptrunc"]


def test_empty_answers_are_counted(tmp_path: Path, server: LoopbackTeacher) -> None:
    bench = Bench(tmp_path, server, 200, 32, pempty=0.1)
    assert bench.run().returncode == 0

    empty = server.get("/stats")["faults"]["pempty"]
    assert bench.counts()["reasons"] == {
        "parse: asked for and not in the answer": 2 * empty,
        "parse: empty answer": empty,
    }


def test_kill_9_at_ten_random_moments_pays_only_for_what_was_in_flight(
    tmp_path: Path, server: LoopbackTeacher
) -> None:
    undisturbed = Bench(tmp_path / "undisturbed", server, 1500, 32, latency=0.05)
    assert undisturbed.run().returncode == 0
    expected = (undisturbed.out / "examples.jsonl").read_bytes()

    bench = Bench(tmp_path / "killed", server, 1500, 32, latency=0.05)
    moments = random.Random(3)
    kills = 0
    for _ in range(10):
        process = start(*bench.arguments, cwd=bench.directory)
        try:
            process.wait(timeout=moments.uniform(0.4, 1.1))
            break
        except subprocess.TimeoutExpired:
            stop(process)
            kills += 1
    done = bench.run()

    assert done.returncode == 0, done.stderr
    assert kills >= 3
    assert (bench.out / "examples.jsonl").read_bytes() == expected
    assert bench.journaled() == 1500
    stats = server.get("/stats")
    assert stats["unique_paid"] == 1500
    assert stats["paid_again"] <= kills * 32


def test_ctrl_c_ends_within_two_seconds_and_keeps_every_answer(
    tmp_path: Path, server: LoopbackTeacher
) -> None:
    bench = Bench(tmp_path, server, 5000, 32, latency=0.1)
    process = start(*bench.arguments, cwd=bench.directory)
    try:
        deadline = time.monotonic() + 30
        while server.get("/stats")["paid"] < 100 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        assert process.wait(timeout=10) == 130
        took = time.monotonic() - asked
    finally:
        stop(process)

    assert took < 2.0
    stats = server.get("/stats")
    assert stats["paid"] - 32 <= bench.journaled() <= stats["paid"]

"""The same mixture to the byte from one process, from two, from Ray, and after a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from instil.mixing import mixture
from instil.stages.base import Context, Result
from instil.stages.mix import MIX, MixConfig
from instil.store.atomic import remove_leftovers

WORDS = tuple(f"word{number}" for number in range(20))


def write_sources(directory: Path, rows: int) -> list[dict[str, Any]]:
    """Write two sources of several files, with equal and nearly equal rows within and between them."""
    rng = random.Random(3)
    corpora = []
    for source in "ab":
        (directory / source).mkdir(parents=True)
        for number in range(4):
            lines = []
            for row in range(rows):
                answer = " ".join(rng.choices(WORDS, k=60))
                lines.append({"instruction": f"{source} {number} {row}", "output": answer})
                if row % 10 == 0:
                    lines.append(lines[-1])
                if row % 10 == 1:
                    lines.append({"instruction": f"{source} {number} {row}", "output": answer + " please"})
            lines += [{"instruction": f"shared {row}", "output": "the same everywhere"} for row in range(5)]
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (directory / source / f"{number}.jsonl").write_text(text + "broken\n")
        corpora.append({"kind": "files", "name": source, "path": directory / source, "weight": 1.0})
    return corpora


def mix(work: Path, corpora: list[dict[str, Any]], **options: Any) -> Result:
    config = MixConfig.model_validate(
        {
            "corpora": corpora,
            "near_duplicates": {"action": "remove"},
            "validation_fraction": 0.1,
            "output": "both",
            **options,
        }
    )
    if (work / "mix").exists():
        remove_leftovers(work / "mix")  # as the pipeline does before a stage goes on
    return MIX.run(config, Context(seed=1, work=work / "mix", inputs={}, shared=work))


def files(work: Path) -> dict[str, bytes]:
    """Return every file that the stage left behind."""
    return {
        path.relative_to(work).as_posix(): path.read_bytes()
        for path in sorted((work / "mix").rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def many_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few rows be many buckets and shards."""
    monkeypatch.setattr(mixture, "_BUCKET", 1 << 16)
    monkeypatch.setattr(mixture, "_SHARD", 1 << 16)


@pytest.mark.usefixtures("many_shards")
def test_one_process_two_and_ray_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: mix.cluster is not tested")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    corpora = write_sources(tmp_path / "data", 100)
    alone = mix(tmp_path / "alone", corpora, workers=1)
    two = mix(tmp_path / "two", corpora, workers=2)
    ray = mix(tmp_path / "ray", corpora, workers=2, cluster="local")
    expected = files(tmp_path / "alone")
    assert len([name for name in expected if name.startswith("mix/train/")]) > 4
    assert files(tmp_path / "two") == expected
    assert files(tmp_path / "ray") == expected
    assert alone == two == ray
    assert alone.counts.adds_up
    # 40 rows of each source stand twice, and five rows in all eight files; 40 are almost another.
    assert alone.counts.reasons["duplicate"] == 2 * 40 + 5 * 7
    assert alone.counts.reasons["near_duplicate: Jaccard similarity of 0.8 or more"] == 80
    assert alone.counts.failed == 8


@pytest.mark.usefixtures("many_shards")
def test_the_number_of_buckets_and_shards_changes_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpora = write_sources(tmp_path / "data", 50)
    many = mix(tmp_path / "many", corpora, output="jsonl")
    monkeypatch.setattr(mixture, "_BUCKET", 1 << 30)
    monkeypatch.setattr(mixture, "_SHARD", 1 << 30)
    one = mix(tmp_path / "one", corpora, output="jsonl")

    def side(work: str, name: str) -> bytes:
        return b"".join(
            path.read_bytes() for path in sorted((tmp_path / work / "mix" / name).glob("*.jsonl"))
        )

    for name in ("train", "validation"):
        assert side("many", name) == side("one", name)
    assert many == one


_SCRIPT = """
import sys
from pathlib import Path
from instil.mixing import mixture
from tests.stages.test_mix_scale import mix
mixture._BUCKET = mixture._SHARD = 1 << 16
work, data, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
corpora = [{"kind": "files", "name": name, "path": data / name, "weight": 1.0} for name in "ab"]
mix(work, corpora, workers=workers)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_mixture_that_was_killed_goes_on_and_ends_in_the_same_bytes(tmp_path: Path, workers: int) -> None:
    write_sources(tmp_path / "data", 400)
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path / "work"), str(tmp_path / "data"), str(workers)]
    undisturbed = [*command[:3], str(tmp_path / "undisturbed"), *command[4:]]
    started = time.monotonic()
    subprocess.run(undisturbed, check=True)
    took = time.monotonic() - started
    rng = random.Random(workers)
    for _ in range(4):
        process = subprocess.Popen(command, start_new_session=True)
        time.sleep(rng.uniform(0.3, 1.0) * took)
        finished = process.poll() is not None
        os.killpg(process.pid, signal.SIGKILL) if not finished else None
        process.wait()
        if finished:
            break
    read = list((tmp_path / "work" / ".work").rglob("done/read-*"))
    if not finished:
        before = {path: path.stat().st_mtime_ns for path in read}
        subprocess.run(command, check=True)
        assert all(path.stat().st_mtime_ns == time for path, time in before.items() if path.exists())
    assert files(tmp_path / "work") == files(tmp_path / "undisturbed")

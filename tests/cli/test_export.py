"""`instil export`, through the installed command."""

from __future__ import annotations

import json
from pathlib import Path

from tests.export.runs import example, mixed_run, rows
from tests.workspace import instil


def test_it_says_what_was_written_what_was_not_and_what_follows(tmp_path: Path) -> None:
    mixed_run(tmp_path, [*rows(6), example("a", "b", "c", "d")], rows(8)[6:])

    done = instil("export", "runs/clinic", "-o", "out", "--to", "prompt_completion", cwd=tmp_path)

    assert done.returncode == 0
    assert done.stdout.splitlines()[:5] == [
        "out/train.jsonl: 6 rows for train",
        "out/validation.jsonl: 2 rows for validation",
        "9 rows = 8 kept + 1 rejected + 0 failed",
        "                 1  prompt_completion holds one question and one answer",
        "each of them, and why: out.failures.jsonl",
    ]
    assert "alpaca: CC-BY-NC-4.0 forbids commercial use" in done.stdout
    assert "huatuo: 'a': prompt_completion holds one question and one answer" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "dataset_info.json",
        "recipe.yaml",
        "train.jsonl",
        "validation.jsonl",
    ]


def test_json_has_the_same_as_one_object(tmp_path: Path) -> None:
    mixed_run(tmp_path, rows(6))

    done = instil("export", "runs/clinic", "-o", "out", "--quiet", "--json", cwd=tmp_path)

    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["files"] == {"train": "out/train.jsonl"}
    assert (found["asked"], found["kept"], found["rejected"], found["failed"]) == (6, 6, 0, 0)
    assert found["failures"] is None


def test_a_wrong_request_ends_with_2_and_writes_nothing(tmp_path: Path) -> None:
    mixed_run(tmp_path, rows(3))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")

    for arguments in (("-o", "out", "--to", "gguf"), ("-o", "full")):
        done = instil("export", "runs/clinic", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
        assert "hint: " in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "runs"]

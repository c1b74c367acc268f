"""The whole road through the installed command, on recipes/smoke.yaml."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workspace import instil, smoke_workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the smoke recipe, shared by the tests of this file."""
    recipe = smoke_workspace(tmp_path_factory.mktemp("smoke"))
    done = instil("run", recipe.name, "--quiet", cwd=recipe.parent)
    assert done.returncode == 0, done.stderr
    return recipe.parent


def test_a_second_run_reuses_every_stage(workspace: Path) -> None:
    again = instil("run", "smoke.yaml", "--quiet", "--json", cwd=workspace)

    assert again.returncode == 0
    stages = json.loads(again.stdout)["stages"]
    assert [stage["action"] for stage in stages] == ["reuse"] * 6


def test_counts_of_every_stage_add_up(workspace: Path) -> None:
    shown = json.loads(instil("show", "runs/smoke", "--json", cwd=workspace).stdout)

    assert [link["stage"] for link in shown] == ["seeds", "generate", "curate", "mix", "train", "evaluate"]
    for link in shown:
        counts = link["counts"]
        assert counts["asked"] == counts["kept"] + counts["rejected"] + counts["failed"]
        assert sum(counts["reasons"].values()) == counts["rejected"] + counts["failed"]


def test_the_recipe_written_beside_the_results_repeats_the_run(workspace: Path) -> None:
    plan = instil("plan", "runs/smoke/recipe.yaml", "--json", cwd=workspace)

    assert [step["action"] for step in json.loads(plan.stdout)] == ["reuse"] * 6


def test_a_change_explains_what_it_rebuilds(workspace: Path, golden: Callable[[str, str], None]) -> None:
    plan = instil("plan", "smoke.yaml", "curate.filters.1.threshold=0.6", "train.num_epochs=5", cwd=workspace)

    golden("plan_after_change.txt", plan.stdout)


def test_a_filter_that_keeps_the_same_rows_rebuilds_nothing_after_it(workspace: Path) -> None:
    done = instil("run", "smoke.yaml", "curate.filters.0.max_words=199", "--quiet", "--json", cwd=workspace)
    back = instil("run", "smoke.yaml", "--quiet", "--json", cwd=workspace)

    for run in (done, back):
        actions = {stage["stage"]: stage["action"] for stage in json.loads(run.stdout)["stages"]}
        assert actions == {
            "seeds": "reuse",
            "generate": "reuse",
            "curate": "rebuild",
            "mix": "reuse",
            "train": "reuse",
            "evaluate": "reuse",
        }


def test_moving_the_workspace_makes_nothing_stale(workspace: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    workspace.rename(moved)
    try:
        plan = json.loads(instil("plan", "smoke.yaml", "--json", cwd=moved).stdout)
    finally:
        moved.rename(workspace)

    assert [step["action"] for step in plan] == ["reuse"] * 6


def test_verify_finds_a_file_that_was_edited_by_hand(workspace: Path) -> None:
    path = workspace / "runs" / "smoke" / "curate" / "kept.jsonl"
    original = path.read_bytes()
    assert instil("show", "runs/smoke", "--verify", cwd=workspace).returncode == 0
    try:
        path.write_bytes(original + b"{}\n")
        found = instil("show", "runs/smoke", "--verify", cwd=workspace)
    finally:
        path.write_bytes(original)

    assert found.returncode == 1
    assert "curate/kept.jsonl: changed since it was written" in found.stderr


def test_licences_of_the_sources_are_shown(workspace: Path) -> None:
    shown = json.loads(instil("show", "runs/smoke", "--licenses", "--json", cwd=workspace).stdout)

    assert shown == {"generated": None, "general": "Apache-2.0"}


def test_the_trained_model_is_better_than_chance_and_than_what_it_started_from(workspace: Path) -> None:
    scores = json.loads((workspace / "runs" / "smoke" / "evaluate" / "scores.json").read_text())
    bits = {row["subject"]: row["value"] for row in scores if row["metric"] == "bits per byte"}

    assert bits["tuned"] < bits["unigram"] < bits["base"]


def test_chat_works_in_a_pipe(workspace: Path) -> None:
    done = instil("chat", "runs/smoke", "--max-tokens", "8", cwd=workspace, stdin="Hello?\nAnd you?\n")

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2
    assert done.stderr == ""


def test_the_report_holds_scores_and_answers_and_no_markup_from_outside(workspace: Path) -> None:
    done = instil("report", "runs/smoke", cwd=workspace)

    assert done.returncode == 0, done.stderr
    page = (workspace / "runs" / "smoke" / "report.html").read_text(encoding="utf-8")
    assert "Did it help?" in page
    assert "Answers side by side" in page
    assert "A demonstration: random weights" in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_until_stops_after_a_stage(tmp_path: Path) -> None:
    recipe = smoke_workspace(tmp_path)

    done = instil("run", recipe.name, "--until", "curate", "--quiet", cwd=tmp_path)

    assert done.returncode == 0
    finished = {path.parent.name for path in (tmp_path / "runs" / "smoke").glob("*/manifest.json")}
    assert finished == {"seeds", "generate", "curate"}

"""From the last stage of a run back to its seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from instil.data.examples import Counts
from instil.errors import RequestError, StoreError
from instil.store.lineage import lineage, verify
from instil.store.manifest import MANIFEST, Manifest, record_files, write_manifest

ORDER = ("seeds", "generate", "mix")


def finish(run: Path, stage: str, content: str, *reads: str) -> None:
    """Write a finished stage that read others as they are now."""
    (run / stage).mkdir(parents=True, exist_ok=True)
    (run / stage / "rows.jsonl").write_text(content)
    found = {link.directory.name: link.manifest.digest for link in lineage(run, ORDER)} if reads else {}
    manifest = Manifest(
        stage=stage,
        identity={"stage": stage, "inputs": {name: found[name] for name in reads}},
        files=record_files(run / stage),
        counts=Counts(asked=1, kept=1),
        seconds=0.0,
        finished_at="2026-01-02T03:04:05+00:00",
        instil_version="0.1.0",
    )
    write_manifest(run / stage, manifest)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    finish(tmp_path / "run", "seeds", "s")
    finish(tmp_path / "run", "generate", "g", "seeds")
    finish(tmp_path / "run", "mix", "m", "generate")
    return tmp_path / "run"


def stale(run: Path) -> dict[str, tuple[str, ...]]:
    return {link.directory.name: link.stale for link in lineage(run, ORDER)}


def test_the_finished_stages_come_in_the_order_of_the_pipeline(run: Path) -> None:
    (run / "train").mkdir()
    links = lineage(run, (*ORDER, "train"))
    assert [link.directory for link in links] == [run / "seeds", run / "generate", run / "mix"]
    assert [link.manifest.stage for link in links] == ["seeds", "generate", "mix"]
    assert [link.directory.name for link in lineage(run, ("mix", "seeds"))] == ["mix", "seeds"]


def test_a_stage_is_stale_when_what_it_read_has_another_content_now(run: Path) -> None:
    assert stale(run) == {"seeds": (), "generate": (), "mix": ()}
    finish(run, "generate", "other", "seeds")
    assert stale(run) == {"seeds": (), "generate": (), "mix": ("generate",)}
    finish(run, "generate", "g", "seeds")
    assert stale(run) == {"seeds": (), "generate": (), "mix": ()}


def test_a_stage_is_stale_when_what_it_read_is_gone(run: Path) -> None:
    (run / "seeds" / MANIFEST).unlink()
    assert stale(run) == {"generate": ("seeds",), "mix": ()}


@pytest.mark.parametrize("name", ["nowhere", "empty", "file"])
def test_what_is_not_a_run_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match=f"{name}' is not a run: no finished stage in it"):
        lineage(tmp_path / name, ORDER)


def test_a_damaged_manifest_stops_the_walk(run: Path) -> None:
    (run / "generate" / MANIFEST).write_text("{")
    with pytest.raises(StoreError, match=r"generate/manifest\.json' is damaged"):
        lineage(run, ORDER)


def test_every_file_that_was_edited_by_hand_is_found(run: Path) -> None:
    assert verify(lineage(run, ORDER)) == []
    (run / "seeds" / "rows.jsonl").write_text("t")
    (run / "mix" / "notes.txt").touch()
    assert verify(lineage(run, ORDER)) == [
        "seeds/rows.jsonl: changed since it was written",
        "mix/notes.txt: not in the record",
    ]

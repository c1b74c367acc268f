"""A stage has its old result or its new one at every moment, and one process at a time works in a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from instil.errors import RunLocked, StoreError
from instil.store.manifest import IDENTITY, MANIFEST
from instil.store.run_dir import RunDir
from tests.disk import disk_full_after

ASKED = {"stage": "mix", "version": 1, "config": {"weight": 1.0}, "inputs": {"seeds": "ab"}}
LOCKER = """
import sys
from pathlib import Path
from instil.store.run_dir import RunDir
with RunDir(Path(sys.argv[1])).lock():
    print("locked", flush=True)
    sys.stdin.read()
"""


def fill(directory: Path, *names: str, content: str = "new") -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).write_text(content)


def tree(root: Path) -> dict[str, str]:
    """Return every file but the lock with its content; an empty directory as `name/`."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name != ".lock":
            found[name] = path.read_text()
        elif path.is_dir() and name != ".work" and not any(path.iterdir()):
            found[f"{name}/"] = ""
    return found


# --- work -------------------------------------------------------------------------------------


def test_work_that_was_begun_for_the_same_is_continued(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "runs" / "x")
    assert not run.continues("mix", ASKED)
    work = run.begin("mix", ASKED)
    fill(work, "half.jsonl")
    assert run.continues("mix", dict(reversed(ASKED.items())))
    assert run.begin("mix", ASKED) == work == run.work("mix")
    assert (work / "half.jsonl").read_text() == "new"


@pytest.mark.parametrize(
    "other",
    [
        {**ASKED, "version": 2},
        {**ASKED, "version": 1.0},
        {**ASKED, "version": True},
        {**ASKED, "config": {"weight": 1}},
        {**ASKED, "inputs": {}},
        {**ASKED, "new": None},
    ],
)
def test_work_that_was_begun_for_something_else_is_dropped(tmp_path: Path, other: Mapping[str, Any]) -> None:
    run = RunDir(tmp_path)
    fill(run.begin("mix", ASKED), "half.jsonl")
    assert not run.continues("mix", other)
    assert list(run.begin("mix", other).iterdir()) == [run.work("mix") / IDENTITY]
    assert run.continues("mix", other)


@pytest.mark.parametrize("identity", [None, b"", b'{"stage"', b"\xff", b"null"])
def test_work_whose_purpose_is_not_known_is_dropped(tmp_path: Path, identity: bytes | None) -> None:
    run = RunDir(tmp_path)
    fill(run.work("mix"), "half.jsonl")
    if identity is not None:
        (run.work("mix") / IDENTITY).write_bytes(identity)
    assert not run.continues("mix", ASKED)
    assert list(run.begin("mix", ASKED).iterdir()) == [run.work("mix") / IDENTITY]


def test_half_a_file_of_a_killed_process_is_removed_from_continued_work(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    work = run.begin("mix", ASKED)
    fill(work / "deep", ".scores.json.4242.tmp")
    fill(work, "half.jsonl", ".table.json.4242.tmp")
    run.begin("mix", ASKED)
    assert set(tree(work)) == {IDENTITY, "half.jsonl", "deep/"}


def test_work_beside_a_finished_stage_leaves_it_alone(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    fill(run.stage("mix"), MANIFEST, "train.jsonl", content="old")
    fill(run.begin("mix", ASKED), "train.jsonl")
    assert (run.stage("mix") / "train.jsonl").read_text() == "old"


@pytest.mark.parametrize("older", [True, False])
def test_finishing_replaces_the_whole_older_result(tmp_path: Path, older: bool) -> None:
    run = RunDir(tmp_path)
    if older:
        fill(run.stage("mix"), MANIFEST, "train.jsonl", "only-in-the-old.jsonl", content="old")
    fill(run.begin("mix", ASKED), MANIFEST, "train.jsonl")
    run.finish("mix")
    assert tree(tmp_path) == {f"mix/{MANIFEST}": "new", "mix/train.jsonl": "new"}
    assert not run.continues("mix", ASKED)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(StoreError, match=r"cannot create '.*/run/\.work/mix': Not a directory"):
        RunDir(tmp_path / "run").begin("mix", ASKED)
    with pytest.raises(StoreError, match=r"cannot write '.*/run': "), RunDir(tmp_path / "run").lock():
        pass


# --- crashes ----------------------------------------------------------------------------------

OLD, NEW = {"mix/manifest.json": "old", "mix/data": "old"}, {"mix/manifest.json": "new", "mix/data": "new"}
BEGUN = {".work/mix/.identity.json": "new", ".work/mix/data": "new"}
WRITTEN = {**BEGUN, ".work/mix/manifest.json": "new"}
RELEASED = {".work/mix/manifest.json": "new", ".work/mix/data": "new"}
ASIDE = {".work/mix.old/manifest.json": "old", ".work/mix.old/data": "old"}


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        pytest.param({**OLD, **BEGUN}, {**OLD, **BEGUN}, id="in the stage, over an older result"),
        pytest.param(BEGUN, BEGUN, id="in the stage"),
        pytest.param({**OLD, **WRITTEN}, NEW, id="after the manifest, over an older result"),
        pytest.param(WRITTEN, NEW, id="after the manifest"),
        pytest.param({**OLD, **RELEASED}, NEW, id="before the first rename, over an older result"),
        pytest.param(RELEASED, NEW, id="before the only rename"),
        pytest.param({**ASIDE, **RELEASED}, NEW, id="between the two renames"),
        pytest.param({**ASIDE, **NEW}, NEW, id="after the second rename"),
        pytest.param({".work/mix.old/data": "old", **NEW}, NEW, id="while the older result is removed"),
        pytest.param({**ASIDE, **BEGUN}, {**OLD, **BEGUN}, id="the older result is all there is"),
        pytest.param(NEW, NEW, id="after everything"),
    ],
)
def test_a_crash_anywhere_in_finishing_is_completed_by_the_next_process(
    tmp_path: Path, left: dict[str, str], expected: dict[str, str]
) -> None:
    for name, content in left.items():
        fill((tmp_path / name).parent, Path(name).name, content=content)
    for _ in range(2):  # doing it again changes nothing
        with RunDir(tmp_path).lock():
            assert tree(tmp_path) == expected


def test_recovery_looks_after_every_stage(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for name in ("seeds", "mix"):
        fill(run.work(name), MANIFEST)
        fill(run.work(f"{name}.old"), MANIFEST, content="old")
    fill(run.stage("train"), MANIFEST, content="old")
    run.recover()
    assert tree(tmp_path) == {f"{name}/{MANIFEST}": "new" for name in ("mix", "seeds")} | {
        f"train/{MANIFEST}": "old"
    }


def test_a_new_run_has_nothing_to_recover(tmp_path: Path) -> None:
    with RunDir(tmp_path / "runs" / "new").lock():
        assert [path.name for path in (tmp_path / "runs" / "new").iterdir()] == [".lock"]


# --- the lock ---------------------------------------------------------------------------------


def test_a_second_process_is_refused_with_the_process_id_of_the_first(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "x")
    holder = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(run.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(RunLocked) as caught, run.lock():
            pass
        assert str(caught.value) == f"process {holder.pid} is working in {str(run.root)!r}"
        assert caught.value.hint == "wait for it, stop it, or give this run another name: name=OTHER"
        with RunDir(tmp_path / "y").lock():
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        # A killed holder leaves its file and its process id, but no lock.
        with run.lock():
            assert (run.root / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_run_that_is_in_use_is_not_recovered_by_another(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with run.lock():
        fill(run.work("mix"), MANIFEST)
        with pytest.raises(RunLocked, match=f"process {os.getpid()} is working"), RunDir(tmp_path).lock():
            pass
        assert tree(tmp_path) == {f".work/mix/{MANIFEST}": "new"}


def test_an_error_in_the_block_lets_go_of_the_lock(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with pytest.raises(KeyError), run.lock():
        raise KeyError
    with run.lock():
        pass


def test_the_process_id_of_an_earlier_holder_is_overwritten_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("99999999999999\n")
    with RunDir(tmp_path).lock():
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_holder_that_has_not_written_its_process_id_yet_is_unknown(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with run.lock():
        (tmp_path / ".lock").write_text("")
        with pytest.raises(RunLocked, match="process unknown is working"), RunDir(tmp_path).lock():
            pass


def test_a_disk_without_room_for_the_lock_is_told_in_one_sentence(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "runs" / "a")

    with disk_full_after(0), pytest.raises(StoreError, match=r"cannot write .*\.lock"), run.lock():
        pass
    with run.lock():
        assert (run.root / ".lock").read_text().strip() == str(os.getpid())

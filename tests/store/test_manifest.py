"""The record of a stage: what was asked for, what came out, and whether it is still so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from instil.data.examples import Counts
from instil.errors import StoreError
from instil.store.manifest import (
    MANIFEST,
    FileRecord,
    Manifest,
    changed_files,
    read_manifest,
    record_files,
    write_manifest,
)

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of b"abc"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of b""

RECORDED = Manifest(
    stage="mix",
    identity={"stage": "mix", "version": 1, "config": {"weight": 1.0, "name": "一"}, "inputs": {}},
    files={"a": FileRecord(sha256=ABC, size=3), "deep/b": FileRecord(sha256=EMPTY, size=0)},
    counts=Counts(asked=3, kept=2, rejected=1, reasons={"duplicate": 1}),
    details={"train": 2},
    seconds=1.5,
    finished_at="2026-01-02T03:04:05+00:00",
    instil_version="0.1.0",
)


def stage_dir(root: Path) -> Path:
    (root / "deep").mkdir(parents=True)
    (root / "a").write_bytes(b"abc")
    (root / "deep" / "b").touch()
    return root


def test_a_manifest_reads_back_as_it_was_written(tmp_path: Path) -> None:
    write_manifest(tmp_path, RECORDED)
    assert read_manifest(tmp_path) == RECORDED
    committed = RECORDED.model_copy(update={"commit": "c0ffee"})
    write_manifest(tmp_path, committed)
    assert read_manifest(tmp_path) == committed
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_a_manifest_is_json_that_a_person_can_read(tmp_path: Path) -> None:
    write_manifest(tmp_path, RECORDED)
    lines = (tmp_path / MANIFEST).read_text(encoding="utf-8").split("\n")
    assert lines[:6] == [
        "{",
        '  "schema_version": 1,',
        '  "stage": "mix",',
        '  "identity": {',
        '    "stage": "mix",',
        '    "version": 1,',
    ]
    assert '      "name": "一"' in lines
    assert lines[-2:] == ["}", ""]


def test_a_stage_that_did_not_finish_has_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "none") is None
    assert read_manifest(tmp_path / "file") is None


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda text: text[: len(text) // 2], "damaged: Invalid JSON"),
        (lambda text: "", "damaged: Invalid JSON"),
        (
            lambda text: text.replace('"schema_version": 1', '"schema_version": 2'),
            "damaged: schema_version Input should be 1",
        ),
        (
            lambda text: text.replace('"size": 3', '"size": "three"'),
            r"damaged: files\.a\.size Input should be",
        ),
        (lambda text: text.replace('"seconds": 1.5,', ""), "damaged: seconds Field required"),
        (lambda text: text.replace('"seconds"', '"hours"'), "damaged: seconds Field required"),
        (
            lambda text: text.replace('"kept": 2', '"kept": -2'),
            r"damaged: counts\.kept Input should be greater",
        ),
    ],
)
def test_a_damaged_manifest_is_refused_with_a_way_out(tmp_path: Path, damage: Any, problem: str) -> None:
    write_manifest(tmp_path, RECORDED)
    (tmp_path / MANIFEST).write_text(damage((tmp_path / MANIFEST).read_text()))
    with pytest.raises(StoreError, match=problem) as caught:
        read_manifest(tmp_path)
    assert caught.value.hint == f"remove {str(tmp_path)!r} to have the stage run again"


def test_the_fingerprint_is_of_what_was_asked_and_the_digest_of_what_came_out() -> None:
    # printf '{"config":{"name":"一","weight":1.0},"inputs":{},"stage":"mix","version":1}' | sha256sum
    assert RECORDED.fingerprint == "c97aab7e1a47ccbf"
    # printf '{"a":"ba78…","deep/b":"e3b0…"}' | sha256sum
    assert RECORDED.digest == "db67d8750eb87abe"
    later = RECORDED.model_copy(update={"seconds": 9.0, "finished_at": "later", "commit": "c0ffee"})
    assert (later.fingerprint, later.digest) == (RECORDED.fingerprint, RECORDED.digest)
    asked = RECORDED.model_copy(update={"identity": {**RECORDED.identity, "version": 2}})
    assert (asked.fingerprint == RECORDED.fingerprint, asked.digest) == (False, RECORDED.digest)
    files = {"a": RECORDED.files["a"], "c": RECORDED.files["deep/b"]}
    renamed = RECORDED.model_copy(update={"files": files})
    assert (renamed.fingerprint, renamed.digest == RECORDED.digest) == (RECORDED.fingerprint, False)


def test_every_file_is_recorded_but_our_own_records_at_the_top(tmp_path: Path) -> None:
    stage_dir(tmp_path)
    for name in (MANIFEST, ".identity.json", f"deep/{MANIFEST}"):
        (tmp_path / name).write_bytes(b"abc")
    assert record_files(tmp_path) == {
        "a": FileRecord(sha256=ABC, size=3),
        "deep/b": FileRecord(sha256=EMPTY, size=0),
        f"deep/{MANIFEST}": FileRecord(sha256=ABC, size=3),
    }


def test_an_untouched_directory_has_no_changed_file(tmp_path: Path) -> None:
    write_manifest(stage_dir(tmp_path / "mix"), RECORDED)
    assert changed_files(tmp_path / "mix", RECORDED) == []


def test_every_file_that_is_not_as_recorded_is_told(tmp_path: Path) -> None:
    stage_dir(tmp_path)
    (tmp_path / "a").write_bytes(b"abd")
    (tmp_path / "deep" / "b").rename(tmp_path / "deep" / "c")
    assert changed_files(tmp_path, RECORDED) == [
        "a: changed since it was written",
        "deep/b: missing",
        "deep/c: not in the record",
    ]

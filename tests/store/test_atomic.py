"""A file is whole or absent, whatever goes wrong while it is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from instil.errors import StoreError
from instil.store.atomic import atomic_write, remove_leftovers
from tests.disk import disk_full_after

# No block is left in order, as after kill -9.
KILLED = """
import os, sys
from pathlib import Path
from instil.store.atomic import atomic_write
with atomic_write(Path(sys.argv[1])):
    os._exit(0)
"""


def write(path: Path, *parts: bytes) -> None:
    with atomic_write(path) as file:
        for part in parts:
            file.write(part)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_file_appears_when_the_block_ends_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    with atomic_write(path) as file:
        file.write(b"whole")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert names(tmp_path) == ["state.json"]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        with atomic_write(path) as file:
            file.write(b"the new one")
            file.flush()
            assert path.read_bytes() == b"old"
        assert reader.read() == b"old"
    assert path.read_bytes() == b"the new one"


@pytest.mark.parametrize("parts", [[b"x" * 5_000], [b"x"] * 5_000, [b"x" * 4_000, b"y" * 300_000]])
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, parts: list[bytes], old: bytes | None
) -> None:
    path = tmp_path / "state.json"
    if old is not None:
        path.write_bytes(old)
    with disk_full_after(4_096), pytest.raises(StoreError, match=r"state\.json': File too large") as caught:
        write(path, *parts)
    assert "make room" in str(caught.value.hint)
    assert names(tmp_path) == ([] if old is None else ["state.json"])
    assert old is None or path.read_bytes() == old


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_in_the_block_passes_through_and_leaves_nothing(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")

    def write_half() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)) as caught:
        write_half()
    assert caught.value is error
    assert names(tmp_path) == ["state.json"]
    assert path.read_bytes() == b"old"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot write '.*/none/x': No such file or directory"):
        write(tmp_path / "none" / "x", b"")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write '.*/file/x': Not a directory"):
        write(tmp_path / "file" / "x", b"")
    (tmp_path / "directory" / "full").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"cannot write '.*/directory': Is a directory"):
        write(tmp_path / "directory", b"")
    assert names(tmp_path) == ["directory", "file"]


def test_what_a_killed_writer_left_can_be_removed_and_nothing_else_goes(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "deep" / "scores.json")], check=True)
    for name in ("kept.tmp", ".hidden"):
        (tmp_path / name).touch()
    assert len(names(tmp_path / "deep")) == 1

    remove_leftovers(tmp_path)

    assert names(tmp_path / "deep") == []
    assert names(tmp_path) == [".hidden", "deep", "kept.tmp"]

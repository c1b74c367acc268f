"""The store of tokens: what was written is read, packed or not, and a damaged store is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.errors import StoreError
from instil.models.render import Rendered
from instil.models.token_store import HEADER, INPUT_IDS, TokenStore
from instil.models.token_writer import TokenWriter
from tests.disk import disk_full_after

LIMIT = 16


@st.composite
def _rows(draw: st.DrawFn) -> Rendered:
    mask = draw(st.lists(st.booleans(), min_size=1, max_size=LIMIT))
    ids = draw(st.lists(st.integers(0, 65_535), min_size=len(mask), max_size=len(mask)))
    return Rendered(tuple(ids), tuple(mask))


def _write(
    directory: Path, rows: Sequence[Rendered], *, vocabulary: int = 65_536, seed: int = 1, **notes: Any
) -> TokenStore:
    writer = TokenWriter(directory, vocabulary=vocabulary, max_seq_length=LIMIT, fingerprint="abc", seed=seed)
    with writer:
        for number, row in enumerate(rows):
            writer.append(row, number // 2)
        return writer.finish(notes)


def _learned(row: Rendered) -> list[bool]:
    """Return a row's mask without its first token, which nothing comes before."""
    return [False, *row.mask[1:]]


@given(rows=st.lists(_rows(), max_size=12), vocabulary=st.sampled_from((65_536, 65_537)))
def test_documents_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Rendered], vocabulary: int
) -> None:
    store = _write(tmp_path_factory.mktemp("store") / "tokens", rows, vocabulary=vocabulary)

    assert [tuple(each.input_ids.tolist()) for each in store] == [row.input_ids for row in rows]
    assert [each.mask.tolist() for each in store] == [_learned(row) for row in rows]
    assert store.lengths == [len(row.input_ids) for row in rows]
    assert store.sources.tolist() == [number // 2 for number in range(len(rows))]
    assert store.header.tokens == sum(len(row.input_ids) for row in rows)
    assert store.header.supervised == sum(sum(_learned(row)) for row in rows)
    assert {each.input_ids.dtype.name for each in store} <= {store.header.dtype}
    assert store.header.dtype == ("uint16" if vocabulary == 65_536 else "uint32")


@given(rows=st.lists(_rows(), max_size=12))
def test_every_token_of_every_document_is_in_one_packed_row_within_its_borders(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Rendered]
) -> None:
    store = _write(tmp_path_factory.mktemp("store") / "tokens", rows)

    found = []
    for packed in store.rows:
        assert 0 < len(packed.input_ids) <= LIMIT
        assert packed.borders[0] == 0
        assert packed.borders[-1] == len(packed.input_ids)
        for first, last in zip(packed.borders[:-1], packed.borders[1:], strict=True):
            ids, mask = packed.input_ids[first:last], packed.mask[first:last]
            assert packed.position_ids[first:last].tolist() == list(range(last - first))
            found.append((ids.tolist(), mask.tolist()))
    assert sorted(found) == sorted(([*row.input_ids], _learned(row)) for row in rows)
    assert len(store.rows) == store.header.rows


def _some_rows() -> list[Rendered]:
    return [Rendered(tuple(range(size)), (False, *[True] * (size - 1))) for size in (3, 9, 16, 5, 1, 7)]


def test_rows_are_views_of_the_mapped_file(tmp_path: Path) -> None:
    store = _write(tmp_path / "tokens", _some_rows())
    mapped = store.rows[0].input_ids.base

    for each in (*store, *store.rows):
        assert each.input_ids.base is mapped
        assert not each.input_ids.flags.writeable
    while isinstance(mapped, np.ndarray):
        assert mapped.base is not None
        mapped = mapped.base
    assert type(mapped).__name__ == "mmap"


def test_rows_and_documents_are_sequences(tmp_path: Path) -> None:
    store = _write(tmp_path / "tokens", _some_rows())

    for sequence in (store, store.rows):
        assert sequence[-1].input_ids.tolist() == sequence[len(sequence) - 1].input_ids.tolist()
        assert len(sequence[1:3]) == 2
        with pytest.raises(IndexError):
            sequence[len(sequence)]
        with pytest.raises(IndexError):
            sequence[-len(sequence) - 1]


def test_the_same_rows_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        _write(tmp_path / name, _some_rows() * 20, seed=seed)
    content = {
        name: {file.name: file.read_bytes() for file in sorted((tmp_path / name).iterdir())}
        for name in ("one", "two", "three")
    }

    assert content["one"] == content["two"]
    assert content["one"] != content["three"]


def test_what_the_writer_noted_is_told_again(tmp_path: Path) -> None:
    _write(tmp_path / "tokens", _some_rows(), left_out=3)

    header = TokenStore(tmp_path / "tokens").header

    assert header.notes == {"left_out": 3}
    assert header.fingerprint == "abc"
    assert header.max_seq_length == LIMIT


@given(data=st.data())
@settings(max_examples=100)
def test_a_store_cut_anywhere_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("store") / "tokens"
    _write(directory, _some_rows())
    file = data.draw(st.sampled_from(sorted(directory.iterdir())))
    size = data.draw(st.integers(-1, file.stat().st_size - 1))
    if size < 0:
        file.unlink()
    else:
        os.truncate(file, size)

    with pytest.raises(StoreError, match="is no whole store of tokens"):
        TokenStore(directory)


@pytest.mark.parametrize("content", [b"[]", b'{"version": 2}', b"\xff"])
def test_a_header_that_is_not_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    _write(tmp_path / "tokens", _some_rows())
    (tmp_path / "tokens" / HEADER).write_bytes(content)

    with pytest.raises(StoreError, match="no readable header"):
        TokenStore(tmp_path / "tokens")


def test_a_file_with_other_content_than_an_array_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "tokens", _some_rows())
    file = tmp_path / "tokens" / INPUT_IDS
    file.write_bytes(b"x" * file.stat().st_size)

    with pytest.raises(StoreError, match="is no whole store of tokens"):
        TokenStore(tmp_path / "tokens")


def test_a_writer_that_is_stopped_leaves_the_older_store(tmp_path: Path) -> None:
    _write(tmp_path / "tokens", _some_rows())

    class Stops(list[Rendered]):
        def __iter__(self) -> Iterator[Rendered]:
            yield _some_rows()[0]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path / "tokens", Stops())

    assert len(TokenStore(tmp_path / "tokens")) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]


WRITES = """
import sys
from pathlib import Path
from instil.models.render import Rendered
from instil.models.token_writer import TokenWriter
rows = [Rendered(tuple(range(size)), (False, *[True] * (size - 1))) for size in (3, 9, 16, 5, 1, 7)]
for turn in range(100_000):
    writer = TokenWriter(Path(sys.argv[1]), vocabulary=99, max_seq_length=16, fingerprint=str(turn), seed=1)
    with writer:
        for number, row in enumerate(rows * 200):
            writer.append(row, number)
        writer.finish({})
    print(turn, flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_whole_store_or_none(tmp_path: Path) -> None:
    directory = tmp_path / "tokens"
    for wait in (0.0, 0.004, 0.011, 0.019):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITES, str(directory)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()

        if directory.exists():
            store = TokenStore(directory)
            assert sum(len(row.input_ids) for row in store.rows) == store.header.tokens == 200 * 41
        # What it left beside is taken away by the next writer.
        assert len(_write(directory, _some_rows())) == 6
        assert [path.name for path in tmp_path.iterdir()] == ["tokens"]


@pytest.mark.parametrize("size", [0, 3000, 9000])
def test_a_full_disk_is_told_and_the_older_store_stays(tmp_path: Path, size: int) -> None:
    _write(tmp_path / "tokens", _some_rows())

    with disk_full_after(size), pytest.raises(StoreError, match="cannot write"):
        _write(tmp_path / "tokens", _some_rows() * 200)

    assert len(TokenStore(tmp_path / "tokens")) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["tokens"]

"""The last step: a true shuffle of what is drawn, in shards that are the same in both formats."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.corpora.base import Row
from instil.data.examples import Example, Label, Origin
from instil.data.shards import INDEX, read_rows
from instil.errors import StoreError
from instil.mixing.index import read_index
from instil.mixing.unique import Unique
from instil.mixing.writing import Ordering, OutputFormat, Shard, order_rows, write_shard
from tests.disk import disk_full_after
from tests.mixing.rows import row, unique_of

ORIGINS = (
    Origin(kind="corpus", name="a", license="MIT"),
    Origin(kind="corpus", name="b"),
    Origin(kind="corpus", name="c", license="CC0-1.0"),
)


def write(
    directory: Path,
    uniques: Sequence[Unique],
    copies: dict[int, int],
    held: frozenset[int] = frozenset(),
    *,
    seed: int = 1,
    shards: tuple[int, int] = (2, 1),
    kind: OutputFormat = "parquet",
) -> tuple[Path, Path]:
    """Write the rows whose ids have copies, and return the directories of both sides."""
    index = read_index([each.file("index") for each in uniques])
    often = np.array([copies.get(key, 0) for key in index.id.tolist()], np.uint16)
    sides = np.array([key in held for key in index.id.tolist()], bool)
    directory.mkdir()
    start, inputs = 0, []
    for each, rows in zip(uniques, index.buckets, strict=True):
        chosen, output = (directory / f"{name}-{each.number}" for name in ("chosen.npz", "ordered.arrow"))
        with chosen.open("wb") as file:
            np.savez(file, copies=often[start : start + rows], held_out=sides[start : start + rows])
        start += rows
        order_rows(Ordering(each.file("rows"), chosen, seed, *shards, output))
        inputs.append(output)
    found = directory / "train", directory / "validation"
    numbers = iter(range(sum(shards)))
    for side, count in zip(found, shards, strict=True):
        side.mkdir()
        entries = [
            write_shard(Shard(tuple(inputs), number, sum(shards), ORIGINS, kind, side / f"{place:05}.{kind}"))
            for place, number in zip(range(count), numbers, strict=False)
        ]
        for entry in entries:
            data = (side / entry["file"]).read_bytes()
            assert entry["bytes"] == len(data)
            assert entry["sha256"] == hashlib.sha256(data).hexdigest()
        (side / INDEX).write_bytes(orjson.dumps({"rows": 0, "shards": entries}))
    return found


def ids(side: Path) -> list[int]:
    return [int(Example.model_validate(each).id, 16) for each in read_rows(side)]


def indexed(uniques: Sequence[Unique]) -> npt.NDArray[np.uint64]:
    return read_index([each.file("index") for each in uniques]).id


@pytest.fixture
def uniques(tmp_path: Path) -> list[Unique]:
    return unique_of(tmp_path, [(0, [row(f"q {number}") for number in range(200)])], 4)


_label = Label(task="classification", template="t", value="1", answer="yes", choices=("yes", "no"))
_rows = st.builds(
    row,
    st.text(max_size=6) | st.sampled_from(["你好🙂", "\x00", 'a "quote"\n']),
    st.text(min_size=1, max_size=6),
    label=st.none() | st.just(_label),
    scores=st.none() | st.just({"judge": 4.5}),
    similar=st.none() | st.just({"another": 0.25}),
    origin=st.none()
    | st.just(Origin(kind="teacher", name="teacher-1", parents=("x",), attributes={"language": "zh"})),
)


@settings(max_examples=25)
@given(parts=st.lists(st.tuples(st.integers(0, 2), st.lists(_rows, max_size=6)), min_size=1, max_size=3))
def test_parquet_and_json_lines_hold_the_same_rows_with_all_that_they_say(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[int, list[Row]]]
) -> None:
    directory = tmp_path_factory.mktemp("writing")
    uniques = unique_of(directory, parts, 2)
    copies = dict.fromkeys(indexed(uniques).tolist(), 1)
    parquet = list(read_rows(write(directory / "parquet", uniques, copies)[0]))
    lines = list(read_rows(write(directory / "jsonl", uniques, copies, kind="jsonl")[0]))
    assert parquet == lines
    found = [Example.model_validate(each) for each in parquet]
    assert sorted(int(each.id, 16) for each in found) == sorted(copies)
    said = {
        (ORIGINS[source].name, each.turns, each.origin is not None) for source, rows in parts for each in rows
    }
    for each in found:
        turns = tuple((message.role, message.content) for message in each.messages)
        name = each.origin.name
        if each.origin.kind == "teacher":
            assert (name, each.origin.parents, dict(each.origin.attributes)) == (
                "teacher-1",
                ("x",),
                {"language": "zh"},
            )
            assert any((other.name, turns, True) in said for other in ORIGINS)
        else:
            assert (name, turns, False) in said
            assert each.origin.license == {origin.name: origin.license for origin in ORIGINS}[name]
        assert each.label in (None, _label)


def test_rows_are_repeated_for_training_and_count_once_where_they_are_held_out(
    tmp_path: Path, uniques: list[Unique]
) -> None:
    drawn = indexed(uniques)[:60].tolist()
    copies = {key: place % 4 for place, key in enumerate(drawn)}
    held = frozenset(drawn[40:])
    train, validation = write(tmp_path / "out", uniques, copies, held)
    assert Counter(ids(train)) == {key: count for key, count in copies.items() if count and key not in held}
    assert Counter(ids(validation)) == {key: 1 for key, count in copies.items() if count and key in held}


def test_the_order_is_a_shuffle_that_the_seed_and_the_content_decide(
    tmp_path: Path, uniques: list[Unique]
) -> None:
    copies = dict.fromkeys(indexed(uniques).tolist(), 1)
    plain, again, other = (
        ids(write(tmp_path / name, uniques, copies, seed=seed)[0])
        for name, seed in (("plain", 1), ("again", 1), ("other", 2))
    )
    assert plain == again != other
    assert sorted(plain) == sorted(other) == sorted(copies)
    # Neither in the order of the ids nor in that of the rows in their file: no correlation with either.
    for order in (plain, other):
        ranks = np.argsort(np.argsort(np.array(order, np.uint64)))
        assert abs(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]) < 0.2
    # Another epoch has another order.
    twice = ids(write(tmp_path / "twice", uniques, dict.fromkeys(copies, 2), shards=(1, 1))[0])
    first, second = (
        [key for place, key in enumerate(twice) if (key in twice[:place]) == again] for again in (False, True)
    )
    assert sorted(first) == sorted(second)
    assert first != second


def test_the_order_does_not_depend_on_buckets_and_hardly_on_the_number_of_shards(
    tmp_path: Path, uniques: list[Unique]
) -> None:
    copies = dict.fromkeys(indexed(uniques).tolist(), 1)
    more = unique_of(tmp_path / "more", [(0, [row(f"q {number}") for number in reversed(range(200))])], 16)
    orders = [
        ids(write(tmp_path / f"{len(some)}-{shards}", some, copies, shards=(shards, 1))[0])
        for some in (uniques, more)
        for shards in (1, 3, 8)
    ]
    # Shards are intervals of one order.
    assert all(order == orders[0] for order in orders)


def test_the_bytes_of_a_shard_are_the_same_every_time(tmp_path: Path, uniques: list[Unique]) -> None:
    copies = dict.fromkeys(indexed(uniques).tolist(), 2)
    kinds: tuple[OutputFormat, ...] = ("parquet", "jsonl")
    for kind in kinds:
        sides = [write(tmp_path / f"{kind}-{name}", uniques, copies, kind=kind) for name in ("one", "other")]
        one, other = (
            [path.read_bytes() for side in both for path in sorted(side.iterdir())] for both in sides
        )
        assert one == other


def test_the_columns_are_what_other_tools_read(tmp_path: Path, uniques: list[Unique]) -> None:
    copies = dict.fromkeys(indexed(uniques)[:3].tolist(), 1)
    train, validation = write(tmp_path / "out", uniques, copies, shards=(1, 1))
    table = pq.read_table(train / "00000.parquet")
    assert table.column_names == ["messages", "origin", "details"]
    first: dict[str, Any] = table.to_pylist()[0]
    assert [each["role"] for each in first["messages"]] == ["user", "assistant"]
    assert first["origin"] == {"kind": "corpus", "name": "a", "license": "MIT"}
    assert first["details"] is None
    # A side without rows is a shard without rows, with the same columns.
    assert pq.read_table(validation / "00000.parquet").schema == table.schema


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_full_disk_is_a_clear_error_and_leaves_no_shard(
    tmp_path: Path, uniques: list[Unique], kind: OutputFormat
) -> None:
    copies = dict.fromkeys(indexed(uniques).tolist(), 1)
    write(tmp_path / "out", uniques, copies, shards=(1, 1))
    inputs = tuple(tmp_path / "out" / f"ordered.arrow-{each.number}" for each in uniques)
    (tmp_path / "full").mkdir()
    job = Shard(inputs, 0, 2, ORIGINS, kind, tmp_path / "full" / f"00000.{kind}")
    with disk_full_after(500), pytest.raises(StoreError, match=r"cannot write '.*00000\..*'"):
        write_shard(job)
    assert list((tmp_path / "full").iterdir()) == []

"""The different rows of a bucket: which of equal ones stays, what is listed, what the index says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.corpora.base import Row
from instil.data.examples import Example, Origin
from instil.data.jsonl import read_jsonl
from instil.data.messages import Message, Turn
from instil.mixing.index import read_index
from instil.mixing.rows import conversation_id
from instil.mixing.unique import Unique, keep_different
from tests.mixing.rows import kept, row, unique_of, write_parts

_rows = st.builds(
    row,
    st.integers(0, 9).map(lambda number: f"question {number}"),
    st.integers(0, 1).map(lambda number: f"answer {number}"),
    scores=st.none() | st.integers(0, 2).map(lambda number: {"score": number / 2}),
    group=st.none() | st.sampled_from(["one dialogue", "another"]),
)
_parts = st.lists(st.tuples(st.integers(0, 2), st.lists(_rows, max_size=8)), min_size=1, max_size=4)


@settings(max_examples=25)
@given(parts=_parts, data=st.data(), buckets=st.sampled_from([1, 2, 8]))
def test_what_is_kept_depends_neither_on_the_order_of_rows_and_parts_nor_on_the_number_of_buckets(
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[tuple[int, list[Row]]],
    data: st.DataObject,
    buckets: int,
) -> None:
    directory = tmp_path_factory.mktemp("unique")
    plain = kept(unique_of(directory / "plain", parts, 4))
    turned = [
        (source, data.draw(st.permutations(rows))) for source, rows in data.draw(st.permutations(parts))
    ]
    assert kept(unique_of(directory / "turned", turned, buckets)) == plain
    assert [each["id"] for each in plain] == sorted(
        {conversation_id(row.turns) for _, rows in parts for row in rows}
    )


@given(parts=_parts)
def test_every_row_is_kept_or_counted_and_listed_as_a_duplicate(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[int, list[Row]]]
) -> None:
    directory = tmp_path_factory.mktemp("unique")
    (unique,) = unique_of(directory, parts, 1)
    result = keep_different(unique)
    rows = kept([unique])
    assert result["kept"] == len(rows)
    read = Counter("abc"[source] for source, rows in parts for _ in rows)
    stayed = Counter("abc"[each["source"]] for each in rows)
    assert Counter(result["duplicates"]) == read - stayed
    listed = [each for _, each in read_jsonl(unique.file("duplicates"))]
    assert Counter(each["source"] for each in listed) == read - stayed
    keepers = {f"{each['id']:016x}": "abc"[each["source"]] for each in rows}
    assert all(keepers[each["id"]] == each["kept"] for each in listed)
    counts = {reason: found["count"] for step in result["steps"].values() for reason, found in step.items()}
    assert sum(counts.values()) == len(listed)


def test_of_equal_conversations_the_first_source_keeps_its_row_and_of_one_source_the_first_by_its_fields(
    tmp_path: Path,
) -> None:
    def said(name: str) -> Origin:
        return Origin(kind="teacher", name=name)

    parts = [
        (2, [row("q", origin=said("teacher-0")), row("only c", origin=said("teacher-9"))]),
        (1, [row("q", origin=said("teacher-2")), row("q", origin=said("teacher-1"), group="z"), row("q2")]),
        (1, [row("q", origin=said("teacher-1"), group="y"), row("q2", origin=said("teacher-1"))]),
    ]
    rows = {each["turns"][0]["content"]: each for each in kept(unique_of(tmp_path, parts))}
    assert {question: each["source"] for question, each in rows.items()} == {"q": 1, "q2": 1, "only c": 2}
    assert '"teacher-1"' in rows["q"]["about"]
    # Saying nothing comes before saying anything.
    assert rows["q2"]["about"] is None
    twins = [each for _, part in parts for each in part if each.group in ("y", "z")]
    alone = [kept(unique_of(tmp_path / str(each.group), [(1, [each])]))[0]["group"] for each in twins]
    assert rows["q"]["group"] == min(alone)


def test_the_id_of_a_row_is_that_of_its_example(tmp_path: Path) -> None:
    turns: tuple[Turn, ...] = (("system", "Be brief."), ("user", "你好"), ("assistant", "您好🙂"))
    (found,) = kept(unique_of(tmp_path, [(0, [Row(turns)])], 1))
    messages = tuple(Message(role=role, content=content) for role, content in turns)
    example = Example(messages=messages, origin=Origin(kind="corpus", name="c"))
    assert f"{found['id']:016x}" == example.id
    assert found["size"] == sum(len(content) for _, content in turns)


def test_the_index_has_the_rows_of_all_buckets_in_their_order(tmp_path: Path) -> None:
    rows = [row(f"question {number}", "x" * number) for number in range(20)]
    uniques = unique_of(tmp_path, [(1, rows)], 4)
    found = kept(uniques)
    index = read_index([each.file("index") for each in uniques])
    assert index.id.tolist() == [each["id"] for each in found]
    assert index.size.tolist() == [each["size"] for each in found]
    assert set(index.source.tolist()) == {1}
    assert sum(index.buckets) == len(index) == 20


def test_a_bucket_without_rows_is_no_trouble(tmp_path: Path) -> None:
    unique = Unique(write_parts(tmp_path, [(0, [])], 1), 0, 1, ("a",), None, tmp_path)
    assert keep_different(unique) == {"kept": 0, "duplicates": {}, "steps": {}}
    assert kept([unique]) == []
    index = read_index([unique.file("index")])
    assert len(index) == 0
    assert index.id.dtype == np.uint64

"""Rows of strings are read as Arrow holds them, whatever was cut off, left out or joined before."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.shingles import Texts, texts

_strings = st.text(max_size=6).filter(lambda text: text.isprintable())
_rows = st.lists(st.none() | st.lists(st.none() | _strings, max_size=3), max_size=6)
_messages = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def said(found: Texts) -> list[list[str]]:
    return [
        [found.string(each) for each in range(found.rows[row], found.rows[row + 1])]
        for row in range(found.row_count)
    ]


def plain(rows: list[list[str | None] | None]) -> list[list[str]]:
    return [[text or "" for text in row or []] for row in rows]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
@pytest.mark.parametrize("list_of", [pa.list_, pa.large_list])
@settings(max_examples=20)
@given(rows=_rows, data=st.data())
def test_lists_of_strings_are_their_rows_also_of_a_slice(
    kind: pa.DataType, list_of: Any, rows: list[list[str | None] | None], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(rows)))
    end = data.draw(st.integers(start, len(rows)))
    array = pa.array(rows, list_of(kind))
    assert said(texts(array)) == plain(rows)
    assert said(texts(array.slice(start, end - start))) == plain(rows[start:end])


@given(rows=_rows, start=st.integers(0, 6))
def test_messages_are_rows_of_what_is_said(rows: list[list[str | None] | None], start: int) -> None:
    value = [row if row is None else [{"role": "user", "content": text} for text in row] for row in rows]
    array = pa.array(value, _messages)
    assert said(texts(array)) == plain(rows)
    assert said(texts(array.slice(start))) == plain(rows[start:])
    roles = [["user" for _ in row or []] for row in rows]
    assert said(texts(array, "role")) == roles


def test_a_message_that_is_null_is_an_empty_string_whatever_it_hides() -> None:
    struct = pa.StructArray.from_arrays(
        [pa.array(["hidden", "seen"])], names=["content"], mask=pa.array([True, False])
    )
    assert said(texts(pa.ListArray.from_arrays([0, 2], struct))) == [["", "seen"]]


def test_a_row_that_is_null_has_no_strings_whatever_it_hides() -> None:
    array = pa.ListArray.from_arrays(
        pa.array([0, 2, 3], pa.int32()), pa.array(["hidden", "too", "seen"]), mask=pa.array([True, False])
    )
    assert said(texts(array)) == [[], ["seen"]]


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["zero", "one", None, "three"]).slice(1),
        pa.array(["zero", "one", None, "three"], pa.large_string()).slice(1),
        pa.array(["one", None, "three"]).dictionary_encode(),
        pa.chunked_array([["one"], [None, "three"]]),
    ],
)
def test_an_array_of_strings_has_a_string_in_each_row(array: pa.Array) -> None:
    assert said(texts(array)) == [["one"], [""], ["three"]]


def test_nothing_at_all_has_no_rows() -> None:
    empty = (pa.array([], pa.string()), pa.array([], pa.list_(pa.string())), pa.array([], pa.null()))
    assert [said(texts(array)) for array in empty] == [[], [], []]
    assert said(Texts.of([])) == []
    assert said(texts(pa.array([None, None], pa.null()))) == [[""], [""]]


def test_the_text_is_not_copied() -> None:
    array = pa.array([["some text"], ["more"]])
    found = texts(array.slice(1))
    assert found.data.address == array.values.buffers()[2].address
    assert np.shares_memory(found.ends, texts(array).ends)


@given(rows=st.lists(st.lists(st.text(st.characters()), max_size=3), max_size=4))
def test_pythons_strings_come_back_and_survive_a_pickle(rows: list[list[str]]) -> None:
    assert said(Texts.of(rows)) == rows
    assert said(pickle.loads(pickle.dumps(Texts.of(rows)))) == rows


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            pa.array([1, 2]),
            "texts must be strings, lists of strings or lists of structs with text, not int64",
        ),
        (pa.array([[1]]), "not int64"),
        (pa.array([[{"role": "user"}]]), "the structs have no field 'content'"),
    ],
)
def test_what_is_no_text_is_refused(array: pa.Array, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        texts(array)

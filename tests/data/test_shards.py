"""Shards of rows: the same rows from Parquet and from JSON Lines, and clear errors where one is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.data.examples import Evidence, Example, Label, Origin
from instil.data.jsonl import write_jsonl
from instil.data.messages import Message
from instil.data.shards import INDEX, join_row, read_index, read_rows, split_row
from instil.errors import StoreError

_text = st.text(max_size=12) | st.sampled_from(["", "你好🙂", "a\nb", "\x00", '"', "null"])
_some = st.text(min_size=1, max_size=8)
_numbers = st.dictionaries(_some, st.floats(allow_nan=False, allow_infinity=False), max_size=2)
_names = st.lists(_some, max_size=2).map(tuple)
_optional = st.none() | _some
_evidence = st.builds(Evidence, document=_text, place=_text, text=_text, quote=st.none() | _text)
_origins = st.builds(
    Origin,
    kind=st.sampled_from(["seed", "teacher", "corpus"]),
    name=_text,
    license=st.none() | _text,
    parents=_names,
    task=_optional,
    entities=_names,
    about=_names,
    attributes=st.dictionaries(_some, _text, max_size=2),
    method=_optional,
    request=st.none() | _text,
    evidence=st.none() | _evidence,
)
_labels = st.builds(Label, task=_text, template=_text, value=_text, answer=_text, choices=_names)
_messages = st.builds(Message, role=st.sampled_from(["system", "user", "assistant", "tool"]), content=_text)
examples = st.builds(
    Example,
    messages=st.lists(_messages, min_size=1, max_size=4).map(tuple),
    origin=_origins,
    scores=_numbers,
    similar=_numbers,
    label=st.none() | _labels,
)


@given(example=examples)
def test_what_is_split_for_columns_is_joined_to_an_equal_example(example: Example) -> None:
    row = example.row()
    origin, details = split_row(row)
    assert list(origin) == ["kind", "name", "license"]
    text = None if details is None else details.decode()
    joined = join_row(row["messages"], origin, text)
    assert Example.model_validate(joined) == example
    # Taking it apart again gives the same columns.
    assert split_row(joined) == (origin, details)


def test_a_row_of_a_plain_corpus_needs_no_details() -> None:
    turns = (Message(role="user", content="q"), Message(role="assistant", content="a"))
    row = Example(messages=turns, origin=Origin(kind="corpus", name="c", license="MIT")).row()
    assert split_row(row) == ({"kind": "corpus", "name": "c", "license": "MIT"}, None)


def write_shards(directory: Path, kind: str, shards: Sequence[Sequence[Example]]) -> Path:
    """Write examples as the mixture does."""
    directory.mkdir()
    entries = []
    for number, shard in enumerate(shards):
        path = directory / f"{number:05}.{kind}"
        columns: list[dict[str, Any]] = []
        for example in shard:
            row = example.row()
            origin, details = split_row(row)
            text = None if details is None else details.decode()
            columns.append({"messages": row["messages"], "origin": origin, "details": text})
        if kind == "parquet":
            turn = pa.struct([("role", pa.string()), ("content", pa.string())])
            origin_type = pa.struct([(name, pa.string()) for name in ("kind", "name", "license")])
            schema = pa.schema(
                [("messages", pa.list_(turn)), ("origin", origin_type), ("details", pa.string())]
            )
            pq.write_table(pa.Table.from_pylist(columns, schema=schema), path)
        else:
            write_jsonl(path, (join_row(**each) for each in columns))
        entries.append({"file": path.name, "rows": len(shard), "bytes": path.stat().st_size, "sha256": ""})
    index = {"version": 1, "rows": sum(map(len, shards)), "shards": entries}
    (directory / INDEX).write_bytes(orjson.dumps(index))
    return directory


@settings(max_examples=25)
@given(shards=st.lists(st.lists(examples, max_size=3), max_size=3))
def test_parquet_and_json_lines_give_equal_rows_in_the_order_of_the_shards(
    tmp_path_factory: pytest.TempPathFactory, shards: list[list[Example]]
) -> None:
    directory = tmp_path_factory.mktemp("shards")
    found = [list(read_rows(write_shards(directory / kind, kind, shards))) for kind in ("parquet", "jsonl")]
    assert found[0] == found[1]
    assert [Example.model_validate(row) for row in found[0]] == [each for shard in shards for each in shard]


def test_a_file_of_json_lines_is_read_and_a_missing_one_has_no_rows(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "rows.jsonl", [{"a": 1}, {"a": 2}])
    assert list(read_rows(tmp_path / "rows.jsonl")) == [{"a": 1}, {"a": 2}]
    assert list(read_rows(tmp_path / "missing.jsonl")) == []


@pytest.fixture(params=["parquet", "jsonl"])
def directory(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    def example(number: int) -> Example:
        turns = (Message(role="user", content=f"q {number}"), Message(role="assistant", content="a" * 200))
        return Example(messages=turns, origin=Origin(kind="corpus", name="c"))

    return write_shards(
        tmp_path / "train", request.param, [[example(n) for n in range(50)] for _ in range(2)]
    )


def refused(directory: Path) -> str:
    """Return why the rows of a directory cannot be read."""
    with pytest.raises(StoreError) as caught:
        list(read_rows(directory))
    assert caught.value.hint == "remove the stage's directory and run again"
    lead = f"the rows in {str(directory)!r} cannot be read: "
    assert str(caught.value).startswith(lead)
    return str(caught.value).removeprefix(lead)


def test_a_missing_shard_is_named(directory: Path) -> None:
    shard = sorted(directory.glob("00001.*"))[0]
    shard.unlink()
    assert refused(directory) == f"{shard.name} is missing"


def test_a_shard_that_is_cut_off_is_named(directory: Path) -> None:
    shard = sorted(directory.glob("00001.*"))[0]
    data = shard.read_bytes()
    for size in (len(data) - 5, len(data) // 2, 0):
        shard.write_bytes(data[:size])
        assert refused(directory).startswith(shard.name)


def test_a_shard_with_fewer_rows_than_the_index_says_is_named(tmp_path: Path) -> None:
    example = Example(messages=(Message(role="user", content="q"),), origin=Origin(kind="corpus", name="c"))
    for kind in ("parquet", "jsonl"):
        directory = write_shards(tmp_path / kind, kind, [[example] * 3])
        other = write_shards(tmp_path / f"other {kind}", kind, [[example] * 2])
        (other / f"00000.{kind}").replace(directory / f"00000.{kind}")
        assert refused(directory) == f"00000.{kind} has 2 rows and should have 3"


def test_a_shard_that_is_something_else_is_named(directory: Path) -> None:
    shard = sorted(directory.glob("00000.*"))[0]
    if shard.suffix == ".parquet":
        pq.write_table(pa.table({"text": ["a"]}), shard)
        assert refused(directory).startswith(shard.name)
        columns = {"messages": [[]], "origin": [{"kind": "corpus"}], "details": ["{"]}
        pq.write_table(pa.table(columns), shard)
        assert refused(directory).startswith(shard.name)
    else:
        shard.write_text("prose\n")
        with pytest.raises(StoreError, match="line 1 is not JSON"):
            list(read_rows(directory))


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "{}", '{"shards": 1}', '{"shards": [1]}', '{"shards": [{"file": "a"}]}']
)
def test_an_index_that_is_missing_or_damaged_is_a_clear_error(directory: Path, text: str | None) -> None:
    if text is None:
        (directory / INDEX).unlink()
    else:
        (directory / INDEX).write_text(text)
    refused(directory)
    with pytest.raises(StoreError):
        read_index(directory)

"""A corpus in another format: whole or not at all, and nothing of it lost without a word."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instil.corpora.convert import WRITABLE, ConvertOptions, convert
from instil.corpora.files import FilesConfig
from instil.corpora.row_files import SUFFIXES
from instil.data.examples import Example, Label
from instil.data.shards import read_rows
from instil.errors import InstilError, RequestError, StageError

CHAT = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "q1"},
        {"role": "assistant", "content": "a1"},
        {"role": "user", "content": "q2\n"},
        {"role": "assistant", "content": " “a2” 你好"},
    ]
}
PAIR = {"instruction": "q", "input": "", "output": "a"}
ORIGIN = {"kind": "teacher", "name": "large"}
MARKED = {"instruction": "q\nHuman: x", "output": "a"}
EMPTY = {"instruction": "q", "output": ""}
CALLS = {
    "messages": [
        {"role": "user", "content": "q"},
        {"role": "assistant", "tool_calls": [{"function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "content": "t"},
        {"role": "assistant", "content": "a"},
    ]
}


def written(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def examples(path: Path, **options: Any) -> list[Example]:
    found = list(FilesConfig(kind="files", name="x", path=path, tool_turns="keep", **options).read())
    assert all(isinstance(each, Example) for each in found), found
    return [each for each in found if isinstance(each, Example)]


def turns(path: Path) -> list[list[tuple[str, str]]]:
    return [[(each.role, each.content) for each in row.messages] for row in examples(path)]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("target", WRITABLE)
def test_every_format_in_every_container_reads_back_as_the_same_turns(
    tmp_path: Path, suffix: str, target: str
) -> None:
    single = target in ("prompt_completion", "self_instruct", "lmflow_text2text")
    source = written(tmp_path / "in.jsonl", PAIR, PAIR if single else CHAT)
    output = tmp_path / f"out{suffix}"
    if target.startswith("lmflow") and suffix != ".json":
        with pytest.raises(RequestError, match="LMFlow reads files of one JSON object"):
            convert([source], output, ConvertOptions(target=target))
        return

    found = convert([source], output, ConvertOptions(target=target))

    assert (found.counts.asked, found.counts.kept) == (2, 2)
    assert turns(output) == turns(source)
    assert sorted(tmp_path.iterdir()) == [source, output]


def test_what_is_not_written_is_counted_by_reason_and_written_down(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", PAIR, MARKED, EMPTY, "{broken", CALLS, PAIR)
    output = tmp_path / "out.jsonl"

    found = convert([source], output, ConvertOptions(target="hugchat"))

    assert found.counts.adds_up
    assert found.counts.model_dump()["reasons"] == {
        "'output' is empty": 1,
        "hugchat holds no tool turns": 1,
        "hugchat would read back as something else": 1,
        "not JSON": 1,
    }
    assert (found.counts.kept, found.counts.rejected, found.counts.failed) == (2, 2, 2)
    assert found.failures == tmp_path / "out.jsonl.failures.jsonl"
    lost = [json.loads(line) for line in found.failures.read_text().splitlines()]
    assert [each.get("place") for each in lost] == [None, "in.jsonl:line 3", "in.jsonl:line 4", None]
    assert lost[0]["filter"] == "hugchat"
    assert lost[0]["example"]["messages"][0]["content"] == "q\nHuman: x"
    assert found.first[0].startswith("in: 'q\\nHuman: x': hugchat would read back")


def test_rows_say_where_they_come_from_and_keep_what_they_say_already(tmp_path: Path) -> None:
    source = written(tmp_path / "mine.v1.jsonl", PAIR, {**CHAT, "origin": ORIGIN})
    convert([source], tmp_path / "out.jsonl", ConvertOptions(license="MIT"))

    ours, theirs = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())

    assert (ours["origin"]["name"], ours["origin"]["license"]) == ("mine", "MIT")
    assert (theirs["origin"]["name"], theirs["origin"]["license"]) == ("large", None)


def test_several_sources_are_read_in_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for name in ("b", "a"):
        written(tmp_path / "many" / f"{name}.jsonl", {**PAIR, "instruction": name})
    first = written(tmp_path / "z.jsonl", {**PAIR, "instruction": "z"})

    convert(
        [first, tmp_path / "many", tmp_path / "many" / "*.jsonl"], tmp_path / "out.json", ConvertOptions()
    )

    assert [row[0][1] for row in turns(tmp_path / "out.json")] == ["z", "a", "b", "a", "b"]


def test_lmflow_says_its_type_once(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", PAIR)
    convert([source], tmp_path / "out.json", ConvertOptions(target="lmflow_text2text"))
    instance = {"input": "q", "output": "a"}
    assert json.loads((tmp_path / "out.json").read_text()) == {"type": "text2text", "instances": [instance]}


def test_a_mixture_of_shards_can_be_converted(tmp_path: Path) -> None:
    label = {"task": "classification", "template": "plain", "value": "1", "answer": "a1", "choices": []}
    source = written(tmp_path / "in.jsonl", PAIR, {**CHAT, "origin": ORIGIN, "label": label})
    (tmp_path / "train").mkdir()
    convert([source], tmp_path / "train" / "0.parquet", ConvertOptions(license="MIT"))
    shards = [{"file": "0.parquet", "rows": 2, "bytes": 0, "sha256": ""}]
    (tmp_path / "train" / "index.json").write_text(json.dumps({"rows": 2, "shards": shards}))

    found = convert([tmp_path / "train"], tmp_path / "out.jsonl", ConvertOptions())

    assert found.counts.kept == 2
    rows = [Example.model_validate(row) for row in read_rows(tmp_path / "train")]
    assert examples(tmp_path / "out.jsonl") == rows
    assert rows[0].origin.license == "MIT"
    assert rows[1].label == Label.model_validate(label)


def test_a_table_has_the_same_columns_whatever_its_first_rows_hold(tmp_path: Path) -> None:
    rows: dict[str, Any] = {"short": PAIR, "long": CHAT}
    for name, row in rows.items():
        source = written(tmp_path / f"{name}.jsonl", row)
        for target in ("messages", "alpaca", "sharegpt", "hugchat"):
            convert([source], tmp_path / f"{name}.{target}.parquet", ConvertOptions(target=target))
    for target in ("messages", "alpaca", "sharegpt", "hugchat"):
        one, two = (pq.read_schema(tmp_path / f"{name}.{target}.parquet") for name in ("short", "long"))
        assert one == two
        assert not any(pa.types.is_null(field.type) for field in one)


def test_tool_turns_are_kept_unless_they_are_to_be_dropped(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", CALLS)
    convert([source], tmp_path / "all.jsonl", ConvertOptions())
    convert([source], tmp_path / "none.jsonl", ConvertOptions(tool_turns="drop"))

    assert [role for role, _ in turns(tmp_path / "all.jsonl")[0]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert turns(tmp_path / "none.jsonl") == [[("user", "q"), ("assistant", "a")]]


def test_it_stops_when_as_many_rows_are_written_as_were_wanted(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", EMPTY, PAIR, PAIR, PAIR)

    found = convert([source], tmp_path / "out.jsonl", ConvertOptions(limit=2))

    assert (found.counts.asked, found.counts.kept, found.counts.failed) == (3, 2, 1)
    assert len(examples(tmp_path / "out.jsonl")) == 2


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", PAIR, CHAT)
    for suffix in SUFFIXES:
        one, two = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        convert([source], one, ConvertOptions())
        convert([source], two, ConvertOptions())
        assert one.read_bytes() == two.read_bytes()


def test_failures_of_an_earlier_run_do_not_outlive_it(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    convert([written(tmp_path / "in.jsonl", PAIR, EMPTY)], output, ConvertOptions())
    assert (tmp_path / "out.jsonl.failures.jsonl").exists()

    found = convert([written(tmp_path / "in.jsonl", PAIR)], output, ConvertOptions())

    assert found.failures is None
    assert not (tmp_path / "out.jsonl.failures.jsonl").exists()


def test_an_output_is_whole_or_as_it_was(tmp_path: Path) -> None:
    """A gzip that is no gzip stops the work in the middle; the older output stays, nothing else does."""
    good, bad = written(tmp_path / "good.jsonl", PAIR, EMPTY), tmp_path / "zbad.parquet"
    bad.write_bytes(b"PAR1 and then nothing that anybody could read, at length PAR1")
    for suffix in SUFFIXES:
        output = tmp_path / f"out{suffix}"
        output.write_text("older")
        with pytest.raises(InstilError):
            convert([good, bad], output, ConvertOptions())
        assert output.read_text() == "older"
        output.unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.jsonl", "zbad.parquet"]


def test_if_nothing_can_be_written_that_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", EMPTY)
    with pytest.raises(StageError) as caught:
        convert([source], tmp_path / "out.jsonl", ConvertOptions())
    assert str(caught.value) == "no row of 1 can be written as 'messages'; in.jsonl:line 1: 'output' is empty"
    assert list(tmp_path.iterdir()) == [source]


Wrong = Callable[[Path], tuple[list[Path], Path]]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (lambda at: ([at / "none.jsonl"], at / "out.jsonl"), "no such file"),
        (lambda at: ([at / "*.csv"], at / "out.jsonl"), "no file matches"),
        (lambda at: ([at / "in.jsonl"], at / "in.jsonl"), "would be read while it is written"),
        (lambda at: ([at], at / "in.jsonl"), "would be read while it is written"),
        (lambda at: ([at / "in.jsonl.failures.jsonl"], at / "in.jsonl"), "would be read while it is written"),
        (lambda at: ([at / "in.jsonl"], at / "out.txt"), "does not say what it will hold"),
        (lambda at: ([at / "in.jsonl"], at / "out.parquet.gz"), "does not say what it will hold"),
        (lambda at: ([at / "in.jsonl"], at / "nowhere" / "out.jsonl"), "is not in a directory"),
    ],
)
def test_a_wrong_request_changes_nothing(tmp_path: Path, request_: Wrong, message: str) -> None:
    written(tmp_path / "in.jsonl", PAIR)
    written(tmp_path / "in.jsonl.failures.jsonl", PAIR)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    sources, output = request_(tmp_path)
    with pytest.raises(RequestError, match=message):
        convert(sources, output, ConvertOptions())
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_gzip_holds_no_name_and_no_time(tmp_path: Path) -> None:
    convert([written(tmp_path / "in.jsonl", PAIR)], tmp_path / "out.jsonl.gz", ConvertOptions())
    packed = (tmp_path / "out.jsonl.gz").read_bytes()
    assert packed[3] == 0
    assert packed[4:8] == bytes(4)
    assert json.loads(gzip.decompress(packed))["origin"]["name"] == "in"


def test_a_table_longer_than_a_group_of_rows_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("instil.corpora.row_files._ROWS_IN_A_GROUP", 3)
    source = written(tmp_path / "in.jsonl", *({**PAIR, "instruction": str(number)} for number in range(10)))
    convert([source], tmp_path / "out.parquet", ConvertOptions())
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == 4
    assert [row[0][1] for row in turns(tmp_path / "out.parquet")] == [str(number) for number in range(10)]

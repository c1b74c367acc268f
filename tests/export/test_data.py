"""A run's rows become a data set that other tools load, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.config.yaml import read_yaml
from instil.corpora.base import Failure
from instil.corpora.files import FilesConfig
from instil.data.examples import Counts, Example
from instil.data.messages import Message
from instil.errors import RequestError, StageError, StoreError
from instil.export.data import Exported, ExportOptions, export_data
from instil.export.targets import TARGETS
from instil.store.manifest import read_manifest
from tests.disk import disk_full_after
from tests.export.runs import ALPACA, example, finish, generated_stage, mixed_run, rows, write_shards


def export(source: Path, output: Path, target: str = "messages", **options: Any) -> Exported:
    return export_data(source, output, ExportOptions(target, **options))


def read(path: Path) -> list[Example]:
    found = list(FilesConfig(kind="files", name="again", path=path, tool_turns="keep").read())
    assert not [each for each in found if isinstance(each, Failure)]
    return [each for each in found if isinstance(each, Example)]


def said(examples: Sequence[Example]) -> list[list[tuple[str, str]]]:
    return [[(message.role, message.content) for message in each.messages] for each in examples]


def head(directory: Path) -> dict[str, Any]:
    text = (directory / "README.md").read_text(encoding="utf-8")
    return dict(read_yaml(text.split("---\n")[1], "card", directory).data)


@pytest.mark.parametrize("target", TARGETS)
def test_every_format_reads_back_as_what_was_exported(tmp_path: Path, target: str) -> None:
    train, validation = rows(12), rows(15)[12:]

    found = export(mixed_run(tmp_path, train, validation), tmp_path / "out", target)

    assert found.rows == {"train": 12, "validation": 3}
    assert said(read(tmp_path / "out" / found.files["train"])) == said(train)
    assert said(read(tmp_path / "out" / found.files["validation"])) == said(validation)


@pytest.mark.parametrize("target", ["messages", "parquet"])
def test_rows_in_the_chat_form_keep_where_they_came_from(tmp_path: Path, target: str) -> None:
    train = rows(12)

    found = export(mixed_run(tmp_path, train), tmp_path / "out", target)

    again = read(tmp_path / "out" / found.files["train"])
    assert [each.origin.name for each in again] == [each.origin.name for each in train]
    assert [each.origin.attributes for each in again] == [each.origin.attributes for each in train]


def test_what_a_format_cannot_say_is_counted_and_listed(tmp_path: Path) -> None:
    several = example("one", "two", "three", "four")
    run = mixed_run(tmp_path, [*rows(3), several, example("q", "a", system="be kind")])

    found = export(run, tmp_path / "out", "self_instruct")

    assert found.counts == Counts(
        asked=5,
        kept=3,
        rejected=2,
        reasons={
            "self_instruct holds no system prompt": 1,
            "self_instruct holds one question and one answer": 1,
        },
    )
    assert found.failures == tmp_path / "out.failures.jsonl"
    listed = [orjson.loads(line) for line in found.failures.read_bytes().splitlines()]
    assert [(row["split"], row["reason"]) for row in listed] == [
        ("train", "self_instruct holds one question and one answer"),
        ("train", "self_instruct holds no system prompt"),
    ]
    assert Example.model_validate(listed[0]["example"]) == several


def test_records_of_a_file_that_cannot_be_read_are_counted_and_listed(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"instruction": "q", "output": "a"}\n{"instruction": "q"}\nnothing\n')

    found = export(file, tmp_path / "out", "sharegpt", license="MIT")

    assert (found.name, found.counts.kept, found.counts.failed) == ("mine", 1, 2)
    assert found.first[1].startswith("mine.jsonl:line 3: ")
    assert head(tmp_path / "out")["license"] == "mit"


def test_an_export_without_loss_removes_the_list_of_an_earlier_one(tmp_path: Path) -> None:
    run = mixed_run(tmp_path, [*rows(3), example("one", "two", "three", "four")])
    export(run, tmp_path / "out", "self_instruct")
    (tmp_path / "out").rename(tmp_path / "older")

    found = export(run, tmp_path / "out", "sharegpt")

    assert found.failures is None
    assert not (tmp_path / "out.failures.jsonl").exists()


def test_a_split_of_which_no_row_can_be_written_is_not_there(tmp_path: Path) -> None:
    found = export(
        mixed_run(tmp_path, rows(3), [example("a", "b", "c", "d")]), tmp_path / "out", "lmflow_text2text"
    )

    assert list(found.files) == ["train"]
    assert not (tmp_path / "out" / "validation.json").exists()
    assert head(tmp_path / "out")["configs"][0]["data_files"] == [{"split": "train", "path": "train.json"}]


def test_nothing_is_written_where_no_row_can_be(tmp_path: Path) -> None:
    run = mixed_run(tmp_path, [example("a", "b", "c", "d")])

    with pytest.raises(StageError, match="no row of 1 can be written as 'self_instruct'"):
        export(run, tmp_path / "out", "self_instruct")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    run = mixed_run(tmp_path, [example(f"question {at}", "answer " * 2000) for at in range(200)])

    with disk_full_after(1 << 20), pytest.raises(StoreError):
        export(run, tmp_path / "out")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_a_shard_that_is_damaged_leaves_nothing_behind(tmp_path: Path) -> None:
    run = mixed_run(tmp_path, rows(3), rows(3))
    (run / "mix" / "validation" / "00000.parquet").write_bytes(b"PAR1")

    with pytest.raises(StoreError):
        export(run, tmp_path / "out")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_an_empty_directory_is_filled_and_another_is_refused(tmp_path: Path) -> None:
    run, output = mixed_run(tmp_path, rows(3)), tmp_path / "out"
    output.mkdir()
    export(run, output)

    with pytest.raises(RequestError, match="is there already"):
        export(run, output)


def test_a_run_stands_for_the_rows_of_its_last_stage(tmp_path: Path) -> None:
    run = mixed_run(tmp_path, rows(4))
    generated_stage(run, "generate", "examples.jsonl", rows(9))
    generated_stage(run, "curate", "kept.jsonl", rows(6))

    assert export(run, tmp_path / "a").rows == {"train": 4}
    assert export(run / "curate", tmp_path / "b").rows == {"train": 6}
    assert export(run / "mix" / "train", tmp_path / "c").rows == {"train": 4}


def test_a_run_without_rows_says_what_it_has(tmp_path: Path) -> None:
    run = tmp_path / "clinic"
    (run / "evaluate").mkdir(parents=True)
    finish(run / "evaluate", Counts(asked=0, kept=0))

    with pytest.raises(RequestError, match="has no rows to export; finished: evaluate"):
        export(run, tmp_path / "out")


@pytest.mark.parametrize("target", ["gguf", "merged"])
def test_exports_of_models_are_refused_as_what_they_are(tmp_path: Path, target: str) -> None:
    with pytest.raises(RequestError, match=f"{target!r} is for models"):
        export(mixed_run(tmp_path, rows(3)), tmp_path / "out", target)


def test_a_model_is_no_data(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(RequestError, match="is a model"):
        export(tmp_path, tmp_path / "out")


def test_an_unknown_format_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="'chatml' is no format") as error:
        export(mixed_run(tmp_path, rows(3)), tmp_path / "out", "chatml")

    assert "sharegpt" in str(error.value.hint)


def test_a_missing_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no such file"):
        export(tmp_path / "nothing", tmp_path / "out")


def test_a_directory_that_has_no_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is not a directory"):
        export(mixed_run(tmp_path, rows(3)), tmp_path / "no" / "where")


def test_a_row_that_shows_the_type_of_every_column_comes_early(tmp_path: Path) -> None:
    train = [*rows(150), example("one", "two", "three", "four"), *rows(3)]

    export(mixed_run(tmp_path, train), tmp_path / "out", "alpaca")

    lines = (tmp_path / "out" / "train.jsonl").read_bytes().splitlines()
    assert [bool(orjson.loads(line)["history"]) for line in lines] == [True, *[False] * 153]
    assert sorted(said(read(tmp_path / "out" / "train.jsonl"))) == sorted(said(train))


def test_the_card_counts_what_llama_factory_leaves_out(tmp_path: Path) -> None:
    twice = Example(
        messages=(Message(role="assistant", content="hello"), *rows(1)[0].messages), origin=ALPACA
    )

    export(mixed_run(tmp_path, [*rows(3), twice]), tmp_path / "out", "messages")

    assert "In 1 rows questions and answers do not take turns" in (tmp_path / "out" / "README.md").read_text()


@given(
    st.lists(
        st.lists(
            st.text(st.sampled_from("ab \n#:Humano<|\u4e2d"), min_size=1, max_size=20).filter(str.strip),
            min_size=2,
            max_size=4,
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(sorted(TARGETS)),
)
def test_whatever_rows_say_is_in_the_file_or_in_the_list_of_what_is_not(
    tmp_path_factory: pytest.TempPathFactory, conversations: list[list[str]], target: str
) -> None:
    directory = tmp_path_factory.mktemp("any")
    examples = [example(*texts[: len(texts) // 2 * 2]) for texts in conversations]
    write_shards(directory / "rows", examples)

    try:
        found = export(directory / "rows", directory / "out", target)
    except StageError:
        return  # no row can be written
    written = said(read(directory / "out" / found.files["train"]))
    listed: Iterator[Any] = map(
        orjson.loads, found.failures.read_bytes().splitlines() if found.failures else ()
    )
    lost = said([Example.model_validate(row["example"]) for row in listed])
    assert sorted(written + lost) == sorted(said(examples))
    assert found.counts.adds_up


def test_the_card_says_whose_rows_these_are(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    run = mixed_run(tmp_path, [*rows(12), example("one", "two", "three", "four")], rows(15)[12:])

    found = export(run, tmp_path / "out", "prompt_completion", name="clinic rows")

    assert found.terms
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    # What a shard's bytes are is the business of the library that writes it.
    manifest = read_manifest(run / "mix")
    assert manifest is not None
    golden("export_card.md", card.replace(manifest.digest, "0123456789abcdef"))
    assert (tmp_path / "out" / "recipe.yaml").read_text(encoding="utf-8") == (run / "recipe.yaml").read_text()

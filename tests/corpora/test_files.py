"""A corpus in the user's files: which files, which format, and what each row says of itself."""

from __future__ import annotations

import gzip
import json
import pickle
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from instil.config.load import load_config
from instil.corpora.base import BadRecord, Excluded, Failure, Part, Row
from instil.corpora.containers import SUFFIXES, RawRecord, read_records, split
from instil.corpora.files import SEVERAL_ROWS, FilesConfig
from instil.corpora.formats import FORMATS
from instil.corpora.paths import files_of
from instil.data.examples import Example, Origin
from instil.data.messages import Message
from instil.errors import StageError

ROWS = Path(__file__).parent / "rows"


def row(question: str) -> str:
    return json.dumps({"instruction": question, "output": "an answer"}) + "\n"


def read(path: Path, **options: Any) -> list[Example | Failure]:
    return list(FilesConfig(kind="files", name="mine", path=path, **options).read())


def questions(found: list[Example | Failure]) -> list[str]:
    return [each.conversation.instruction for each in found if isinstance(each, Example)]


def test_a_row_keeps_the_name_and_the_licence_of_its_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(row("why"))
    (found,) = read(tmp_path / "a.jsonl", license="CC0-1.0")
    assert found == Example(
        messages=(Message(role="user", content="why"), Message(role="assistant", content="an answer")),
        origin=Origin(kind="corpus", name="mine", license="CC0-1.0"),
    )


def test_a_directory_gives_its_files_by_name_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(f"[{row('b')}]")
    (tmp_path / "a.jsonl").write_text(row("a"))
    (tmp_path / "d.json.gz").write_bytes(gzip.compress(f"[{row('d')}]".encode()))
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(row("c").encode()))
    (tmp_path / "e.csv").write_text("instruction,output\ne,an answer\n")
    (tmp_path / "README.md").write_text("no rows")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "f.jsonl").write_text(row("f"))
    assert questions(read(tmp_path)) == ["a", "b", "c", "d", "e"]


def test_a_file_that_is_named_is_read_whatever_its_ending(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text(row("a"))
    assert questions(read(tmp_path / "rows.txt")) == ["a"]


def test_a_directory_without_rows_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no rows")
    with pytest.raises(StageError) as caught:
        read(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert ".jsonl" in str(caught.value)


def test_the_index_of_a_directory_of_shards_is_no_row(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text('{"rows": 1, "shards": []}')
    assert [each for each in read(tmp_path) if isinstance(each, Failure)]
    (tmp_path / "part-0.jsonl").write_text(row("a"))
    assert questions(read(tmp_path)) == ["a"]
    assert len(read(tmp_path)) == 1


def test_a_pattern_gives_all_files_that_match_by_name_also_below(tmp_path: Path) -> None:
    for name in ("b/2.jsonl", "a.jsonl", "b/c/1.jsonl", "b/3.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(row(name))
    assert questions(read(tmp_path / "**/*.jsonl")) == ["a.jsonl", "b/2.jsonl", "b/c/1.jsonl"]
    assert questions(read(tmp_path / "b/*")) == ["b/2.jsonl", "b/3.txt"]
    assert questions(read(tmp_path / "b/[0-2].*")) == ["b/2.jsonl"]


def test_brackets_in_the_name_of_a_workspace_are_no_pattern(tmp_path: Path) -> None:
    workspace = tmp_path / "run [1]"
    workspace.mkdir()
    (workspace / "a[2].jsonl").write_text(row("exact"))
    (workspace / "b.jsonl").write_text(row("b"))
    (workspace / "recipe.yaml").write_text("kind: files\nname: mine\npath: '*.jsonl'\n")
    config = load_config(FilesConfig, workspace / "recipe.yaml")
    assert questions(list(config.read())) == ["exact", "b"]
    assert questions(read(workspace / "a[2].jsonl")) == ["exact"]


def test_a_pattern_without_files_is_refused_when_the_recipe_is_read_and_when_they_are_gone(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValidationError, match=r"no file matches '.*\*\.jsonl'"):
        read(tmp_path / "*.jsonl")
    (tmp_path / "a.jsonl").write_text(row("a"))
    config = FilesConfig(kind="files", name="mine", path=tmp_path / "*.jsonl")
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(StageError, match=r"no file matches '.*\*\.jsonl'"):
        config.parts()


def test_the_identity_of_a_source_is_that_of_the_files_which_it_means(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(row("a"))
    config = FilesConfig(kind="files", name="mine", path=tmp_path / "*.jsonl")
    before = config.identity()
    (tmp_path / "other.txt").write_text("not meant")
    assert config.identity() == before
    (tmp_path / "a.jsonl").write_text(row("b"))
    changed = config.identity()
    assert changed != before
    (tmp_path / "c.jsonl").write_text(row("c"))
    assert config.identity() != changed
    assert {**before, "path": None} == {**config.identity(), "path": None}


def test_a_source_is_the_same_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(row("a"))
    (tmp_path / "recipe.yaml").write_text(
        "kind: files\nname: mine\npath: a.jsonl\nwhere: output is defined\n"
        "task: {kind: summarization, text: instruction, summary: output, templates: [{user: '{{ text }}'}]}\n"
    )
    config = load_config(FilesConfig, tmp_path / "recipe.yaml")
    again = pickle.loads(pickle.dumps(config))
    assert again == config
    assert list(again.read()) == list(config.read())


def test_records_of_several_formats_may_stand_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        row("alpaca")
        + '{"prompt": "pair", "completion": "c"}\n'
        + '{"text": "Human: hug\\nHugChat: chat"}\n'
        # The more telling key decides: this has the keys of both.
        + '{"instruction": "i", "output": "o", "messages": ['
        '{"role": "user", "content": "chat"}, {"role": "assistant", "content": "a"}]}\n'
    )
    assert questions(read(tmp_path / "a.jsonl")) == ["alpaca", "pair", "hug", "chat"]


def test_bad_records_are_reported_with_their_place_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        row("first") + row("") + '{"text": "prose"}\n{}\n{"q"\n"text"\n' + row("last")
    )
    first, empty, prose, nothing, broken, text, last = read(tmp_path / "a.jsonl")
    assert questions([first, last]) == ["first", "last"]
    assert empty == Failure("a.jsonl", "'instruction' is empty", line=2)
    assert prose == Failure("a.jsonl", "no known format has the keys text", line=3)
    assert nothing == Failure("a.jsonl", "no known format has the keys (none)", line=4)
    assert isinstance(broken, Failure)
    assert broken.row()["place"] == "a.jsonl:line 5"
    assert text == Failure("a.jsonl", "not a JSON object", line=6)


def test_a_format_that_is_named_is_the_only_one_tried(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(row("q"))
    assert read(tmp_path / "a.jsonl", format="messages") == [
        Failure("a.jsonl", "'messages' is not a list of turns", line=1)
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "alpacca"}, "'alpacca' is not one of auto, alpaca, .*; did you mean 'alpaca'?"),
        ({"path": Path("nowhere.jsonl")}, "no such file: 'nowhere.jsonl'"),
        ({"weight": 0.0}, "greater than 0"),
        ({"weight": float("inf")}, "finite"),
        ({"max_epochs": float("nan")}, "finite"),
        ({"max_epochs": float("inf")}, "finite"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_read(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        FilesConfig(**{"kind": "files", "name": "mine", "path": tmp_path, **options})


def pieces(config: FilesConfig, size: int) -> list[Part]:
    """Return the pieces of a source, cut smaller than they are for real files."""
    return [piece for path in files_of(config.path, SUFFIXES) for piece in split(path, size)]


LINES = st.sampled_from(
    [
        *(row(text) for text in ("a", "问题", "line\nline", "")),
        '{"prompt": "p", "completion": "c"}\n',
        '{"instruction": "Human:q\\nAssistant:", "input": "", "output": "o"}\n',
        '{"question": "Q?", "options": {"A": "x", "B": "y"}, "answer": "y", "answer_idx": "B"}\n',
        '{"instruction": "left out", "output": "o", "skip": true}\n',
        "broken\n",
        "\n",
    ]
)


@given(st.lists(LINES, max_size=15), st.integers(20, 400), st.integers(0, 5))
def test_a_source_in_pieces_gives_the_rows_of_the_whole(lines: list[str], size: int, seed: int) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "rows.jsonl"
        path.write_text("".join(lines))
        config = FilesConfig(kind="files", name="mine", path=path, where="skip is not defined")
        (whole,) = [config.open(part, seed) for part in config.parts()]
        expected = list(whole)
        found: list[Row | Failure | Excluded] = []
        before = 0
        for piece in pieces(config, size):
            rows = config.open(piece, seed)
            for each in rows:
                if isinstance(each, Failure) and each.line is not None:
                    each = replace(each, line=each.line + before)
                found.append(each)
            before += rows.lines
        assert before == whole.lines == "".join(lines).count("\n")
        left_out = [each for each in found if isinstance(each, Excluded)]
        assert [each for each in found if not isinstance(each, Excluded)] == [
            each for each in expected if not isinstance(each, Excluded)
        ]
        assert len(left_out) == sum("left out" in line for line in lines)


def test_what_is_left_out_has_its_line_counted_from_the_beginning_of_its_piece(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(row("a") * 3)
    config = FilesConfig(kind="files", name="mine", path=tmp_path / "a.jsonl", where="false")
    left_out = [
        [each.where for each in config.open(piece, 0) if isinstance(each, Excluded)]
        for piece in pieces(config, 50)
    ]
    assert len(left_out) > 1
    assert [each for each in left_out if each] == [["a.jsonl:line 1"]] * 3


EXAM = '{"question": "Q%d?", "options": {"A": "x", "B": "y"}, "answer": "y", "answer_idx": "B"}\n'


def test_a_labelled_row_has_the_same_words_in_whatever_file_and_order_it_stands(tmp_path: Path) -> None:
    lines = [EXAM % number for number in range(40)]
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "a.jsonl").write_text("".join(lines))
    (tmp_path / "two" / "z.jsonl").write_text("".join(lines[20:]))
    (tmp_path / "two" / "b.jsonl").write_text(row("other") + "".join(reversed(lines[:20])))

    def rows(path: Path, seed: int) -> set[Any]:
        config = FilesConfig(kind="files", name="mine", path=path, format="auto")
        found = [each for part in config.parts() for each in config.open(part, seed)]
        return {(each.turns, each.label.template) for each in found if isinstance(each, Row) and each.label}

    assert len(rows(tmp_path / "one", 1)) == 40
    assert rows(tmp_path / "one", 1) == rows(tmp_path / "two", 1)
    assert rows(tmp_path / "one", 1) != rows(tmp_path / "one", 2)


def test_a_source_says_how_many_rows_it_has_at_most_where_each_record_gives_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(row("a") * 3 + row(""))
    (tmp_path / "b.jsonl").write_text(row("b"))

    def most(**options: Any) -> int | None:
        return FilesConfig(kind="files", name="mine", path=tmp_path, **options).count_at_most()

    assert most(format="alpaca") == 5
    assert most(fields={"user": "instruction", "assistant": "output"}) == 5
    assert most(format="self_instruct") is None
    assert most() == 5
    instances = [{"output": "a"}, {"output": "b"}]
    (tmp_path / "c.jsonl").write_text(json.dumps({"instruction": "q", "instances": instances}))
    assert most() is None


def test_the_formats_that_may_give_several_rows_are_known() -> None:
    several = set()
    for path in ROWS.iterdir():
        for record in read_records(path):
            for name, each in FORMATS.items():
                if isinstance(record, RawRecord) and each.matches(record.value):
                    try:
                        several |= {name} if len(list(each.read(record.value))) > 1 else set()
                    except BadRecord:
                        continue
    assert several <= SEVERAL_ROWS
    assert "self_instruct" in several


def test_labelled_examples_keep_their_label_and_are_asked_without_the_answer(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("review,stars\nNice.,5\nBad.,1\nHm.,3\n")
    task: Any = {
        "kind": "classification",
        "text": "review",
        "label": "stars",
        "labels": {"1": "bad", "5": "good"},
    }
    config = FilesConfig(kind="files", name="mine", path=tmp_path / "a.csv", task=task)
    nice, bad, hm = config.read(seed=4)
    assert isinstance(nice, Example)
    assert isinstance(bad, Example)
    assert nice.label is not None
    assert (nice.messages[-1].content, nice.label.value, nice.label.answer) == ("good", "5", "good")
    assert Example.model_validate_json(json.dumps(nice.row())) == nice
    assert isinstance(hm, Failure)
    assert hm.reason == "the label '3' of 'stars' is not one of 1, 5"
    asked = next(config.read_questions(seed=4))
    assert isinstance(asked, Example)
    assert asked.messages == nice.messages[:-1]


@pytest.mark.parametrize("format_name", [name for name, each in FORMATS.items() if each.answer])
def test_a_question_is_read_with_and_without_its_answer(tmp_path: Path, format_name: str) -> None:
    (path,) = ROWS.glob(f"{format_name}.*")
    answer = FORMATS[format_name].answer
    records = [each.value for each in read_records(path) if isinstance(each, RawRecord)]
    without = [{key: value for key, value in each.items() if key != answer} for each in records]
    asked = []
    for number, several in enumerate((records, without)):
        (tmp_path / f"{number}.json").write_text(json.dumps(several))
        config = FilesConfig(kind="files", name="mine", path=tmp_path / f"{number}.json", format=format_name)
        asked.append([each.messages for each in config.read_questions() if isinstance(each, Example)])
    assert asked[0]
    if format_name != "gsm8k":  # told from the form of its answers only
        assert asked[0] == asked[1]

"""A corpus in the user's files: which files, which format, and what each row says of itself."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instil.corpora.base import Failure
from instil.corpora.files import FilesConfig
from instil.data.examples import Example, Origin
from instil.data.messages import Message
from instil.errors import StageError


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


def test_a_directory_gives_its_json_files_by_name_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(f"[{row('b')}]")
    (tmp_path / "a.jsonl").write_text(row("a"))
    (tmp_path / "d.json.gz").write_bytes(gzip.compress(f"[{row('d')}]".encode()))
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(row("c").encode()))
    (tmp_path / "README.md").write_text("no rows")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "e.jsonl").write_text(row("e"))
    assert questions(read(tmp_path)) == ["a", "b", "c", "d"]


def test_a_file_that_is_named_is_read_whatever_its_ending(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text(row("a"))
    assert questions(read(tmp_path / "rows.txt")) == ["a"]


def test_a_directory_without_rows_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no rows")
    with pytest.raises(StageError) as caught:
        read(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert ".jsonl" in str(caught.value)


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
    assert empty == Failure("a.jsonl:line 2", "'instruction' is empty")
    assert prose == Failure("a.jsonl:line 3", "no known format has the keys text")
    assert nothing == Failure("a.jsonl:line 4", "no known format has the keys (none)")
    assert isinstance(broken, Failure)
    assert broken.row()["place"] == "a.jsonl:line 5"
    assert text == Failure("a.jsonl:line 6", "not a JSON object")


def test_of_many_unknown_keys_the_first_twelve_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({f"{number:02}": {} for number in range(15)}, indent=1))
    assert read(tmp_path / "a.json") == [
        Failure(
            "a.json:record 1",
            "no known format has the keys 00, 01, 02, 03, 04, 05, 06, 07, 08, 09, 10, 11 and 3 more",
        )
    ]


def test_a_format_that_is_named_is_the_only_one_tried(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(row("q"))
    assert read(tmp_path / "a.jsonl", format="messages") == [
        Failure("a.jsonl:line 1", "'messages' is not a list of turns")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "alpacca"}, "'alpacca' is not one of auto, messages, sharegpt"),
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

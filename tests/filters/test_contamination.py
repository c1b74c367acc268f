"""Runs of words that an evaluation set has too."""

from __future__ import annotations

from pathlib import Path

import pytest

from instil.data.examples import Example, Origin, Rejection
from instil.data.messages import Message
from instil.errors import RecipeError
from instil.filters.contamination import ContaminationConfig


def example(question: str, answer: str = "fine") -> Example:
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(messages=turns, origin=Origin(kind="corpus", name="test"))


def check(path: Path, content: str | bytes, *examples: Example, ngram: int = 4) -> list[Rejection | None]:
    """Return what the filter says to each example, against a file of this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = ContaminationConfig(kind="contamination", against=(path,), ngram=ngram).build()
    return [found.check(each) for each in examples]


def test_a_run_as_long_as_asked_for_is_rejected_and_a_shorter_one_is_not(tmp_path: Path) -> None:
    rows = '{"id": 1}\n\n{"question": "Can a cold cause fever in adults?"}\n'
    hit, miss = check(
        tmp_path / "eval.jsonl",
        rows,
        example("why does a COLD, cause -- fever"),
        example("does a cold cause pain, fever in adults"),
    )
    assert hit == Rejection(
        filter="contamination",
        reason="4 words in a row as in an evaluation set",
        example=example("why does a COLD, cause -- fever"),
        nearest="eval.jsonl:3",
    )
    assert miss is None


@pytest.mark.parametrize(
    "row",
    [
        '{"messages": [{"role": "user", "content": "one two three four"}]}',
        '{"choices": {"A": ["x", "one two three four five"]}}',
        '["one two three four"]',
        '"zero one two three four"',
    ],
)
def test_every_text_of_an_evaluation_row_counts_and_every_message(tmp_path: Path, row: str) -> None:
    question, answer, neither = check(
        tmp_path / "eval.jsonl",
        row + "\n",
        example("one two three four"),
        example("why", "so: one two three four"),
        example("one two", "three four"),
    )
    assert question
    assert answer
    assert neither is None


def test_chinese_runs_are_counted_in_characters(tmp_path: Path) -> None:
    hit, miss = check(
        tmp_path / "eval.jsonl",
        '{"q": "感冒以后发烧怎么办"}\n',
        example("孩子发烧，怎么"),
        example("发烧了怎么办"),
    )
    assert hit
    assert miss is None


@pytest.mark.parametrize(
    "data", [b'"x"\n"one two three four"', b'\xef\xbb\xbf"one two three four"\r\n"x"\r\n']
)
def test_a_file_from_an_editor_counts_whole(tmp_path: Path, data: bytes) -> None:
    (hit,) = check(tmp_path / "eval.jsonl", data, example("one two three four"))
    assert hit


def test_several_files_count_and_the_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('"one two three"\n')
    (tmp_path / "b.jsonl").write_text('"x"\n"four five six"\n')
    config = ContaminationConfig(
        kind="contamination", against=(tmp_path / "a.jsonl", tmp_path / "b.jsonl"), ngram=3
    )
    found = config.build()
    nearest = [found.check(example(text)) for text in ("one two three", "four five six", "three four five")]
    assert [each and each.nearest for each in nearest] == ["a.jsonl:1", "b.jsonl:2", None]


def test_what_was_accepted_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('"one two three"\n')
    found = ContaminationConfig(kind="contamination", against=(tmp_path / "a.jsonl",), ngram=3).build()
    found.accept(example("four five six"))
    assert found.check(example("four five six")) is None


def test_an_evaluation_file_that_is_not_json_lines_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"eval\.jsonl:2: not JSON: "):
        check(tmp_path / "eval.jsonl", '{"q": "a"}\nprose\n')

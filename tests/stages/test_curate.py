"""Which generated rows are kept, and that every other one is written down with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from instil.data.examples import Counts, Example, Instance, Origin, SeedTask
from instil.data.jsonl import read_jsonl, write_jsonl
from instil.data.messages import Message
from instil.errors import StageError
from instil.stages.base import Context, Result
from instil.stages.curate import CURATE, CurateConfig
from instil.store.manifest import Manifest, write_manifest


def example(question: str, answer: str = "an answer") -> Example:
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(messages=turns, origin=Origin(kind="teacher", name="teacher-1", parents=("s1",)))


def curate(
    tmp_path: Path, filters: list[dict[str, Any]], *rows: Example, seeds: tuple[str, ...] = ()
) -> Result:
    """Run the stage over what a `generate` stage would have written."""
    write_jsonl(tmp_path / "generate" / "examples.jsonl", (row.row() for row in rows))
    inputs = {"generate": tmp_path / "generate"}
    if seeds:
        tasks = [
            SeedTask(id=str(number), name="seed", instruction=text, instances=(Instance(output="x"),))
            for number, text in enumerate(seeds)
        ]
        write_jsonl(tmp_path / "seeds" / "seeds.jsonl", (task.model_dump(mode="json") for task in tasks))
        inputs["seeds"] = tmp_path / "seeds"
    return CURATE.run(CurateConfig.model_validate({"filters": filters}), context(tmp_path, inputs))


def context(tmp_path: Path, inputs: dict[str, Path]) -> Context:
    return Context(seed=0, work=tmp_path / "work", inputs=inputs, shared=tmp_path / "shared")


def kept(tmp_path: Path) -> list[Example]:
    return [Example.model_validate(row) for _, row in read_jsonl(tmp_path / "work" / "kept.jsonl")]


def rejected(tmp_path: Path) -> list[dict[str, Any]]:
    rows = [row for _, row in read_jsonl(tmp_path / "work" / "rejected.jsonl")]
    return [{**row, "example": Example.model_validate(row["example"])} for row in rows]


NOVELTY = {"kind": "rouge_l", "threshold": 0.7}
LENGTH = {"kind": "length", "min_words": 2}


def test_without_filters_every_row_is_kept_as_it_was_in_its_order(tmp_path: Path) -> None:
    rows = [example("b b"), example("a a"), example("b b")]
    result = curate(tmp_path, [], *rows)
    assert kept(tmp_path) == rows
    assert rejected(tmp_path) == []
    assert result.counts == Counts(asked=3, kept=3)


def test_every_rejected_row_is_written_with_its_filter_reason_and_score(tmp_path: Path) -> None:
    result = curate(
        tmp_path,
        [LENGTH, NOVELTY],
        example("what helps against a cough"),
        example("cough"),
        example("what helps against a cough please"),
        example("how tall is he"),
    )
    assert kept(tmp_path) == [example("what helps against a cough"), example("how tall is he")]
    assert rejected(tmp_path) == [
        {
            "filter": "length",
            "reason": "question too short",
            "example": example("cough"),
            "score": 1.0,
        },
        {
            "filter": "rouge_l",
            "reason": "ROUGE-L above 0.7 with an accepted instruction",
            "example": example("what helps against a cough please"),
            "score": 0.9091,
            "nearest": "what helps against a cough",
        },
    ]
    assert result.counts == Counts(
        asked=4,
        kept=2,
        rejected=2,
        reasons={
            "length: question too short": 1,
            "rouge_l: ROUGE-L above 0.7 with an accepted instruction": 1,
        },
    )
    assert result.counts.adds_up


def test_the_manifest_says_for_every_filter_what_it_saw_and_rejected_with_ids(tmp_path: Path) -> None:
    short = [example(word) for word in ("a", "b", "c", "d")]
    result = curate(tmp_path, [LENGTH, NOVELTY], *short, example("how tall is he"), example("how tall is he"))
    above = "ROUGE-L above 0.7 with an accepted instruction"
    assert result.details["filters"] == [
        {
            "filter": "length",
            "seen": 6,
            "rejected": 4,
            "reasons": {"question too short": {"count": 4, "examples": [row.id for row in short[:3]]}},
        },
        {
            "filter": "rouge_l",
            "seen": 2,
            "rejected": 1,
            "reasons": {above: {"count": 1, "examples": [example("how tall is he").id]}},
        },
    ]


def test_the_first_filter_that_says_no_decides(tmp_path: Path) -> None:
    rows = [example("one two"), example("one")]
    short = {"kind": "length", "min_words": 2}
    shorter = {"kind": "length", "max_words": 1}
    assert curate(tmp_path, [short, shorter], *rows).counts.reasons == {
        "length: question too long": 1,
        "length: question too short": 1,
    }
    assert [row["example"] for row in rejected(tmp_path)] == rows


def test_what_another_filter_rejects_does_not_count_for_novelty(tmp_path: Path) -> None:
    # Its answer is too short, so the novelty filter, which came first, must not remember the question.
    rows = [example("what helps against a cough", "x"), example("what helps against a cough", "much tea")]
    curate(tmp_path, [NOVELTY, {"kind": "length", "min_answer_words": 2}], *rows)
    assert kept(tmp_path) == [rows[1]]


def test_an_instruction_like_a_seed_task_is_rejected(tmp_path: Path) -> None:
    rows = [example("what helps against a cough now"), example("今天头疼怎么治"), example("how tall is he")]
    curate(tmp_path, [NOVELTY], *rows, seeds=("what helps against a cough", "今天头疼怎么办？"))
    assert kept(tmp_path) == [rows[2]]
    assert [row["nearest"] for row in rejected(tmp_path)] == [
        "what helps against a cough",
        "今天头疼怎么办？",
    ]


def test_running_again_in_the_same_place_gives_the_same_files(tmp_path: Path) -> None:
    rows = [example("what helps against a cough"), example("cough"), example("how tall is he")]
    first = curate(tmp_path, [LENGTH, NOVELTY], *rows)
    before = [(tmp_path / "work" / name).read_bytes() for name in ("kept.jsonl", "rejected.jsonl")]
    assert curate(tmp_path, [LENGTH, NOVELTY], *rows) == first
    assert [(tmp_path / "work" / name).read_bytes() for name in ("kept.jsonl", "rejected.jsonl")] == before


def run_over(tmp_path: Path, data: bytes) -> Result:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(data)
    return CURATE.run(CurateConfig(examples=path), context(tmp_path, {}))


def test_a_file_of_examples_is_read_to_its_last_row_also_without_a_newline(tmp_path: Path) -> None:
    rows = [example("one"), example("two")]
    data = b"\xef\xbb\xbf" + b"\r\n".join(orjson.dumps(row.row()) for row in rows)
    assert run_over(tmp_path, data).counts == Counts(asked=2, kept=2)
    assert kept(tmp_path) == rows


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b'{"messages": []}', "mine.jsonl:line 2: not an example: messages: "),
        (b'{"messages": [{"role": "bot", "content": "a"}]}', "line 2: not an example: messages.0.role: "),
        (b"prose", "mine.jsonl:line 2: not JSON: "),
        (b"[1]", "mine.jsonl:line 2: not a JSON object"),
    ],
)
def test_a_row_that_is_no_example_is_an_error_with_its_place(
    tmp_path: Path, row: bytes, message: str
) -> None:
    with pytest.raises(StageError) as caught:
        run_over(tmp_path, orjson.dumps(example("one").row()) + b"\n" + row + b"\n")
    assert message in str(caught.value)
    assert "`origin`" in str(caught.value.hint)


def test_answers_to_the_seed_tasks_themselves_are_not_compared_with_them(tmp_path: Path) -> None:
    rows, seeds = (example("what is a cough"), example("what is a cough exactly")), ("what is a cough",)
    curate(tmp_path, [NOVELTY], *rows, seeds=seeds)
    assert kept(tmp_path) == []

    record = Manifest(
        stage="generate",
        identity={},
        files={},
        counts=Counts(asked=2, kept=2),
        details={"seeds_answered": True},
        seconds=0,
        finished_at="",
        instil_version="",
    )
    write_manifest(tmp_path / "generate", record)
    curate(tmp_path, [NOVELTY], *rows, seeds=seeds)
    assert kept(tmp_path) == [rows[0]]

"""Seed tasks: read as they were written, and every mistake named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from instil.data.examples import Counts, Instance, SeedTask
from instil.data.jsonl import read_jsonl
from instil.errors import RecipeError
from instil.stages.base import Context
from instil.stages.seeds import SEEDS, SeedsConfig, read_seed_tasks

TASK = {
    "id": "1",
    "name": "triage",
    "instruction": "Where?",
    "instances": [{"input": "", "output": "There."}],
}


def line(**changes: object) -> str:
    return json.dumps({**TASK, **changes}, ensure_ascii=False)


def read(directory: Path, data: str | bytes) -> tuple[SeedTask, ...]:
    path = directory / "seeds.jsonl"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_seed_tasks(path)


def test_reads_tasks_in_order_and_leaves_their_white_space_and_language_alone(tmp_path: Path) -> None:
    instruction = "  def f():\n\t你好\u2028\u3000\x85 "
    data = "\ufeff" + line(instruction=instruction) + "\r\n\n" + line(id="0", instances=[]) + "\n \n"

    assert read(tmp_path, data) == (
        SeedTask(id="1", name="triage", instruction=instruction, instances=(Instance(output="There."),)),
        SeedTask(id="0", name="triage", instruction="Where?"),
    )


def test_names_every_line_that_is_no_seed_task(tmp_path: Path) -> None:
    lines = [
        line(),
        "{",
        line(id="2", instruction=" "),
        line(id=3),
        line(id="4", instances=[{"input": "x"}]),
        line(id="5", answer="x"),
        "[1]",
        line(id="1"),
        '{"id": "6"}',
    ]
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, "\n".join(lines))

    path = tmp_path / "seeds.jsonl"
    problems = [problem.removeprefix(f"{path}:") for problem in caught.value.problems]
    assert problems[0].startswith("2: not JSON: ")
    assert problems[1:] == [
        "3: instruction: the instruction is empty",
        "4: id: Input should be a valid string",
        "5: instances.0.output: Field required",
        "6: answer: Extra inputs are not permitted",
        "7: Input should be a valid dictionary or instance of SeedTask",
        "8: the id '1' stands twice; the first is at line 1",
        "9: name: Field required",
        "9: instruction: Field required",
    ]
    assert '"instances"' in str(caught.value.hint)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the seed file is empty"),
        (b"\n \n", "the seed file is empty"),
        (b"ab\xff", r"not UTF-8 text \(byte 2\)"),
    ],
)
def test_a_file_without_tasks_is_refused(data: bytes, problem: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=problem):
        read(tmp_path, data)


def test_the_stage_writes_the_tasks_and_counts_them_by_type(tmp_path: Path) -> None:
    tasks = read(tmp_path, "\n".join([line(), line(id="2", name="book"), line(id="3")]))
    config = SeedsConfig(path=tmp_path / "seeds.jsonl")
    SEEDS.preflight(config)
    result = SEEDS.run(config, Context(seed=0, work=tmp_path / "work", inputs={}, shared=tmp_path))

    assert result.counts == Counts(asked=3, kept=3)
    assert result.details == {"tasks": {"triage": 2, "book": 1}}
    rows = [row for _, row in read_jsonl(tmp_path / "work" / "seeds.jsonl")]
    assert tuple(map(SeedTask.model_validate, rows)) == tasks


def test_preflight_finds_a_bad_seed_file_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "seeds.jsonl").write_text("{")

    with pytest.raises(RecipeError, match="1: not JSON"):
        SEEDS.preflight(SeedsConfig(path=tmp_path / "seeds.jsonl"))

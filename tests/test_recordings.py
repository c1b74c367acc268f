"""The packaged answers fit the packaged recipes, and are what the scenario promises."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from pathlib import Path

import orjson
import pytest
from tools.recording import pack, requests, unpack

from instil.data.examples import SeedTask
from instil.stages.generate.parse import Item, parse_items
from instil.teachers.base import Completion, Request
from instil.teachers.recorded import RecordedTeacher
from tests.workspace import SCENARIOS

_TASKS = {"appointment_booking", "triage", "health_management"}


def _answers(scenario: str) -> list[Completion]:
    lines = gzip.decompress((SCENARIOS / scenario / "answers.jsonl.gz").read_bytes()).splitlines()
    return [Completion.model_validate(orjson.loads(line)["completion"]) for line in lines]


def _rows(scenario: str, name: str) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in (SCENARIOS / scenario / name).read_bytes().splitlines()]


@pytest.mark.parametrize(("scenario", "least"), [("clinic-zh", 100), ("clinic-en", 40)])
def test_every_request_of_the_recipe_is_answered(scenario: str, least: int) -> None:
    teacher = RecordedTeacher(SCENARIOS / scenario / "answers.jsonl.gz")

    planned = requests(scenario)

    assert len(planned) >= least
    for _, request in planned:
        assert asyncio.run(teacher.complete(request)).text


@pytest.mark.parametrize("scenario", ["clinic-zh", "clinic-en"])
def test_every_disease_comes_equally_often_for_every_task(scenario: str) -> None:
    cells = Counter(
        (call.task, disease.name) for call, _ in requests(scenario) for disease in call.entities["disease"]
    )
    names = [
        name
        for names in orjson.loads((SCENARIOS / scenario / "diseases.json").read_bytes()).values()
        for name in names
    ]

    assert set(cells) == {(task, name) for task in _TASKS for name in names}
    assert len(set(cells.values())) == 1


@pytest.mark.parametrize("scenario", ["clinic-zh", "clinic-en"])
def test_the_answers_are_malformed_in_the_ways_of_real_teachers(scenario: str) -> None:
    answers = _answers(scenario)
    texts = [answer.text for answer in answers]

    assert any(text.startswith("```") for text in texts)
    assert any(not text.startswith(("[", "{", "```")) and "[" in text for text in texts)
    assert any(text.rstrip().endswith(("},\n]", "}, ]", "},]")) for text in texts)
    assert any(answer.finish_reason == "length" for answer in answers)
    whole = sum(
        isinstance(item, Item) for answer in answers for item in parse_items(answer.text, cut_off=False)
    )
    assert whole > 0.9 * 3 * len(answers)


@pytest.mark.parametrize("scenario", ["clinic-zh", "clinic-en"])
def test_the_evaluation_rows_are_right_by_their_own_measure(scenario: str) -> None:
    for row in _rows(scenario, "held_out.jsonl"):
        messages, expect = row["messages"], row["expect"]
        assert isinstance(messages, list)
        assert isinstance(expect, list)
        assert row["task"] in _TASKS
        assert any(word.lower() in messages[-1]["content"].lower() for word in expect)


@pytest.mark.parametrize("scenario", ["clinic-zh", "clinic-en"])
def test_the_seeds_are_of_three_types(scenario: str) -> None:
    tasks = [SeedTask.model_validate(row) for row in _rows(scenario, "seed_tasks.jsonl")]

    assert Counter(task.name for task in tasks) == dict.fromkeys(_TASKS, 3)


def test_unpacking_and_packing_gives_the_same_bytes(tmp_path: Path) -> None:
    unpack("clinic-en", tmp_path)

    pack("clinic-en", tmp_path, tmp_path / "again.jsonl.gz")

    packaged = SCENARIOS / "clinic-en" / "answers.jsonl.gz"
    assert gzip.decompress((tmp_path / "again.jsonl.gz").read_bytes()) == gzip.decompress(
        packaged.read_bytes()
    )


def test_an_answer_belongs_to_exactly_one_request() -> None:
    keys = [request.key for _, request in requests("clinic-zh")]

    assert len(set(keys)) == len(keys)
    assert all(isinstance(request, Request) for _, request in requests("clinic-en"))

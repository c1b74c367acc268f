"""Recorded answers: exactly the requests that were recorded, and clear words for what is none."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import orjson
import pytest
from tools.recording import requests

from instil.cli.init import scenario_dir
from instil.errors import RecipeError, TeacherRefused
from instil.teachers.base import Completion, Request, Usage
from instil.teachers.recorded import RecordedConfig, RecordedTeacher
from tests.fakes import completion, request

LINE = orjson.dumps(
    {
        "request": {"messages": [{"role": "user", "content": "a"}]},
        "completion": {"text": "一", "usage": {"input_tokens": 3, "output_tokens": 2}, "model": "fake-1"},
    }
)


def ask(path: Path, asked: Request) -> Completion:
    async def run() -> Completion:
        async with RecordedConfig(kind="recorded", path=path).open(Path()) as teacher:
            return await teacher.complete(asked)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "data"),
    [("answers.jsonl", LINE), ("journal.jsonl", LINE + b"\n"), ("answers.jsonl.gz", gzip.compress(LINE))],
)
def test_gives_the_recorded_answer_from_a_plain_or_a_gzipped_file(
    name: str, data: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)

    assert ask(tmp_path / name, request("a")) == completion("一")


def test_refuses_what_was_never_recorded_and_says_how_to_get_a_real_teacher(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_bytes(LINE)

    for other in (request("b"), request("a", draw=1), request("a", max_tokens=9)):
        with pytest.raises(TeacherRefused, match=r"the recording 'answers\.jsonl' holds no answer") as caught:
            ask(tmp_path / "answers.jsonl", other)
        assert "openai_compatible" in str(caught.value.hint)


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b'{"completion": {"text": "x"}}',
        b'{"request": {"messages": "a"}, "completion": {"text": "x"}}',
        LINE.replace(b'"text"', b'"test"'),
    ],
    ids=["not JSON", "a list", "no request", "a wrong request", "a wrong completion"],
)
def test_a_line_that_is_no_recorded_answer_is_named_when_the_recording_is_opened(
    line: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(LINE + b"\n" + line + b"\n")

    with pytest.raises(RecipeError, match=r"answers\.jsonl:2: not a recorded answer"):
        RecordedTeacher(path)


def _flipped(data: bytes) -> bytes:
    return data[:20] + bytes(byte ^ 0xFF for byte in data[20:40]) + data[40:]


@pytest.mark.parametrize(
    "data",
    [LINE, gzip.compress(LINE)[:-9], gzip.compress(LINE)[:-4] + b"\0\0\0\0", _flipped(gzip.compress(LINE))],
    ids=["not gzip", "cut off", "wrong length", "damaged inside"],
)
def test_a_damaged_gzip_file_is_not_a_recording(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl.gz"
    path.write_bytes(data)

    with pytest.raises(RecipeError, match="not a whole gzip file"):
        RecordedTeacher(path)


def test_recorded_answers_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_bytes(LINE)

    assert RecordedConfig(kind="recorded", path=path).paid is False


@pytest.mark.parametrize("scenario", ["clinic-zh", "clinic-en"])
def test_a_packaged_recording_answers_every_call_of_its_recipe(scenario: str) -> None:
    planned = [request for _, request in requests(scenario)]
    teacher = RecordedTeacher(scenario_dir(scenario) / "answers.jsonl.gz")

    async def run() -> list[Completion]:
        return [await teacher.complete(each) for each in planned]

    answers = asyncio.run(run())
    assert len(answers) >= 48
    assert all(answer.text and answer.usage != Usage() for answer in answers)

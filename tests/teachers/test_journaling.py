"""The journal: an answer that was paid is never paid again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.data.fingerprint import fingerprint
from instil.errors import StoreError, TeacherRejected, TeacherUnavailable
from instil.teachers import teacher_identity
from instil.teachers.base import Budget, Completion, Price, Request, Sampling
from instil.teachers.journaling import Journal, JournalingTeacher, PaidAnswers
from instil.teachers.openai_compatible import OpenAICompatibleConfig
from instil.teachers.recorded import RecordedTeacher
from tests.fakes import ScriptedTeacher, completion, request

TEACHER = {"kind": "fake", "model": "m"}


def ask(path: Path, teacher: ScriptedTeacher, *requests: Request, who: dict[str, str] = TEACHER) -> list[str]:
    """Ask all requests at once, through the journal at `path`."""

    async def run() -> list[str]:
        with Journal(path, who) as journal:
            layer = JournalingTeacher(teacher, journal)
            return [c.text for c in await asyncio.gather(*(layer.complete(each) for each in requests))]

    return asyncio.run(run())


def test_never_asks_for_what_it_holds_in_this_run_and_in_the_next(tmp_path: Path) -> None:
    path = tmp_path / "run" / "journal.jsonl"
    teacher = ScriptedTeacher(completion("one"), completion("two"))

    assert ask(path, teacher, request("a"), request("b")) == ["one", "two"]
    assert ask(path, teacher, request("b"), request("a")) == ["two", "one"]
    assert teacher.asked == [request("a"), request("b")]


@pytest.mark.parametrize(
    "other",
    [
        request("a", draw=1),
        request("a", max_tokens=5),
        request("a "),
        Request(messages=request("a").messages, sampling=Sampling(temperature=0.5)),
    ],
)
def test_another_draw_sampling_or_text_is_another_request(other: Request, tmp_path: Path) -> None:
    teacher = ScriptedTeacher(completion("one"), completion("two"))

    assert ask(tmp_path / "j", teacher, request("a"), other) == ["one", "two"]
    assert teacher.asked == [request("a"), other]


def test_another_teacher_is_asked_itself(tmp_path: Path) -> None:
    teacher = ScriptedTeacher(completion("one"), completion("two"))

    assert ask(tmp_path / "j", teacher, request()) == ["one"]
    assert ask(tmp_path / "j", teacher, request(), who={"kind": "fake", "model": "other"}) == ["two"]
    assert ask(tmp_path / "j", teacher, request()) == ["one"]
    assert len(teacher.asked) == 2


def test_only_the_kind_the_model_and_the_way_of_asking_make_another_teacher() -> None:
    config = OpenAICompatibleConfig(kind="openai_compatible", base_url=("https://a/v1",), model="m")

    assert teacher_identity(config) == {
        "kind": "openai_compatible",
        "model": "m",
        "structured_output": "off",
    }
    changed = {
        "base_url": ("https://a/v1", "https://b/v1"),
        "api_key_env": "KEY",
        "timeout_s": 5.0,
        "max_concurrency": 2,
        "max_attempts": 1,
        "price": Price(input_usd=1, output_usd=2),
        "budget": Budget(max_tokens=5),
        "temperature": 0.5,
        "top_p": 0.5,
        "max_tokens": 7,
    }
    assert teacher_identity(config.model_copy(update=changed)) == teacher_identity(config)


def test_an_answer_is_on_disk_before_anything_looks_at_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"

    async def run() -> bytes:
        with Journal(path, TEACHER) as journal:
            layer = JournalingTeacher(ScriptedTeacher(completion("hi")), journal)
            await layer.complete(request("a", draw=2))
            return path.read_bytes()  # before the journal is closed

    row = orjson.loads(asyncio.run(run()))
    assert row == {
        "key": PaidAnswers(path, TEACHER).key(request("a", draw=2)),
        "teacher": fingerprint(TEACHER),
        "request": {"messages": [{"role": "user", "content": "a"}], "draw": 2},
        "completion": {
            "text": "hi",
            "finish_reason": "stop",
            "model": "fake-1",
            "usage": {"input_tokens": 3, "output_tokens": 2},
        },
    }


def test_a_failure_is_not_journaled(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    teacher = ScriptedTeacher(TeacherUnavailable("busy"), TeacherRejected("no"), completion("hi"))
    for error in (TeacherUnavailable, TeacherRejected):
        with pytest.raises(error):
            ask(path, teacher, request())

    assert path.read_bytes() == b""
    assert ask(path, teacher, request()) == ["hi"]


class Echo:
    """Answers in another order than it was asked."""

    async def complete(self, request: Request) -> Completion:
        text = request.messages[0].content
        for _ in range(int(text) * 7 % 11):
            await asyncio.sleep(0)
        return completion(f"answer {text} 你好\n\u2028" + "x" * int(text) * 50)


def test_answers_that_come_all_at_once_are_each_found_under_their_own_request(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    requests = [request(str(n)) for n in range(100)]

    async def run() -> list[Completion]:
        with Journal(path, TEACHER) as journal:
            layer = JournalingTeacher(Echo(), journal)
            answers = await asyncio.gather(*(layer.complete(each) for each in requests))
            assert [journal.get(each) for each in requests] == answers
            assert request("other") not in journal
            assert journal.get(request("other")) is None
            return answers

    answers = asyncio.run(run())
    with Journal(path, TEACHER) as journal:
        assert [journal.get(each) for each in requests] == answers
        assert answers[3].text == "answer 3 你好\n\u2028" + "x" * 150


@settings(max_examples=25)  # each syncs to disk a dozen times
@given(st.lists(st.text(max_size=12), max_size=5), st.data())
def test_a_journal_that_was_cut_anywhere_loses_at_most_the_torn_row_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "journal.jsonl"
    requests = [request(str(number)) for number in range(len(texts))]
    ask(path, ScriptedTeacher(*map(completion, texts)), *requests) if texts else path.touch()
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])

    finished = whole[:cut].count(b"\n")
    again = ScriptedTeacher(completion("again"))
    answers = ask(path, again, *requests)

    assert again.asked == requests[finished:]
    assert answers == texts[:finished] + ["again"] * (len(texts) - finished)
    untouched = ScriptedTeacher()
    assert ask(path, untouched, *requests) == answers
    assert untouched.asked == []


def test_a_finished_row_that_somebody_else_changed_is_an_error_and_not_a_loss(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    ask(path, ScriptedTeacher(completion()), request("a"), request("b"))
    path.write_bytes(path.read_bytes().replace(b'{"key"', b'{"key', 1))

    with pytest.raises(StoreError, match="line 1 is not JSON"):
        Journal(path, TEACHER)


def test_a_journal_is_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    ask(path, ScriptedTeacher(completion("one"), completion("two")), request("a"), request("a", draw=1))

    recorded = RecordedTeacher(path)
    assert asyncio.run(recorded.complete(request("a"))) == completion("one")
    assert asyncio.run(recorded.complete(request("a", draw=1))) == completion("two")

"""batch, against a real server: half the price, and never paid twice."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from instil.errors import (
    RequestError,
    StoreError,
    TeacherError,
    TeacherRefused,
    TeacherRejected,
    TeacherUnavailable,
)
from instil.teachers import open_teacher, teacher_identity
from instil.teachers.base import Completion, Request, Usage
from instil.teachers.batch import BatchConfig
from instil.teachers.batch_teacher import BatchTeacher
from instil.teachers.budgeted import Ledger
from instil.teachers.journaling import Journal
from instil.teachers.retrying import RetryingTeacher
from tests.disk import disk_full_after
from tests.fakes import request
from tests.teachers.batch_server import BatchServer, Row, Step, answer, batch_server, echo, fails

KEY = "sk-very-secret"


def config(server: BatchServer, **options: Any) -> BatchConfig:
    fast = {"linger_s": 0.02, "poll_s": 0.01, "timeout_s": 5.0, **options}
    return BatchConfig(kind="batch", base_url=server.base_url, model="teacher-large", **fast)


def requests(count: int, start: int = 0) -> list[Request]:
    return [request(f"call {number}") for number in range(start, start + count)]


def texts(asked: Sequence[Request]) -> list[str]:
    return [each.messages[-1].content.upper() for each in asked]


Outcome = Completion | BaseException


def ask(
    server: BatchServer, home: Path, asked: Sequence[Request], *, attempts: int = 1, **options: Any
) -> list[Outcome]:
    """Ask all at once; a failed one is tried again at once, up to `attempts` times."""

    async def patient(teacher: BatchTeacher, each: Request) -> Completion:
        for _ in range(1, attempts):
            try:
                return await teacher.complete(each)
            except TeacherUnavailable as error:
                if error.retry_after != 0.0:  # else it joins the next batch with the others
                    raise
        return await teacher.complete(each)

    async def run() -> list[Outcome]:
        async with config(server, **options).open(home) as teacher:
            calls = (patient(teacher, each) for each in asked)
            return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(asyncio.wait_for(run(), 30))


def said(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the answers; an error is raised."""
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome.text for outcome in outcomes if isinstance(outcome, Completion)]


def test_what_is_asked_together_is_submitted_together(tmp_path: Path) -> None:
    asked = requests(25)
    with batch_server() as server:
        outcomes = ask(server, tmp_path, asked)

    assert said(outcomes) == texts(asked)
    assert outcomes[0] == Completion(
        text="CALL 0", model="fake-1", usage=Usage(input_tokens=11, output_tokens=7)
    )
    assert server.sizes() == [25]
    (made,) = server.batches.values()
    assert made.lines[3] == {
        "custom_id": asked[3].key,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "teacher-large", "messages": [{"role": "user", "content": "call 3"}]},
    }


def test_a_full_batch_does_not_wait_for_more(tmp_path: Path) -> None:
    asked = requests(25)
    with batch_server() as server:
        assert said(ask(server, tmp_path, asked, requests_per_batch=10)) == texts(asked)

    assert sorted(server.sizes()) == [5, 10, 10]


def test_a_batch_stays_below_the_largest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instil.teachers.batch_teacher._MOST_BYTES", 1000)
    asked = [*requests(9), request("long " * 300)]
    with batch_server() as server:
        assert said(ask(server, tmp_path, asked)) == texts(asked)

    assert sum(server.sizes()) == 10
    sizes = [len(content) for content in server.files.values()]
    assert [size for size in sizes if size > 1000] == [max(sizes)]  # one that is too large alone


def test_the_same_request_twice_is_submitted_once(tmp_path: Path) -> None:
    with batch_server() as server:
        assert said(ask(server, tmp_path, [request("a"), request("b"), request("a")])) == ["A", "B", "A"]

    assert server.sizes() == [2]


def test_nothing_is_sent_where_nothing_is_asked(tmp_path: Path) -> None:
    with batch_server() as server:
        ask(server, tmp_path, [])

    assert server.steps == []


def test_a_second_run_reads_the_answers_that_came_and_sends_nothing(tmp_path: Path) -> None:
    asked = requests(5)
    with batch_server() as server:
        ask(server, tmp_path, asked)
        before = list(server.steps)
        again = ask(server, tmp_path, asked)

        assert said(again) == texts(asked)
        assert server.steps == before
        assert said(ask(server, tmp_path, requests(7))) == texts(requests(7))
    assert server.sizes() == [5, 2]


def test_another_model_or_server_does_not_read_these_answers(tmp_path: Path) -> None:
    with batch_server() as server, batch_server() as other:
        ask(server, tmp_path, requests(3))
        named = BatchConfig(
            kind="batch", base_url=server.base_url, model="teacher-small", linger_s=0.0, poll_s=0.01
        )

        async def run() -> str:
            async with named.open(tmp_path) as teacher:
                return (await teacher.complete(requests(1)[0])).text

        assert asyncio.run(run()) == "CALL 0"
        assert server.sizes() == [3, 1]
        ask(other, tmp_path, requests(3))
        assert other.sizes() == [3]


# Restarts.

STEPS: list[tuple[Step, str]] = [
    ("upload", "before"),
    ("upload", "after"),
    ("create", "before"),
    ("create", "after"),
    ("get", "before"),
    ("download", "before"),
    ("download", "after"),
]


@pytest.mark.parametrize(("step", "when"), STEPS, ids=[" ".join(step) for step in STEPS])
def test_a_run_that_is_killed_at_any_step_goes_on_and_pays_once(
    step: Step, when: Any, tmp_path: Path
) -> None:
    asked = requests(6)
    with batch_server() as server:
        here = server.reached(step, when)
        process = subprocess.Popen([sys.executable, "-c", _DRIVER, server.base_url, str(tmp_path), "6"])
        try:
            assert here.wait(20)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        server.release()

        assert said(ask(server, tmp_path, asked)) == texts(asked)

    assert set(server.paid().values()) == {1}
    assert len(server.paid()) == 6


_DRIVER = """
import asyncio, sys
from pathlib import Path
from instil.data.messages import ask
from instil.teachers.base import Request
from instil.teachers.batch import BatchConfig

base_url, home, count = sys.argv[1:]

async def main():
    config = BatchConfig(
        kind="batch", base_url=base_url, model="teacher-large",
        linger_s=0.02, poll_s=0.01, requests_per_batch=4,
    )
    async with config.open(Path(home)) as teacher:
        await asyncio.gather(
            *(teacher.complete(Request(messages=ask(f"call {n}"))) for n in range(int(count)))
        )

asyncio.run(main())
"""


def test_a_run_that_is_stopped_again_and_again_pays_once(tmp_path: Path) -> None:
    """Cancelled at random moments; each time with other requests in front of the old ones."""
    moments = Random(3)
    asked = requests(30)

    async def run(server: BatchServer, seconds: float) -> bool:
        order = moments.sample(asked, len(asked))
        async with config(server, requests_per_batch=7).open(tmp_path) as teacher:
            calls = asyncio.gather(*(teacher.complete(each) for each in order))
            try:
                answers = await asyncio.wait_for(calls, seconds)
            except TimeoutError:
                return False
            assert [answer.text for answer in answers] == texts(order)
            return True

    with batch_server() as server:
        server.looks = 8
        while not asyncio.run(run(server, moments.uniform(0.0, 0.25))):
            pass

    assert set(server.paid().values()) == {1}
    assert len(server.paid()) == 30


def test_a_torn_log_is_read_as_if_the_step_had_not_been_noted(tmp_path: Path) -> None:
    with batch_server() as server:
        ask(server, tmp_path, requests(6), requests_per_batch=3)
        whole = (tmp_path / "batches.jsonl").read_bytes()
        ends = [at for at, byte in enumerate(whole) if byte == 10]
        # Not within the very first row: then nothing was sent yet, which a real crash would leave too.
        for cut in [*range(ends[1] + 1, len(whole), 37), len(whole)]:
            (tmp_path / "batches.jsonl").write_bytes(whole[:cut])
            assert said(ask(server, tmp_path, requests(6))) == texts(requests(6))


def test_a_batch_that_was_just_created_is_found_among_many(tmp_path: Path) -> None:
    with batch_server() as server:
        server.forget_answer["create"] = 1
        for index in range(5):  # of somebody else in the same account
            ask(server, tmp_path / "other", requests(1, start=100 + index))
        server.forget_answer["create"] = 1
        assert said(ask(server, tmp_path, requests(4))) == texts(requests(4))

    assert set(server.paid().values()) == {1}


def test_a_lost_answer_at_any_step_is_asked_for_again(tmp_path: Path) -> None:
    with batch_server() as server:
        server.forget_answer = {"upload": 1, "create": 1, "get": 2, "download": 1}
        assert said(ask(server, tmp_path, requests(4))) == texts(requests(4))

    assert set(server.paid().values()) == {1}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again_at_every_step(status: int, tmp_path: Path) -> None:
    with batch_server() as server:
        server.refuse = {step: [status, status] for step in ("upload", "create", "get", "download")}
        assert said(ask(server, tmp_path, requests(4))) == texts(requests(4))

    assert set(server.paid().values()) == {1}


def test_a_server_that_stays_in_trouble_is_said_and_its_batch_is_not_given_up(tmp_path: Path) -> None:
    with batch_server() as server:
        server.refuse = {"get": [500] * 10}
        (outcome,) = ask(server, tmp_path, requests(1))
        assert type(outcome) is TeacherUnavailable
        assert server.steps.count("get") == 10

        assert said(ask(server, tmp_path, requests(1))) == ["CALL 0"]
    assert server.sizes() == [1]


# How a batch and its rows may end.


def test_what_expired_is_submitted_again_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    asked = requests(10)
    with batch_server() as server:
        server.outcomes = ["expired"]
        assert said(ask(server, tmp_path, asked, attempts=2)) == texts(asked)

    assert server.sizes() == [10, 5]
    first, second = server.batches.values()
    assert [row["custom_id"] for row in second.lines] == [row["custom_id"] for row in first.lines[5:]]


def test_a_run_that_comes_after_a_batch_expired_submits_only_what_is_missing(tmp_path: Path) -> None:
    asked = requests(10)
    with batch_server() as server:
        server.outcomes = ["expired"]
        outcomes = ask(server, tmp_path, asked)
        assert [type(outcome) for outcome in outcomes] == [Completion] * 5 + [TeacherUnavailable] * 5
        assert "expired without an answer to it" in str(outcomes[-1])

        assert said(ask(server, tmp_path, asked)) == texts(asked)
    assert server.sizes() == [10, 5]


def test_a_cancelled_batch_stops_the_run_and_the_next_one_submits_the_rest(tmp_path: Path) -> None:
    asked = requests(4)
    with batch_server() as server:
        server.outcomes = ["cancelled"]
        outcomes = ask(server, tmp_path, asked)

        assert [type(outcome) for outcome in outcomes] == [Completion] * 2 + [TeacherRefused] * 2
        assert "run the same command again" in str(getattr(outcomes[3], "hint", ""))
        assert said(ask(server, tmp_path, asked)) == texts(asked)
    assert server.sizes() == [4, 2]


def one_in_three(row: Row) -> Callable[[Mapping[str, Any]], Row]:
    """Answer every third request by `row`, as long as it is asked."""
    return lambda body: row if int(body["messages"][-1]["content"].split()[1]) % 3 == 0 else echo(body)


def test_a_rejected_row_is_that_requests_fault_and_is_not_submitted_again(tmp_path: Path) -> None:
    with batch_server() as server:
        server.respond = one_in_three(fails(400, "I do not like it"))
        for _ in range(2):  # the second time from disk
            outcomes = ask(server, tmp_path, requests(6), attempts=3)
            rejected = [outcome for outcome in outcomes if isinstance(outcome, TeacherError)]
            assert [type(outcome) for outcome in rejected] == [TeacherRejected] * 2
            assert "I do not like it" in str(rejected[0])
            assert sum(isinstance(outcome, Completion) for outcome in outcomes) == 4
    assert server.sizes() == [6]


@pytest.mark.parametrize(
    "row",
    [
        fails(429, "slow down"),
        fails(500),
        {"response": None, "error": {"code": "server_error", "message": "oops"}},
        {"response": {"status_code": 200, "body": {"choices": []}}, "error": None},
        None,
    ],
    ids=["429", "500", "an error without response", "no completion", "no row"],
)
def test_a_row_that_failed_for_now_goes_into_the_next_batch(row: Row | None, tmp_path: Path) -> None:
    failed: set[str] = set()

    def respond(body: Mapping[str, Any]) -> Row | None:
        text = body["messages"][-1]["content"]
        if server.sizes() == [6] and int(text.split()[1]) % 3 == 0:
            failed.add(text)
            return row
        return echo(body)

    with batch_server() as server:
        server.respond = respond
        assert said(ask(server, tmp_path, requests(6), attempts=2)) == texts(requests(6))

    assert failed == {"call 0", "call 3"}
    assert server.sizes() == [6, 2]


def test_a_row_with_a_refused_key_stops_and_is_submitted_again_by_the_next_run(tmp_path: Path) -> None:
    with batch_server() as server:
        server.respond = lambda _body: fails(401, "who are you?")
        (outcome,) = ask(server, tmp_path, requests(1))
        assert type(outcome) is TeacherRefused

        server.respond = echo
        assert said(ask(server, tmp_path, requests(1))) == ["CALL 0"]


def test_an_answer_that_was_cut_off_or_filtered_says_so(tmp_path: Path) -> None:
    with batch_server() as server:
        server.respond = lambda body: answer("half", finish=body["messages"][-1]["content"])
        outcomes = ask(server, tmp_path, [request("length"), request("content_filter")])

    assert [outcome.finish_reason for outcome in outcomes if isinstance(outcome, Completion)] == [
        "length",
        "content_filter",
    ]


def test_a_line_that_made_the_batch_fail_is_rejected_and_the_others_go_on(tmp_path: Path) -> None:
    asked = requests(5)
    with batch_server() as server:
        server.outcomes = ["failed"]
        server.errors = [[{"code": "invalid_request", "message": "not this one", "line": 2, "param": None}]]
        outcomes = ask(server, tmp_path, asked, attempts=2)

        rejected = outcomes.pop(1)
        assert type(rejected) is TeacherRejected
        assert "not this one" in str(rejected)
        assert said(outcomes) == texts([asked[0], *asked[2:]])
        assert type(ask(server, tmp_path, asked)[1]) is TeacherRejected
    assert server.sizes() == [5, 4]


@pytest.mark.parametrize(
    ("errors", "shown"),
    [
        ([{"code": "model_not_found", "message": "no such model", "line": 1}], "no such model"),
        ([{"code": "billing_hard_limit_reached", "message": "pay first", "line": None}], "pay first"),
        ([{"code": "empty_file", "message": "The file is empty"}], "The file is empty"),
        ([], "no reason given"),
    ],
)
def test_a_batch_that_fails_as_a_whole_stops_the_run(errors: list[Row], shown: str, tmp_path: Path) -> None:
    with batch_server() as server:
        server.outcomes, server.errors = ["failed"], [errors]
        outcomes = ask(server, tmp_path, requests(3), attempts=3)

        assert {type(outcome) for outcome in outcomes} == {TeacherRefused}
        assert shown in str(outcomes[0])
        assert said(ask(server, tmp_path, requests(3))) == texts(requests(3))
    assert server.sizes() == [3, 3]


def test_a_full_queue_at_the_server_is_filled_as_it_empties(tmp_path: Path) -> None:
    asked = requests(30)
    with batch_server() as server:
        server.most_alive = 2
        assert said(ask(server, tmp_path, asked, requests_per_batch=5)) == texts(asked)

    assert set(server.paid().values()) == {1}


def test_batches_become_smaller_where_one_alone_fills_the_queue(tmp_path: Path) -> None:
    asked = requests(30)
    with batch_server() as server:
        server.most_rows, server.most_alive = 4, 1
        assert said(ask(server, tmp_path, asked)) == texts(asked)

    assert set(server.paid().values()) == {1}
    assert server.sizes()[:4] == [30, 15, 7, 3]


def test_a_queue_that_takes_not_even_one_request_stops_the_run(tmp_path: Path) -> None:
    with batch_server() as server:
        server.most_rows = 0
        outcomes = ask(server, tmp_path, requests(3))

    assert {type(outcome) for outcome in outcomes} == {TeacherRefused}
    assert "Enqueued token limit" in str(outcomes[0])


@pytest.mark.parametrize("step", ["upload", "create", "get", "download"])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413])
def test_what_the_server_refuses_for_good_stops_the_run(step: Step, status: int, tmp_path: Path) -> None:
    with batch_server() as server:
        server.refuse = {step: [status]}
        outcomes = ask(server, tmp_path, requests(3))

        assert {type(outcome) for outcome in outcomes} == {TeacherRefused}
        assert getattr(outcomes[0], "hint", None)
        # What is at the server is still there when the cause is removed.
        assert said(ask(server, tmp_path, requests(3))) == texts(requests(3))
    assert set(server.paid().values()) == {1}


def test_a_batch_that_the_server_has_forgotten_says_how_to_go_on(tmp_path: Path) -> None:
    with batch_server() as server:
        server.refuse = {"get": [500] * 10}
        ask(server, tmp_path, requests(1))
        server.batches.clear()
        (outcome,) = ask(server, tmp_path, requests(1))
        assert type(outcome) is TeacherRefused
        assert "remove batches.jsonl" in str(outcome.hint)

        (tmp_path / "batches.jsonl").unlink()
        assert said(ask(server, tmp_path, requests(1))) == ["CALL 0"]


# Cancellation and what else may break.


def test_a_call_that_is_given_up_before_its_batch_is_not_submitted(tmp_path: Path) -> None:
    async def run(server: BatchServer) -> str:
        async with config(server, linger_s=0.2).open(tmp_path) as teacher:
            lost = asyncio.create_task(teacher.complete(request("lost")))
            kept = asyncio.create_task(teacher.complete(request("kept")))
            await asyncio.sleep(0)
            lost.cancel()
            with pytest.raises(asyncio.CancelledError):
                await lost
            return (await kept).text

    with batch_server() as server:
        assert asyncio.run(run(server)) == "KEPT"
    assert server.sizes() == [1]


def test_a_call_that_is_given_up_in_a_batch_does_not_disturb_the_others(tmp_path: Path) -> None:
    async def run(server: BatchServer) -> list[str]:
        async with config(server).open(tmp_path) as teacher:
            calls = [asyncio.create_task(teacher.complete(each)) for each in requests(4)]
            while "get" not in server.steps:
                await asyncio.sleep(0.005)
            calls[0].cancel()
            answers = [(await call).text for call in calls[1:]]
            # It came with the others, and nobody pays for it again.
            return [*answers, (await teacher.complete(requests(1)[0])).text]

    with batch_server() as server:
        assert asyncio.run(run(server)) == ["CALL 1", "CALL 2", "CALL 3", "CALL 0"]
    assert server.sizes() == [4]


def test_a_full_disk_stops_before_anything_is_sent(tmp_path: Path) -> None:
    async def run(server: BatchServer) -> None:
        async with config(server).open(tmp_path) as teacher:
            await asyncio.wait_for(teacher.complete(request()), 10)

    with batch_server() as server, disk_full_after(10), pytest.raises(StoreError, match="cannot write"):
        asyncio.run(run(server))
    assert server.steps == []


def test_answers_that_were_removed_from_disk_are_not_paid_again_in_silence(tmp_path: Path) -> None:
    with batch_server() as server:
        ask(server, tmp_path, requests(2))
        for file in (tmp_path / "batches").iterdir():
            file.unlink()
        with pytest.raises(StoreError, match="it held paid answers") as caught:
            ask(server, tmp_path, requests(2))

    assert "batches.jsonl" in str(caught.value.hint)


def test_retries_of_many_requests_share_a_batch(tmp_path: Path) -> None:
    """With the layer that asks again, as in a run."""
    asked = requests(40)
    with batch_server() as server:
        server.outcomes = ["expired", "expired"]

        async def run() -> list[Completion]:
            from instil.teachers.traffic import Traffic

            async with config(server).open(tmp_path) as teacher:
                patient = RetryingTeacher(
                    teacher, attempts=6, max_wait_s=60.0, jitter=Random(0), traffic=Traffic()
                )
                return await asyncio.gather(*(patient.complete(each) for each in asked))

        answers = asyncio.run(run())

    assert [answer.text for answer in answers] == texts(asked)
    assert server.sizes() == [40, 20, 10]


# Keys, configuration, what is told.


def test_the_key_is_sent_with_every_step_and_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with batch_server() as server:
        server.respond = one_in_three(fails(400, f"you sent {KEY}"))
        outcomes = ask(server, tmp_path, requests(4), provider="openai")

    assert server.auth == {f"Bearer {KEY}"}
    assert "***" in str(outcomes[0])
    assert KEY not in " ".join([*map(str, outcomes), *map(repr, outcomes), caplog.text])
    assert KEY not in (tmp_path / "batches.jsonl").read_text()


def test_a_key_that_is_not_set_is_found_before_anything_starts() -> None:
    with pytest.raises(RequestError, match="'OPENAI_API_KEY' is not set"):
        BatchConfig(kind="batch", provider="openai", model="m").preflight()


def test_an_address_or_a_provider_is_needed() -> None:
    with pytest.raises(ValueError, match="give a base_url, or a provider: openai, groq, dashscope"):
        BatchConfig(kind="batch", model="m")


def test_only_what_decides_an_answer_makes_another_teacher() -> None:
    one = BatchConfig(kind="batch", provider="openai", model="m")
    same = BatchConfig(
        kind="batch", base_url="https://proxy.example/v1", model="m", structured_output="json_schema",
        poll_s=1.0, requests_per_batch=7, endpoint="/v4/chat/completions", temperature=0.5,
    )  # fmt: skip
    other = BatchConfig(kind="batch", provider="openai", model="m", structured_output="off")

    assert teacher_identity(one) == teacher_identity(same)
    assert teacher_identity(one) != teacher_identity(other)


def test_openai_is_asked_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    asked = request("a", max_tokens=64).model_copy(update={"response_schema": schema})
    with batch_server() as server:
        ask(server, tmp_path, [asked], provider="openai")

    ((line,),) = (made.lines for made in server.batches.values())
    assert line["body"]["max_completion_tokens"] == 64
    assert line["body"]["response_format"]["json_schema"]["schema"] == schema


def test_a_request_that_is_refused_for_its_form_is_submitted_in_a_plainer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def respond(body: Mapping[str, Any]) -> Row:
        return fails(400, "response_format is not supported") if "response_format" in body else echo(body)

    asked = [each.model_copy(update={"response_schema": {"type": "object"}}) for each in requests(3)]
    with batch_server() as server:
        server.respond = respond
        outcomes = ask(server, tmp_path, asked, attempts=2, structured_output="json_schema")

    assert said(outcomes) == texts(asked)
    assert server.sizes() == [3, 3]


def test_a_request_that_is_refused_in_the_plainer_form_too_is_rejected(tmp_path: Path) -> None:
    asked = request("a").model_copy(update={"response_schema": {"type": "object"}})
    with batch_server() as server:
        server.respond = lambda _body: fails(400, "what is response_format?")
        (outcome,) = ask(server, tmp_path, [asked], attempts=5, structured_output="json_schema")

    assert type(outcome) is TeacherRejected
    assert server.sizes() == [1, 1]


def test_the_state_of_each_batch_is_told_when_it_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="instil.teachers")
    with batch_server() as server:
        ask(server, tmp_path, requests(3))

    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "batch batch-0: 3 requests submitted",
        "batch batch-0 in_progress: 0 of 3 done",
        "batch batch-0 finalizing: 0 of 3 done",
        "batch batch-0 completed: 3 of 3 done",
    ]


def test_the_log_holds_each_step_of_a_submission(tmp_path: Path) -> None:
    with batch_server() as server:
        ask(server, tmp_path, requests(2))

    rows = [json.loads(line) for line in (tmp_path / "batches.jsonl").read_text().splitlines()]
    mark = rows[0]["mark"]
    assert rows[0] == {"mark": mark, "teacher": rows[0]["teacher"], "requests": [r.key for r in requests(2)]}
    assert rows[1:] == [
        {"mark": mark, "file": "file-0"},
        {"mark": mark, "batch": "batch-0"},
        {"mark": mark, "ended": "completed"},
    ]
    assert next(iter(server.batches.values())).metadata == {"instil": mark}


def test_with_all_layers_a_second_run_sends_nothing_and_changes_no_answer(tmp_path: Path) -> None:
    asked = requests(30)

    async def run(server: BatchServer) -> list[Completion]:
        with Journal(tmp_path / "journal.jsonl", {}) as journal:
            opened = open_teacher(
                config(server, requests_per_batch=8), tmp_path, journal, Ledger(None, None), Random(0)
            )
            async with opened as teacher:
                return await asyncio.gather(*(teacher.complete(each) for each in asked))

    with batch_server() as server:
        server.outcomes = ["expired"]
        first = asyncio.run(run(server))
        sent = list(server.steps)
        assert asyncio.run(run(server)) == first
        assert server.steps == sent

    assert [answer.text for answer in first] == texts(asked)
    assert sorted(server.sizes()) == [4, 6, 8, 8, 8]

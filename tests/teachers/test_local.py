"""local: a real model in this process, asked by many at once."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from instil.data.messages import Message, ask
from instil.engines.transformers import TransformersEngine
from instil.errors import MissingPackage, RequestError, TeacherRejected
from instil.models.load import LanguageModel, save
from instil.teachers import open_teacher, teacher_identity
from instil.teachers.base import Completion, Request, Sampling
from instil.teachers.budgeted import Ledger
from instil.teachers.journaling import Journal
from instil.teachers.local import LocalConfig, LocalTeacher
from tests.tiny import ARCHITECTURE, TEXTS, fresh_model, saved_model

GREEDY = Sampling(temperature=0.0, max_tokens=6)
DRAWN = Sampling(temperature=1.0, top_p=0.95, max_tokens=6)


@cache
def engine() -> TransformersEngine:
    """A random model that does not only repeat the last token."""
    shape = {**ARCHITECTURE, "tie_word_embeddings": False, "initializer_range": 0.2}
    return TransformersEngine(fresh_model(architecture=shape))


def model() -> Any:
    return engine().language_model.model


def requests(count: int = 5, sampling: Sampling = GREEDY) -> list[Request]:
    return [
        Request(messages=ask(f"{TEXTS[index % 4]} {'so ' * index}"), sampling=sampling)
        for index in range(count)
    ]


Outcome = Completion | BaseException
Use = Callable[[LocalTeacher], Any]


def use(body: Use, *, batch_size: int = 16) -> Any:
    """Run `body` with a teacher."""

    async def run() -> Any:
        with ThreadPoolExecutor(1) as thread:
            teacher = LocalTeacher(engine(), thread, name="tiny", batch_size=batch_size)
            serving = asyncio.create_task(teacher.serve())
            try:
                return await asyncio.wait_for(body(teacher), 60)
            finally:
                teacher.close()
                serving.cancel()

    return asyncio.run(run())


def answers(asked: Sequence[Request], *, batch_size: int = 16) -> list[Any]:
    """Ask all at once."""

    async def together(teacher: LocalTeacher) -> list[Outcome]:
        return await asyncio.gather(*(teacher.complete(each) for each in asked), return_exceptions=True)

    outcomes: list[Any] = use(together, batch_size=batch_size)
    return outcomes


@contextmanager
def watching(before: Callable[[int, int], None]) -> Iterator[None]:
    """Call `before(rows, tokens)` before every step of the model."""

    def hook(_model: Any, _args: Any, options: dict[str, Any]) -> None:
        before(*options["input_ids"].shape)

    handle = model().register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def batches() -> Iterator[list[int]]:
    """Note the rows of each batch: its first step reads the prompts, the others one token."""
    sizes: list[int] = []

    def note(rows: int, tokens: int) -> None:
        if tokens > 1:
            sizes.append(rows)

    with watching(note):
        yield sizes


def test_answers_with_text_usage_and_model() -> None:
    [answer] = answers(requests(1))

    prompt = engine().prompt(requests(1)[0].messages)
    [expected] = engine().greedy([requests(1)[0].messages], 6)
    assert answer.text == expected
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (len(prompt), 6)
    assert (answer.finish_reason, answer.model) == ("length", "tiny")


def test_what_is_asked_together_is_answered_together() -> None:
    with batches() as sizes:
        answers(requests(7), batch_size=4)

    assert sizes == [4, 3]


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_an_answer_does_not_depend_on_its_batch_or_order(sampling: Sampling) -> None:
    asked = requests(7, sampling)
    expected = answers(asked, batch_size=1)
    assert len({answer.text for answer in expected}) > 4
    shuffled = Random(2).sample(asked, 7)

    assert answers(asked) == expected
    assert answers(shuffled, batch_size=3) == [expected[asked.index(each)] for each in shuffled]


def test_padding_is_not_counted() -> None:
    asked = requests(5)

    counted = [answer.usage.input_tokens for answer in answers(asked)]

    assert counted == [len(engine().prompt(each.messages)) for each in asked]
    assert len(set(counted)) == 5


def test_the_same_request_of_another_draw_is_another_answer() -> None:
    one = requests(1, DRAWN)[0]
    first, again, other = answers([one, one, one.model_copy(update={"draw": 1})])

    assert first == again
    assert first.text != other.text


def test_requests_that_are_sampled_otherwise_go_into_other_batches() -> None:
    mixed = [*requests(3), *requests(2, DRAWN), *requests(2, Sampling(temperature=0.0, max_tokens=3))]
    with batches() as sizes:
        together = answers(mixed)

    assert sizes == [3, 2, 2]
    assert [answer.usage.output_tokens for answer in together] == [6] * 5 + [3] * 2
    assert together[:3] == answers(requests(3))


def test_a_stop_text_ends_the_answer_before_it() -> None:
    [whole] = answers(requests(1, Sampling(temperature=0.0, max_tokens=12)))
    stop = whole.text[2:4]
    [answer] = answers(requests(1, Sampling(temperature=0.0, max_tokens=12, stop=(stop,))))

    assert answer.text == whole.text[: whole.text.index(stop)]
    assert answer.finish_reason == "stop"


def test_what_a_request_leaves_open_is_as_the_models_makers_say() -> None:
    config = model().generation_config
    before = config.do_sample, config.temperature, config.top_p
    config.do_sample, config.temperature, config.top_p = True, 1.0, 0.95
    try:
        [answer] = answers(requests(1, Sampling(max_tokens=6)))
        # Drawn by its own request's number, so it is not the same as DRAWN's; but it is not greedy.
        assert answer.text != answers(requests(1))[0].text
        assert answers(requests(1, GREEDY))[0].finish_reason == "length"
    finally:
        config.do_sample, config.temperature, config.top_p = before
    assert answers(requests(1, Sampling(max_tokens=6)))[0].text == answers(requests(1))[0].text


def test_a_prompt_longer_than_the_context_is_rejected_and_the_others_are_answered() -> None:
    long = Request(messages=ask("word " * 200), sampling=GREEDY)
    outcomes = answers([requests(1)[0], long, requests(2)[1]])

    assert type(outcomes[1]) is TeacherRejected
    assert "the model reads 128, the answer included" in str(outcomes[1])
    assert [outcomes[0], outcomes[2]] == answers(requests(2))


def test_messages_that_the_template_cannot_render_are_rejected() -> None:
    tokenizer: Any = engine().language_model.tokenizer
    strict = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    opened = LanguageModel(model(), tokenizer)
    before, tokenizer.chat_template = tokenizer.chat_template, strict + tokenizer.chat_template
    try:
        asked = Request(messages=(Message(role="system", content="be kind"), *ask("hi")), sampling=GREEDY)

        async def run(_teacher: LocalTeacher) -> list[Outcome]:
            with ThreadPoolExecutor(1) as thread:
                teacher = LocalTeacher(TransformersEngine(opened), thread, name="strict", batch_size=4)
                serving = asyncio.create_task(teacher.serve())
                calls = teacher.complete(asked), teacher.complete(requests(1)[0])
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
                serving.cancel()
                return list(outcomes)

        rejected, answered = use(run)
    finally:
        tokenizer.chat_template = before

    assert type(rejected) is TeacherRejected
    assert "no system role" in str(rejected)
    assert isinstance(answered, Completion)


def test_options_that_it_does_not_know_are_rejected() -> None:
    [outcome] = answers(requests(1, Sampling(max_tokens=2, extra={"best_of": 3})))

    assert type(outcome) is TeacherRejected
    assert "best_of" in str(outcome)


def out_of_memory_above(most: int) -> Callable[[int, int], None]:
    def check(rows: int, _tokens: int) -> None:
        if rows > most:
            raise torch.OutOfMemoryError("CUDA out of memory")

    return check


def test_a_batch_that_does_not_fit_the_memory_is_halved_and_stays_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    asked = requests(14)
    expected = answers(asked)
    with watching(out_of_memory_above(3)), batches() as sizes:
        assert answers(asked, batch_size=8) == expected

    assert sizes == [2] * 7  # after the first eight nothing larger is tried
    assert "8 prompts at once do not fit the memory; going on with 4" in caplog.text


def test_more_is_asked_again_when_memory_has_sufficed_for_a_while() -> None:
    asked = requests(5) * 12
    tight = [True]

    def check(rows: int, _tokens: int) -> None:
        if tight and rows > 2:
            tight.clear()
            raise torch.OutOfMemoryError("CUDA out of memory")

    with batches() as sizes, watching(check):
        answers(asked, batch_size=4)

    assert sizes[:3] == [4, 2, 2]
    assert sizes[3:12] == [2] * 6 + [4] * 3


def test_a_request_that_does_not_fit_alone_is_rejected_and_the_others_are_answered() -> None:
    asked = requests(5)
    lengths = [len(engine().prompt(each.messages)) for each in asked]
    longest = max(lengths)
    worst = lengths.index(longest)

    def check(rows: int, tokens: int) -> None:
        if tokens >= longest:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with watching(check):
        outcomes = answers(asked)

    rejected = outcomes.pop(worst)
    assert type(rejected) is TeacherRejected
    assert f"the memory does not suffice for a prompt of {longest} tokens alone" in str(rejected)
    assert outcomes == answers([*asked[:worst], *asked[worst + 1 :]])


def test_a_broken_model_is_not_hidden_and_not_waited_for() -> None:
    def broken(_rows: int, _tokens: int) -> None:
        raise RuntimeError("shapes do not match")

    with watching(broken):
        outcomes = answers(requests(3))

    assert [str(outcome) for outcome in outcomes] == ["shapes do not match"] * 3
    assert isinstance(answers(requests(1))[0], Completion)


def test_the_event_loop_lives_while_the_model_answers() -> None:
    step, go_on = threading.Event(), threading.Event()

    def wait(_rows: int, _tokens: int) -> None:
        step.set()
        assert go_on.wait(20), "the loop did not run"

    async def body(teacher: LocalTeacher) -> Completion:
        call = asyncio.create_task(teacher.complete(requests(1)[0]))
        while not step.is_set():
            await asyncio.sleep(0.001)
        go_on.set()  # only a loop that runs gets here
        return await call

    with watching(wait):
        assert isinstance(use(body), Completion)


def test_a_batch_that_nobody_waits_for_ends_and_leaves_the_teacher_usable() -> None:
    steps: list[int] = []
    step, go_on = threading.Event(), threading.Event()

    def wait(rows: int, _tokens: int) -> None:
        steps.append(rows)
        if len(steps) == 3:
            step.set()
            assert go_on.wait(20)

    async def body(teacher: LocalTeacher) -> Completion:
        many = Sampling(temperature=0.0, max_tokens=100)
        calls = [asyncio.create_task(teacher.complete(each)) for each in requests(2, many)]
        while not step.is_set():
            await asyncio.sleep(0.001)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        go_on.set()
        return await teacher.complete(requests(1)[0])

    with watching(wait):
        answer = use(body)

    assert answer == answers(requests(1))[0]
    assert len(steps) < 3 + 2 + 6


def test_a_call_that_is_given_up_does_not_disturb_its_batch() -> None:
    async def body(teacher: LocalTeacher) -> list[Completion]:
        calls = [asyncio.create_task(teacher.complete(each)) for each in requests(3)]
        await asyncio.sleep(0)
        calls[1].cancel()
        return [await calls[0], await calls[2]]

    first, _, third = answers(requests(3))
    assert use(body) == [first, third]


# Through the configuration.


def config(path: Path, **options: Any) -> LocalConfig:
    return LocalConfig(kind="local", model=str(path), device="cpu", **options)


def test_a_recipe_asks_a_model_directory(tmp_path: Path) -> None:
    saved = saved_model(tmp_path / "clinic")

    async def run() -> list[Completion]:
        with Journal(tmp_path / "journal.jsonl", {}) as journal:
            ledger = Ledger(None, None)
            async with open_teacher(config(saved), tmp_path, journal, ledger, Random(0)) as teacher:
                return await asyncio.gather(*(teacher.complete(each) for each in requests(5)))

    found = asyncio.run(run())

    assert [answer.model for answer in found] == ["clinic"] * 5
    assert all(answer.usage.output_tokens == 6 for answer in found)
    assert str(tmp_path) not in "".join(answer.model_dump_json() for answer in found)


def test_numbers_may_be_of_half_the_size(tmp_path: Path) -> None:
    saved = saved_model(tmp_path / "clinic")

    async def run() -> Completion:
        async with config(saved, dtype="bfloat16").open(tmp_path) as teacher:
            return await teacher.complete(requests(1)[0])

    assert asyncio.run(run()).finish_reason == "length"


def test_an_adapter_is_opened_on_its_base(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base = saved_model(tmp_path / "base")
    opened = fresh_model()
    adapted: Any = get_peft_model(
        TransformersEngine.open(str(base)).language_model.model, LoraConfig(target_modules=["q_proj"])
    )
    adapted.save_pretrained(tmp_path / "adapter")
    opened.tokenizer.save_pretrained(tmp_path / "adapter")

    async def run() -> Completion:
        async with config(tmp_path / "adapter").open(tmp_path) as teacher:
            return await teacher.complete(requests(1)[0])

    assert asyncio.run(run()).model == "adapter"


def test_the_model_counts_by_its_content_and_the_speed_not_at_all(tmp_path: Path) -> None:
    one = config(saved_model(tmp_path / "one"))
    same = config(saved_model(tmp_path / "two"), batch_size=2, max_concurrency=3, revision="other")
    (tmp_path / "two" / "README.md").write_text("changed")
    other = config(tmp_path / "two")

    assert teacher_identity(one) == teacher_identity(one.model_copy(update={"device": "auto"}))
    (tmp_path / "two" / "README.md").unlink()
    assert teacher_identity(one) == teacher_identity(same)
    (tmp_path / "two" / "README.md").write_text("changed")
    assert teacher_identity(one) != teacher_identity(other)
    assert str(tmp_path) not in str(teacher_identity(one))


def test_nobody_is_billed_for_it(tmp_path: Path) -> None:
    assert not config(saved_model(tmp_path / "model")).paid


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"model": "./nowhere"}, "no such model directory"),
        ({"model": "a/b/c"}, "no such model directory"),
        ({"model": "."}, "is no model: there is no config.json or adapter_config.json in it"),
        ({"model": "a/b", "device": "gpu"}, "device"),
        ({"model": "a/b", "dtype": "int8"}, "dtype"),
        ({"model": "a/b", "extra": {"best_of": 2}}, "a local teacher has no further options"),
    ],
)
def test_a_mistake_is_found_before_anything_starts(
    options: dict[str, Any], shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=shown):
        LocalConfig(kind="local", **options)


def test_a_device_that_is_not_here_is_named_before_the_model_is_loaded(tmp_path: Path) -> None:
    async def run() -> None:
        named = LocalConfig(kind="local", model=str(saved_model(tmp_path / "model")), device="cuda:77")
        async with named.open(tmp_path):
            pass

    with pytest.raises(RequestError, match="there is no device 'cuda:77' here") as caught:
        asyncio.run(run())
    assert "cpu" in str(caught.value.hint)


def test_a_hub_model_that_cannot_be_had_says_where_it_was_looked_for(tmp_path: Path) -> None:
    async def run() -> None:
        async with LocalConfig(kind="local", model="nobody/nothing", device="cpu").open(tmp_path):
            pass

    with pytest.raises(RequestError, match="cannot open the model 'nobody/nothing'"):
        asyncio.run(run())


def test_a_package_that_is_missing_is_found_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = config(saved_model(tmp_path / "model"))
    named.preflight()
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else found(name))

    with pytest.raises(MissingPackage, match="teacher kind 'local' needs the package 'torch'") as caught:
        named.preflight()
    assert "instil[train]" in str(caught.value.hint)


def test_a_model_without_a_chat_template_says_what_to_do(tmp_path: Path) -> None:
    opened = fresh_model()
    opened.tokenizer.chat_template = None
    save(opened, tmp_path / "base")

    async def run() -> None:
        async with config(tmp_path / "base").open(tmp_path):
            pass

    with pytest.raises(RequestError, match="has no chat template"):
        asyncio.run(run())


def test_closing_ends_a_batch_that_runs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)

    async def run() -> None:
        many = Sampling(temperature=0.0, max_tokens=100)
        async with config(saved_model(tmp_path / "model")).open(tmp_path) as teacher:
            call = asyncio.create_task(teacher.complete(requests(1, many)[0]))
            await asyncio.sleep(0.05)
            call.cancel()

    asyncio.run(run())
    assert caplog.text == ""


def test_a_stop_does_not_wait_for_a_model_that_is_being_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = config(saved_model(tmp_path / "clinic"))
    loading, loaded = threading.Event(), threading.Event()

    def load(_config: LocalConfig) -> None:
        loading.set()
        assert loaded.wait(20), "the stop waited"

    monkeypatch.setattr(LocalConfig, "_load", load)

    async def run() -> None:
        opened = asyncio.create_task(saved.open(tmp_path).__aenter__())
        while not loading.is_set():
            await asyncio.sleep(0.001)
        opened.cancel()
        await asyncio.wait({opened})
        loaded.set()  # only a stop that did not wait gets here
        assert opened.cancelled()

    asyncio.run(run())

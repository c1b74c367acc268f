"""A conversation: turns are remembered, whole oldest turns are dropped, settings are checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from instil.chat import Chat, find_model
from instil.data.messages import Message
from instil.engines.transformers import TransformersEngine
from instil.errors import RequestError
from instil.models.decoding import Decoding
from tests.tiny import saved_model, shared_model


class Echo:
    """An engine that counts words as tokens and repeats the last question."""

    notice = None

    def __init__(self, context_tokens: int | None = None) -> None:
        self.context_tokens = context_tokens
        self.seen: list[tuple[str, ...]] = []

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content.split()) for message in messages)

    def stream(self, messages: Sequence[Message], decoding: Decoding) -> Iterator[str]:
        self.seen.append(tuple(message.content for message in messages))
        yield from (word + " " for word in messages[-1].content.split())

    def greedy(self, conversations: Sequence[Sequence[Message]], max_tokens: int) -> Iterator[str]:
        yield from ()


def test_every_turn_sees_those_before_it() -> None:
    engine = Echo()
    chat = Chat(engine)

    assert "".join(chat.ask("one two")) == "one two "
    "".join(chat.ask("three"))

    assert engine.seen[1] == ("one two", "one two ", "three")


def test_whole_oldest_turns_are_dropped_and_never_the_system_prompt() -> None:
    engine = Echo(context_tokens=12)
    chat = Chat(engine, Decoding(max_tokens=4), [Message(role="system", content="be kind")])
    for question in ("a a", "b b", "c c"):
        "".join(chat.ask(question))

    assert engine.seen[-1] == ("be kind", "b b", "b b ", "c c")
    assert chat.dropped == 2


def test_a_question_that_can_never_fit_is_refused_and_changes_nothing() -> None:
    chat = Chat(Echo(context_tokens=6), Decoding(max_tokens=2))

    with pytest.raises(RequestError, match="the question is too long"):
        "".join(chat.ask("far too many words for this model"))
    assert chat.messages == []


def test_a_stopped_answer_is_remembered_as_far_as_it_came() -> None:
    chat = Chat(Echo())
    answer = chat.ask("one two three")

    next(answer)
    answer.close()  # type: ignore[attr-defined]

    assert [message.content for message in chat.messages] == ["one two three", "one "]


def test_clearing_keeps_the_system_prompt() -> None:
    chat = Chat(Echo(), messages=[Message(role="system", content="be kind")])
    "".join(chat.ask("hello"))

    chat.clear()

    assert [message.content for message in chat.messages] == ["be kind"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("temprature", "1", "no setting"),
        ("temperature", "hot", "is not a number"),
        ("temperature", "3", "between 0 and 2"),
        ("top_k", "1.5", "is not a number"),
        ("max_tokens", "0", "between 1"),
    ],
)
def test_settings_are_checked(name: str, value: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Chat(Echo()).set(name, value)


def test_a_real_model_answers_within_its_context() -> None:
    chat = Chat(TransformersEngine(shared_model()), Decoding(max_tokens=10))

    for _ in range(6):
        assert isinstance("".join(chat.ask("Where do I go with a cough?")), str)
    assert len(chat.messages) < 12


def test_a_model_is_found_in_a_run_in_a_stage_and_by_itself(tmp_path: Path) -> None:
    model = saved_model(tmp_path / "run" / "train" / "model")

    assert find_model(str(tmp_path / "run")) == find_model(str(tmp_path / "run" / "train")) == str(model)
    assert find_model(str(model)) == str(model)
    assert find_model("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"

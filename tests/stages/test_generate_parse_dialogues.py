"""parse_dialogues: conversations in any shape, from the user's first word to the assistant's last."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.messages import Message
from instil.stages.generate.parse import Malformed, parse_dialogues

Said = list[tuple[str, str]]
TWO: Said = [("user", "hi"), ("assistant", "hello"), ("user", "why"), ("assistant", "so")]
ONE: Said = [("user", "x"), ("assistant", "y")]


def parse(text: str, *, cut_off: bool = False) -> list[Said | Malformed]:
    return [
        part if isinstance(part, Malformed) else [(message.role, message.content) for message in part]
        for part in parse_dialogues(text, cut_off=cut_off)
    ]


def turns(said: Said, who: str = "role", what: str = "content", **names: str) -> list[dict[str, str]]:
    return [{who: names.get(role, role), what: content} for role, content in said]


def flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


SHAPES = {
    "messages": flat([{"messages": turns(TWO)}]),
    "sharegpt": flat({"conversations": turns(TWO, "from", "value", user="human", assistant="gpt")}),
    "speakers": flat(
        [{"topic": "t", "dialogue": turns(TWO, "speaker", "text", user="Patient", assistant="Doctor")}]
    ),
    "Chinese": flat([{"对话": turns(TWO, "角色", "内容", user="患者", assistant="医生")}]),
    "pairs": flat(
        {"turns": [{"user": "hi", "assistant": "hello"}, {"turn": 2, "user": "why", "assistant": "so"}]}
    ),
    "questions": flat(
        {"dialog": [{"question": "hi", "answer": "hello"}, {"question": "why", "answer": "so"}]}
    ),
    "one a turn": flat(
        {"chat": [{"user": "hi"}, {"assistant": "hello"}, {"user": "why"}, {"assistant": "so"}]}
    ),
    "lists of two": flat({"history": [["hi", "hello"], ["why", "so"]]}),
    "strings": flat({"dialogue": ["User: hi", "Assistant: hello", "User: why", "Assistant: so"]}),
    "one string": flat({"conversation": "User: hi\nAssistant: hello\nUser: why\nAssistant: so"}),
    "one Chinese string": flat({"对话内容": "用户：hi\n助手：hello\n用户：why\n助手：so"}),
    "no object around": flat(turns(TWO)),
    "list in a list": flat([turns(TWO)]),
    "lines of turns": "\n".join(map(flat, turns(TWO))),
    "wrapped": flat({"dialogues": [{"id": 1, "turns": turns(TWO)}]}),
    "wrapped twice": flat({"data": {"conversations": [turns(TWO)]}}),
    "broken": flat([{"messages": turns(TWO)}]).replace('"role"', "role").replace("}]}", "},],}"),
    "fenced": f"```json\n{flat({'messages': turns(TWO)})}\n```",
    "text": "User: hi\nAssistant: hello\nUser: why\nAssistant: so\n",
    "bold text": "**Dialogue 1**\n\n**Patient:** hi\n**Doctor:** hello\n\n**Patient**: why\n**Doctor**: so",
    "Chinese text": "患者：hi\n医生：hello\n患者：why\n医生：so",
    "a question left": flat({"messages": turns([*TWO, ("user", "thanks")])}),
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_reads_a_conversation_in_every_shape(text: str) -> None:
    assert parse(text) == [TWO]


def test_one_question_with_its_answer_is_a_conversation() -> None:
    assert parse('[{"user": "x", "assistant": "y"}, {"instruction": "x", "output": "y"}]') == [ONE, ONE]


def test_a_system_message_stays_in_front() -> None:
    system = ("system", "Be kind.")

    assert parse(flat({"messages": turns([system, *ONE])})) == [[system, *ONE]]
    assert parse(flat({"system": "Be kind.", "conversations": turns(ONE)})) == [[system, *ONE]]


@pytest.mark.parametrize(
    "text",
    [
        flat([{"messages": turns(TWO)}, {"messages": turns(ONE)}]),
        flat([turns(TWO), turns(ONE)]),
        flat({"conversations": [turns(TWO), turns(ONE)]}),
        "\n".join(flat({"messages": turns(said)}) for said in (TWO, ONE)),
        "User: hi\nAI: hello\nUser: why\nAI: so\n---\nUser: x\nAI: y",
        "### 对话1\n用户：hi\n医生：hello\n用户：why\n医生：so\n\n### 对话2：复诊\n用户：x\n医生：y",
    ],
)
def test_conversations_are_told_from_each_other(text: str) -> None:
    assert parse(text) == [TWO, ONE]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([("assistant", "hello"), *ONE], "does not begin with the user"),
        ([("user", "a"), *ONE], "two turns of one speaker in a row"),
        ([*ONE, ("assistant", "z")], "two turns of one speaker in a row"),
        ([*ONE, ("system", "s"), *ONE], "two turns of one speaker in a row"),
        ([("user", " "), ("assistant", "y")], "an empty turn"),
        ([*ONE, ("user", "a"), ("assistant", "")], "an empty turn"),
        ([("user", "x")], "no answer of the assistant"),
        ([("bob", "x"), ("assistant", "y")], "an unknown speaker"),
        ([("user", "x"), ("tool", "7"), ("assistant", "y")], "an unknown speaker"),
        ([("user", "x"), ("assistant", "\ud83d")], "half a surrogate pair, which is no character"),
        ([], "no turns of a conversation"),
    ],
)
def test_what_cannot_be_learned_from_is_named_and_the_rest_is_kept(said: Said, reason: str) -> None:
    text = json.dumps([{"messages": turns(said)}, {"messages": turns(ONE)}])
    parts = parse(text)

    assert [part.reason if isinstance(part, Malformed) else part for part in parts] == [reason, ONE]


def test_a_turn_that_is_no_text_makes_no_conversation() -> None:
    for content in (None, 5, ["x"], {"type": "text", "text": "x"}):
        (part,) = parse(flat({"messages": [{"role": "user", "content": content}, *turns(ONE)[1:]]}))
        assert isinstance(part, Malformed) or content == 5


def test_lines_that_only_look_like_speakers_belong_to_the_turn_before_them() -> None:
    text = "User: a\nNote: b\nAssistant: The rule:\nAnswer: 42\n\nExample: none"

    assert parse(text) == [[("user", "a\nNote: b"), ("assistant", "The rule:\nAnswer: 42\n\nExample: none")]]


def test_a_speaker_under_two_names_is_not_guessed() -> None:
    assert parse("User: a\nAI: b\nHuman: c\nAI: d") == [
        Malformed("a speaker under two names", "User: a\nAI: b\nHuman: c\nAI: d")
    ]


@pytest.mark.parametrize("cut_off", [True, False])
@pytest.mark.parametrize("cut", [1, 20, 30, 60])
def test_turns_before_a_cut_are_no_conversation(cut: int, cut_off: bool) -> None:
    for whole in (flat([{"messages": turns(ONE)}, {"messages": turns(TWO)}]), flat([turns(ONE), turns(TWO)])):
        parts = parse(whole[:-cut], cut_off=cut_off)

        assert [part for part in parts if not isinstance(part, Malformed)] in ([ONE], [ONE, TWO])
        assert [part for part in parts if isinstance(part, Malformed)] or [*parts] == [ONE, TWO]


def test_a_transcript_that_the_token_limit_ended_loses_its_last_conversation_only() -> None:
    text = "User: x\nAI: y\n---\nUser: hi\nAI: hel"

    assert parse(text, cut_off=True) == [ONE, Malformed("cut off at max_tokens", "User: hi\nAI: hel")]


def test_turns_around_a_broken_one_are_no_conversation() -> None:
    broken = flat(turns(TWO)).replace('"content": "hello"', '"content": hello')

    assert not [part for part in parse(broken) if not isinstance(part, Malformed)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty answer"),
        ("I cannot help.", "no JSON in the answer"),
        ('{"foo": 1}', "no text under the key 'instruction'"),
        ('{"messages": "hello"}', "an unknown speaker"),
        ('{"messages": ["User: hi", "hello"]}', "an unknown speaker"),
    ],
)
def test_an_answer_without_conversations_is_one_part_that_is_none(text: str, reason: str) -> None:
    assert parse(text) == [Malformed(reason, text)]


_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\b\f")  # see the test of LaTeX in items
_WORDS = st.text(_CHARACTERS, min_size=1, max_size=6).filter(lambda text: bool(text.strip()))


@given(
    st.lists(st.lists(st.tuples(_WORDS, _WORDS), min_size=1, max_size=3), min_size=1, max_size=3),
    st.booleans(),
    st.data(),
)
def test_a_list_that_is_cut_anywhere_gives_whole_conversations_and_no_other(
    pairs: list[list[tuple[str, str]]], bare: bool, data: st.DataObject
) -> None:
    said = [[each for q, a in rounds for each in (("user", q), ("assistant", a))] for rounds in pairs]
    text = flat([turns(each) if bare else {"messages": turns(each)} for each in said])
    cut = data.draw(st.integers(0, len(text)))
    whole = [part for part in parse(text[:cut], cut_off=True) if not isinstance(part, Malformed)]

    assert whole == said[: len(whole)]


_NOISE = st.lists(
    st.sampled_from(
        [
            *('{"messages": [', '{"role": "user", "content": "a"}', '{"role": "assistant", "content": "b"}'),
            *("]", "}", ",", "[", "{", "User: ", "\nAssistant: ", "医生：", "\n---\n", '"', "\ud83d"),
            *('{"dialogue": "', '{"user": "a", "assistant": ["b"]}'),
        ]
    ),
    max_size=30,
).map("".join)


@given(_NOISE, st.booleans())
def test_no_text_is_an_accident_and_what_is_kept_keeps_the_rules(text: str, cut_off: bool) -> None:
    parts = list(parse_dialogues(text, cut_off=cut_off))

    assert parts
    for part in parts:
        if isinstance(part, Malformed):
            part.text.encode()
            continue
        spoken = [message for message in part if message.role != "system"]
        assert [message.role for message in spoken] == ["user", "assistant"] * (len(spoken) // 2)
        assert all(isinstance(message, Message) and message.content.strip() for message in part)

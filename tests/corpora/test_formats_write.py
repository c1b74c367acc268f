"""What a writer writes reads back as the same turns, or it says why it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.corpora.base import BadRecord, Row
from instil.corpora.formats import FORMATS
from instil.data.examples import Example, Label, Origin
from instil.data.messages import Message, Turn

WRITERS = sorted(name for name, each in FORMATS.items() if each.write)
ORIGIN = Origin(kind="corpus", name="mine", license="MIT")
# Pieces that look like the marks of one format or another, and blanks that a format may take for its own.
PIECES = ["a", "b c", " ", "\n", "\n\n", "Human: ", "HugChat:", "[Human]:", "\nHuman: x \n HugChat: y \n\n"]
PIECES += [
    "Human:x\nAssistant:",
    "<human>:",
    "### Assistant:",
    "<tools>",
    "</tools>",
    "{}",
    "“é”",
    "\u2028",
    "\x00",
]
TEXT = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1).map("".join), st.text(st.characters(codec="utf-8"))
)
SAID = TEXT.filter(lambda text: text.strip() != "")
PLAIN = st.sampled_from(["q", "a b.", "你好", "Name a river:\n- a long one", "{}", "1 < 2 & 3"])
BLANK = st.text(st.sampled_from(" \n\t"), max_size=4)
PADDED = st.builds("{}{}{}".format, BLANK, PLAIN, BLANK)


def example(turns: list[Turn]) -> Example:
    return Example(messages=tuple(Message(role=role, content=text) for role, text in turns), origin=ORIGIN)


@st.composite
def conversations(draw: st.DrawFn, text: st.SearchStrategy[str], *, tools: bool = False) -> list[Turn]:
    turns: list[Turn] = [("system", draw(text))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        turns.append(("user", draw(text)))
        if tools and draw(st.booleans()):
            turns += [("assistant", f"<tool_call>\n{draw(text)}\n</tool_call>"), ("tool", draw(text))]
        turns.append(("assistant", draw(text)))
    return turns


def read_back(name: str, record: Any) -> list[Turn]:
    (row,) = FORMATS[name].read(record)
    assert isinstance(row, Row)
    return list(row.turns)


def test_these_formats_can_be_written() -> None:
    assert WRITERS == [
        "alpaca",
        "hugchat",
        "lmflow",
        "lmflow_text2text",
        "messages",
        "prompt_completion",
        "self_instruct",
        "sharegpt",
    ]


@pytest.mark.parametrize("name", WRITERS)
@given(turns=conversations(SAID, tools=True))
def test_what_is_written_reads_back_as_the_same_turns_or_is_refused(name: str, turns: list[Turn]) -> None:
    each = FORMATS[name]
    assert each.write
    try:
        record = each.write(example(turns))
    except BadRecord:
        if name in ("messages", "lmflow", "sharegpt"):
            raise  # these can say everything
        return
    assert read_back(name, record) == turns
    # Whoever reads the file without knowing its format finds the same.
    assert read_back(next(found.name for found in FORMATS.values() if found.matches(record)), record) == turns


@pytest.mark.parametrize("name", WRITERS)
@given(turns=conversations(PLAIN))
def test_a_plain_conversation_is_refused_only_by_what_holds_a_single_answer(
    name: str, turns: list[Turn]
) -> None:
    each = FORMATS[name]
    assert each.write
    if name in ("prompt_completion", "self_instruct", "lmflow_text2text"):
        turns = [turn for turn in turns if turn[0] != "system"][:2]
    assert read_back(name, each.write(example(turns))) == turns


@given(turns=conversations(PADDED))
def test_white_space_around_a_text_survives_hugchat(turns: list[Turn]) -> None:
    write = FORMATS["hugchat"].write
    assert write
    assert read_back("hugchat", write(example(turns))) == turns


@pytest.mark.parametrize(
    ("name", "turns", "reason"),
    [
        (
            "alpaca",
            [("user", "q"), ("assistant", "c"), ("tool", "t"), ("assistant", "a")],
            "holds no tool turns",
        ),
        (
            "alpaca",
            [("system", "s"), ("assistant", "hi"), ("user", "q"), ("assistant", "a")],
            "answered in turn",
        ),
        ("alpaca", [("user", "q")], "alpaca holds only questions that are answered in turn"),
        ("alpaca", [("user", "q"), ("assistant", "\n")], "alpaca cannot hold it: 'output' is empty"),
        ("hugchat", [("user", "q"), ("tool", "t"), ("assistant", "a")], "hugchat holds no tool turns"),
        ("hugchat", [("user", "q"), ("assistant", "a\nHuman: b")], "a text has the marks of the format"),
        ("prompt_completion", [("system", "s"), ("user", "q"), ("assistant", "a")], "holds no system prompt"),
        ("prompt_completion", [("user", "q"), ("assistant", "a")] * 2, "one question and one answer"),
        ("self_instruct", [("user", "q"), ("assistant", "a")] * 2, "one question and one answer"),
        ("lmflow_text2text", [("user", "q"), ("assistant", "a")] * 2, "one question and one answer"),
        (
            "sharegpt",
            [("user", "q"), ("assistant", "a"), ("system", "s"), ("user", "r"), ("assistant", "b")],
            "sharegpt holds no system prompt within a conversation",
        ),
        ("sharegpt", [("user", "q")], "sharegpt cannot hold it: no question with an answer"),
    ],
)
def test_what_a_format_cannot_say_is_refused_with_the_reason(
    name: str, turns: list[Turn], reason: str
) -> None:
    write = FORMATS[name].write
    assert write
    with pytest.raises(BadRecord) as caught:
        write(example(turns))
    assert reason in str(caught.value)


def test_a_row_of_ours_is_written_with_its_origin_and_label_and_read_with_them() -> None:
    label = Label(task="classification", template="plain", value="1", answer="yes")
    given = example([("user", "q"), ("assistant", "yes")]).model_copy(update={"label": label})
    write = FORMATS["messages"].write
    assert write
    (row,) = FORMATS["messages"].read(write(given))
    assert row == Row((("user", "q"), ("assistant", "yes")), label, ORIGIN)


def test_every_record_of_a_format_has_the_same_keys() -> None:
    short = example([("user", "q"), ("assistant", "a")])
    long = example([("system", "s"), *[("user", "q"), ("assistant", "a")] * 2])  # type: ignore[list-item]
    for name in ("alpaca", "hugchat", "lmflow", "sharegpt"):
        write = FORMATS[name].write
        assert write
        assert write(short).keys() == write(long).keys()

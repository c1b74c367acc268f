"""parse_numbered: tasks in Alpaca's style, told by their labels and not by their numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.stages.generate.parse import Item, Malformed, parse_numbered

A, B = Item("Add.", "1+1", "2"), Item("Say hi.", "", "hi")


def parse(text: str, *, cut_off: bool = False, lead: str = "") -> list[Item | Malformed]:
    return list(parse_numbered(text, cut_off=cut_off, lead=lead))


STYLES = {
    "Alpaca": "###\n1. Instruction: Add.\n1. Input:\n1+1\n1. Output:\n2\n###\n"
    "2. Instruction: Say hi.\n2. Input:\n<noinput>\n2. Output:\nhi\n###\n",
    "no marks": "1. Instruction: Add.\n1. Input: 1+1\n1. Output: 2\n\n2. Instruction: Say hi.\n2. Output: hi",
    "prose around": "Sure, here are 2 tasks:\n\n1. Instruction: Add.\n1. Input: 1+1\n1. Output: 2\n###\n"
    "2. Instruction: Say hi.\n2. Input: No input\n2. Output: hi\n###\nI hope these help.",
    "wrong numbers": "###\n3. Instruction: Add.\n3. Input: 1+1\n4. Output: 2\n###\n1. Instruction: Say hi.\n"
    "1. Input: <noinput>\n7. Output: hi",
    "bold": "**1. Instruction:** Add.\n**1. Input:** 1+1\n**1. Output:** 2\n\n**2. Instruction**: Say hi.\n"
    "**2. Input**: <noinput>\n**2. Output**: hi",
    "headings": "### 1. Instruction: Add.\n1. Input: 1+1\n1. Output: 2\n"
    "### 2. Instruction: Say hi.\n2. Output: hi",
    "full width": "１．指令：Add.\n１．输入：1+1\n１．输出：2\n###\n"
    "２．指令：Say hi.\n２．输入：<无输入>\n２．输出：hi",
    "Chinese": "1. 指令: Add.\n1. 输入: 1+1\n1. 输出: 2\n###\n2. 指令：Say hi.\n2. 输入：无\n2. 输出：hi",
    "without numbers": "Instruction: Add.\nInput: 1+1\nOutput: 2\n\nInstruction: Say hi.\nOutput: hi",
    "numbers alone": "1.\nInstruction: Add.\nInput: 1+1\nOutput: 2\n\n2.\nInstruction: Say hi.\nOutput: hi\n",
    "Windows": "1. Instruction: Add.\r\n1. Input:\r\n1+1\r\n1. Output:\r\n2\r\n###\r\n"
    "2. Instruction: Say hi.\r\n2. Output: hi\r\n",
    "JSON all the same": '[{"instruction": "Add.", "input": "1+1", "output": "2"}, '
    '{"instruction": "Say hi.", "output": "hi"}]',
}


@pytest.mark.parametrize("text", STYLES.values(), ids=STYLES)
def test_reads_tasks_however_their_labels_are_written(text: str) -> None:
    assert parse(text) == [A, B]


@pytest.mark.parametrize(
    "lead", ["3. Instruction:", "###\n3. Instruction:", "List of 20 tasks:\n###\n3. Instruction: "]
)
def test_an_answer_continues_the_label_that_the_prompt_has_printed(lead: str) -> None:
    rest = "Add.\n3. Input: 1+1\n3. Output: 2\n###\n4. Instruction: Say hi.\n4. Output: hi"

    assert parse(rest, lead=lead) == [A, B]
    assert parse(" " + rest, lead=lead) == [A, B]
    # A chat model begins again with a label of its own.
    assert parse("3. Instruction: " + rest, lead=lead) == [A, B]
    assert parse("###\n3. Instruction: " + rest, lead=lead) == [A, B]


def test_what_a_text_says_is_left_as_it_came() -> None:
    output = "    def f():\n\n        return 1\n### Step 2\n1. one\n2. two\nOutput: three\nInput: four"
    text = f"1. Instruction: Code.\n1. Input: <noinput>\n1. Output:\n{output}\n###\n"
    text += "2. Instruction: Say hi.\n2. Output: hi\n"

    assert parse(text) == [Item("Code.", "", output), B]


def test_other_names_are_content_where_tasks_have_their_own() -> None:
    text = "Instruction: Add.\nQuestion: how much?\nInput: 1+1\nOutput: 2\nAnswer: two"

    assert parse(text) == [Item("Add.\nQuestion: how much?", "1+1", "2\nAnswer: two")]


def test_the_last_task_is_no_item_where_the_token_limit_cut_it_off() -> None:
    text = "1. Instruction: Add.\n1. Input: 1+1\n1. Output: 2\n###\n2. Instruction: Say hi.\n2. Output: hi"

    assert parse(text, cut_off=True) == [
        A,
        Malformed("cut off at max_tokens", "2. Instruction: Say hi.\n2. Output: hi"),
    ]
    assert parse(text + "\n###\n", cut_off=True) == [A, B]
    assert parse(text[:12], cut_off=True) == [Malformed("no numbered task in the answer", text[:12])]


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("2. Instruction: b\n2. Input: x", "no text under the key 'output'"),
        ("2. Instruction: b\n2. Output:\n", "empty output"),
        ("2. Instruction:\n2. Output: c", "empty instruction"),
        ("2. Instruction: b\n2. Output: c\n2. Output: d", "a key twice with different texts"),
        ("2. Instruction: b\n2. Output: \ud83d", "half a surrogate pair, which is no character"),
    ],
)
def test_what_is_not_a_whole_task_is_named_and_the_rest_is_kept(task: str, reason: str) -> None:
    text = f"1. Instruction: Add.\n1. Input: 1+1\n1. Output: 2\n###\n{task}\n###\n"
    text += "3. Instruction: Say hi.\n3. Output: hi"
    parts = parse(text)

    assert [part for part in parts if isinstance(part, Item)] == [A, B]
    assert [part.reason for part in parts if isinstance(part, Malformed)] == [reason]


@pytest.mark.parametrize(
    ("text", "reason"), [(" \n", "empty answer"), ("No.", "no numbered task in the answer")]
)
def test_an_answer_without_tasks_is_one_part_that_is_none(text: str, reason: str) -> None:
    assert parse(text) == [Malformed(reason, text)]


_LINE = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=12)
_TASKS = st.lists(st.builds(Item, _LINE, st.just(""), _LINE), min_size=1, max_size=5)


@given(_TASKS, st.booleans(), st.data())
def test_an_answer_that_is_cut_anywhere_gives_whole_tasks_and_no_other(
    tasks: list[Item], marks: bool, data: st.DataObject
) -> None:
    end = "\n###\n" if marks else "\n"
    written = [
        f"{n}. Instruction: {task.instruction}\n{n}. Input:\n<noinput>\n{n}. Output:\n{task.output}{end}"
        for n, task in enumerate(tasks, start=1)
    ]
    text = "".join(written)
    cut = data.draw(st.integers(1, len(text)))
    items = [part for part in parse(text[:cut], cut_off=True) if isinstance(part, Item)]

    assert items == tasks[: len(items)]
    assert sum(map(len, written[: len(items)])) <= cut + len(end)


_NOISE = st.lists(
    st.sampled_from(
        [
            *("1. Instruction:", "Input:", "2. Output：", "指令：", "###", "\n", "**", "<noinput>", "{", "a"),
            *("\ud83d", "3."),
        ]
    ),
    max_size=30,
).map("".join)


@given(_NOISE, st.booleans(), st.sampled_from(["", "3. Instruction:"]))
def test_no_text_is_an_accident_and_every_part_can_be_written(text: str, cut_off: bool, lead: str) -> None:
    parts = parse(text, cut_off=cut_off, lead=lead)

    assert parts
    for part in parts:
        (part.question + part.output if isinstance(part, Item) else part.reason + part.text).encode()

"""What of a prompt turns up in its items."""

from __future__ import annotations

from pathlib import Path

import pytest

from instil.errors import RecipeError
from instil.filters.leakage import LeakageConfig
from tests.filters.rows import example, reason

MARK, WORDS = "a mark of the prompt", "words of the prompt"
RULES = LeakageConfig(kind="leakage").build()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Name three fruits.\n<noinput>", "Apple, pear, plum."),
        ("说出三种水果。\n&lt;无输入&gt;", "苹果、梨、李子。"),
        ("Name three fruits.", "Apple, pear.\n\n11. Instruction: Name a dog."),
        ("说出三种水果。", "苹果、梨。\n11. 指令：说出一种狗。"),
        ("Name three fruits.", "1. Input: none\nand\n1. Output: apple"),
        ("Name a fruit. <disease_list>", "Apple."),
        ("Name a fruit.", "Apple.\n### Response: pear"),
        ("Name a fruit.", "Apple.\n###"),
        ("Name a fruit.", 'Here: {"instruction": "Name a dog.", "input": "", "output": "Spaniel"}'),
        ("Name a fruit.", '```json\n[{"instruction": "Name a dog."}]\n```'),
        ("Instruction: name a fruit.", "Apple."),
        ("指令：说出一种水果。", "苹果。"),
        ("Here are 20 tasks:", "Apple."),
        ("Below are three example tasks:", "Apple."),
        ("以下是3个新的任务：", "好的。"),
        ("Name a fruit.", "{% for seed in seeds %}"),
    ],
)
def test_marks_of_a_prompt_are_rejected(question: str, answer: str) -> None:
    assert reason(RULES, question, answer) == MARK


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Explain fever.", "## Causes\n\n### Infection\n\nViruses."),
        ("Give it as JSON.", '```json\n{"name": "fever"}\n```'),
        ("How do I sort?", "1. Input: a list\n2. Output: the sorted list"),
        ("给出例子。", "以下是一个示例函数：\nf(x)"),
        ("How do I lower a fever?", "Here are three tips:\n1. Drink."),
        ("发烧怎么办？", "以下是几个建议：多休息。"),
        ("What are the instructions for use?", "Instructions: take one a day."),
        ("What does <div> do?", "It groups what stands in it."),
        ("Reverse the task.", "Instruction: Fill the mug."),
    ],
)
def test_headings_code_and_lists_are_kept(question: str, answer: str) -> None:
    assert reason(RULES, question, answer) is None


def leaks(
    tmp_path: Path, prompt: str, question: str, answer: str = "Fine.", name: str = "p.txt"
) -> str | None:
    (tmp_path / name).write_text(prompt, encoding="utf-8")
    return reason(LeakageConfig(kind="leakage", prompts=(tmp_path / name,)).build(), question, answer)


PROMPT = (
    "You write questions of patients and answers of doctors. "
    "Each question is about <disease_list> and short.\n"
    "你要根据下面的疾病列表写出患者的问题和医生的回答。\n"
)


def test_eight_words_of_the_template_in_a_row_are_rejected_and_seven_are_not(tmp_path: Path) -> None:
    leaked = "Please: YOU write questions, of patients and answers of"
    assert leaks(tmp_path, PROMPT, leaked) == WORDS
    assert leaks(tmp_path, PROMPT, leaked.rpartition(" ")[0]) is None
    assert leaks(tmp_path, PROMPT, "Why?", f"Because {leaked}") == WORDS


def test_twelve_characters_in_a_row_are_rejected_and_eleven_are_not(tmp_path: Path) -> None:
    assert leaks(tmp_path, PROMPT, "请根据下面的疾病列表，写出患") == WORDS
    assert leaks(tmp_path, PROMPT, "请根据下面的疾病列表，写出") is None


def test_what_a_tag_stands_for_is_no_part_of_the_template(tmp_path: Path) -> None:
    assert leaks(tmp_path, PROMPT, "Each question is about disease list and short") is None
    named = PROMPT.replace("<disease_list>", "disease list")
    assert leaks(tmp_path, named, "Each question is about disease list and short") == WORDS
    assert (
        leaks(
            tmp_path, "Write {{ item_count }} tasks on the things below now", "write 3 tasks on", name="p.j2"
        )
        is None
    )
    loop = "{% for seed in seeds %}one two three{% endfor %} four five six seven eight"
    assert leaks(tmp_path, loop, "one two three four five six seven eight", name="p.j2") is None


def test_the_words_and_the_template_are_named(tmp_path: Path) -> None:
    (tmp_path / "clinic.txt").write_text(PROMPT, encoding="utf-8")
    rules = LeakageConfig(kind="leakage", prompts=(tmp_path / "clinic.txt",)).build()
    found = rules.check(example("You write questions of patients and answers of doctors"))
    assert found
    assert found.nearest == "clinic.txt: you write questions of patients and answers of"


def test_own_marks_replace_ours() -> None:
    own = LeakageConfig(kind="leakage", fragments=("TASK END",)).build()
    assert reason(own, "Name a fruit.", "Apple. task end") == MARK
    assert reason(own, "Name a fruit.", "Apple.\n<noinput>") is None


def test_a_template_that_is_no_text_is_an_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"p\.txt: not UTF-8 text"):
        LeakageConfig(kind="leakage", prompts=(tmp_path / "p.txt",)).build()

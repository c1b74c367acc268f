"""split_thinking: thoughts are kept aside, and what an answer says about thoughts is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.stages.generate.parse import Thinking, split_thinking


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>\nWhy?\n</think>\n\nSo.", Thinking("Why?", "So.")),
        (" <thinking>Why?</thinking>So.", Thinking("Why?", "So.")),
        ("<THINK>Why?</think>\r\nSo.", Thinking("Why?", "So.")),
        ("<seed:think>Why?</seed:think>So.", Thinking("Why?", "So.")),
        ("[THINK]Why?[/THINK]So.", Thinking("Why?", "So.")),
        ("◁think▷Why?◁/think▷So.", Thinking("Why?", "So.")),
        (
            "<|begin_of_thought|>\n\nWhy?\n\n<|end_of_thought|>\n\n<|begin_of_solution|>So.<|end_of_solution|>",
            Thinking("Why?", "So."),
        ),
        (
            "<|START_THINKING|>Why?<|END_THINKING|><|START_RESPONSE|>So.<|END_RESPONSE|>",
            Thinking("Why?", "So."),
        ),
        (
            "<|channel|>analysis<|message|>Why?<|end|><|start|>assistant<|channel|>final<|message|>So.<|return|>",
            Thinking("Why?", "So."),
        ),
        ("<think>One.</think>\n<think>Two.</think>\nSo.", Thinking("One.\n\nTwo.", "So.")),
        ("<think>\n\n</think>\n\nSo.", Thinking(None, "So.")),
        ("Why?\n</think>\n\nSo.", Thinking("Why?", "So.")),
        ("Why?</think>[1]", Thinking("Why?", "[1]")),
        ("<think>Why? </thinking> still", Thinking("Why? </thinking> still", "", unfinished=True)),
        ("<think>", Thinking(None, "", unfinished=True)),
        ("So.", Thinking(None, "So.")),
        ("", Thinking(None, "")),
        (" \n So. \n", Thinking(None, " \n So. \n")),
    ],
)
def test_thoughts_are_told_from_the_answer(text: str, expected: Thinking) -> None:
    assert split_thinking(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        '[{"instruction": "What do <think> and </think> mark?", "output": "Thoughts."}]',
        '[{"instruction": "Close it with </think>, please.", "output": "1"}]',
        "The tag <think> opens thoughts.\n</think> closes them.",
    ],
)
def test_an_answer_about_thoughts_is_an_answer(text: str) -> None:
    assert split_thinking(text) == Thinking(None, text)


def test_white_space_of_the_answer_itself_stays() -> None:
    assert split_thinking("<think>t</think>\n\n    code\n  more \n").answer == "    code\n  more \n"


@given(st.text(), st.text())
def test_whatever_is_thought_the_answer_comes_back(thought: str, answer: str) -> None:
    thinking = split_thinking(f"<think>{thought}</think>\n{answer}")

    if "</think>" not in thought.lower() and not answer.lstrip().startswith(("<", "[", "◁")):
        assert thinking.answer == answer.lstrip("\r\n")
    assert split_thinking(thought + answer) is not None

"""What a reasoning model thought, apart from what it answered."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNFINISHED = "cut off while thinking"

# What opens and closes thoughts, by model family. Only at the start of an answer: further on it is content.
_MARKS = [
    *((rf"<{name}>", rf"</{name}>") for name in ("think", "thinking", "thought", "thoughts", "reasoning")),
    (r"<seed:think>", r"</seed:think>"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"◁think▷", r"◁/think▷"),
    (r"\[THINK\]", r"\[/THINK\]"),
    (r"<\|channel\|>analysis<\|message\|>", r"<\|end\|>"),
]
_BLOCKS = [
    (re.compile(rf"\s*{opening}", re.IGNORECASE), re.compile(closing, re.IGNORECASE))
    for opening, closing in _MARKS
]
# A template may have opened the thoughts in the prompt; then the answer only closes them, on a line's end.
_LONE = [
    (re.compile(opening, re.IGNORECASE), re.compile(rf"{closing}(?=\s|\Z|[\[{{`])", re.IGNORECASE))
    for opening, closing in _MARKS[:-1]
]
# What some models write around the answer that follows.
_AROUND_ANSWER = re.compile(
    r"\s*(?:<\|begin_of_solution\|>|<\|START_RESPONSE\|>|<\|start\|>assistant<\|channel\|>final<\|message\|>|<answer>)"
    r"(?P<answer>.*?)(?:<\|end_of_solution\|>|<\|END_RESPONSE\|>|<\|return\|>|<\|end\|>|</answer>)?\s*",
    re.DOTALL,
)


@dataclass(frozen=True)
class Thinking:
    """An answer, and the thoughts before it."""

    reasoning: str | None
    """None where there are none."""
    answer: str
    unfinished: bool = False
    """Whether the thoughts never ended, so that the answer never began."""


def split_thinking(text: str) -> Thinking:
    """Return the answer without the thoughts before it; text without thoughts is returned as it is.

    Args:
        text: the answer as it came. Marks count at its start only, or where the first of them closes what
            the prompt has opened.
    """
    thoughts: list[str] = []
    rest = text
    while True:
        block = next(((found, end) for start, end in _BLOCKS if (found := start.match(rest))), None)
        if block is None:
            break
        start, closing = block
        end = closing.search(rest, start.end())
        if end is None:
            thoughts.append(rest[start.end() :])
            return Thinking(_joined(thoughts), "", unfinished=True)
        thoughts.append(rest[start.end() : end.start()])
        rest = rest[end.end() :]
    if not thoughts and (lone := _lone_end(text)) is not None:
        thoughts.append(text[: lone.start()])
        rest = text[lone.end() :]
    if not thoughts:
        return Thinking(None, text)
    around = _AROUND_ANSWER.fullmatch(rest)
    return Thinking(_joined(thoughts), around["answer"] if around else rest.lstrip("\r\n"))


def _lone_end(text: str) -> re.Match[str] | None:
    for opening, closing in _LONE:
        end = closing.search(text)
        if end is not None and not opening.search(text, 0, end.start()):
            return end
    return None


def _joined(thoughts: list[str]) -> str | None:
    return "\n\n".join(each for thought in thoughts if (each := thought.strip())) or None

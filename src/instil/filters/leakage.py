"""Reject items that hold words of the prompt they came from.

A teacher that loses the thread goes on writing its instructions: a tag of the template, the label of
the next item, or a sentence of the prompt turns up in a question or an answer.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from instil.config.base import InputFile, Items
from instil.data.examples import Example, Rejection
from instil.data.text import read_text
from instil.data.words import words
from instil.filters.base import FilterConfigBase, Stateless
from instil.filters.patterns import Patterns, any_of

FRAGMENTS = (
    r"<(?:sample|item|example|entity|\w+)_list>|<item_count>",
    r"(?:<|&lt;)\s*no[\s_-]?input\s*(?:>|&gt;)|(?:<|&lt;)\s*无输入\s*(?:>|&gt;)",
    r"(?:^|\n)\s*\d+\s*[.、)]\s*(?:instruction|指令)\s*[:：]",
    r"(?P<item>\d+)\s*[.、)]\s*(?:input|输入)\s*[:：][\s\S]{0,2000}?\n\s*(?P=item)\s*[.、)]\s*(?:output|输出)\s*[:：]",
    r"(?:^|\n)\s*#{2,}\s*(?:instruction|input|response|output|指令|输入|输出|回答)\s*[:：]",
    r"(?:^|\n)\s*#{3,}\s*$",
    r"[\"'“](?:instruction|指令)[\"'”]\s*[:：]\s*[\"'“].*[\"'“](?:output|输出|response|回答)[\"'”]\s*[:：]",
    r"^\s*```(?:json)?[\s\[{]+[\"'](?:instruction|指令)",
    r"\{\{\s*\w+[^}\n]*\}\}\s*\{%|\{%-?\s*(?:for|if|endfor|endif)\b.*\b(?:seeds|entities|item_count)\b",
)
"""Marks of prompts and of their answers, whatever the case. A heading or a code block is none."""

# An answer may well begin so, a question cannot.
_LEAD_INS = (
    r"^\s*(?:[-*]\s*)?(?:\*\*)?(?:instruction|指令)(?:\*\*)?\s*[:：]",
    r"^\s*(?:here (?:are|is)|below are)\s+(?:the\s+|an?\s+(?:list|set)\s+of\s+)?(?:\d+|[a-z]+)\s+"
    r"(?:\w+\s+){0,2}?(?:tasks?|instructions?|examples?|samples?)\b[^.?!\n]{0,30}(?:[:：]|$)",
    r"^\s*以下是[^，。？\n]{0,8}?[\d一二三四五六七八九十两]+\s*[个条组项][^，。？\n]{0,6}?(?:任务|指令|样本|样例|示例)\s*(?:[:：]|$)",
)

_TAG = re.compile(r"<[A-Za-z_]\w*>|\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


class LeakageConfig(FilterConfigBase):
    """Reject questions and answers that hold marks of a prompt, or its words.

    Marks are tags such as `<sample_list>` or `<noinput>`, labels such as "2. Instruction:", and lead-ins
    such as "Here are 20 tasks". The words of a template count as far as they stand in every prompt: what
    its tags and Jinja expressions stand for does not.
    """

    kind: Literal["leakage"]
    prompts: Annotated[tuple[InputFile, ...], Items] = ()
    """Templates whose words must not be in an item: those that `generate` uses."""
    ngram: int = Field(default=8, gt=2)
    """Words in a row that make a leak."""
    characters: int = Field(default=12, gt=2)
    """The same for runs in scripts without spaces, which each character counts in."""
    fragments: Patterns | None = None
    """Regular expressions of marks, whatever the case; a list replaces ours."""

    def build(self) -> LeakageFilter:
        """Read the templates.

        Raises:
            RecipeError: a template cannot be read.
        """
        return LeakageFilter(self, {path.name: read_text(path) for path in self.prompts})


class LeakageFilter(Stateless):
    """Looks up every run of words in those of the templates.

    Args:
        config: what counts as a leak.
        templates: text by name.
    """

    def __init__(self, config: LeakageConfig, templates: dict[str, str]) -> None:
        fragments = FRAGMENTS if config.fragments is None else config.fragments
        self._fragments, self._in_questions = any_of(fragments), any_of((*fragments, *_LEAD_INS))
        self._lengths = (config.ngram, config.characters)
        self._runs: dict[tuple[str, ...], str] = {}
        for name, text in templates.items():
            # A tag is a gap: the words before and after it never stand in a row in a prompt.
            for part in _TAG.split(text):
                for run in self._runs_of(part):
                    self._runs.setdefault(run, name)

    def check(self, example: Example) -> Rejection | None:
        """Return a rejection with the words that leaked, or None."""
        for message in example.messages:
            if message.role == "system":
                continue
            marks = self._in_questions if message.role == "user" else self._fragments
            match = marks.search(message.content) if marks else None
            if match:
                return _rejection(example, "a mark of the prompt", match[0].strip()[:200])
            for run in self._runs_of(message.content) if self._runs else ():
                if run in self._runs:
                    return _rejection(example, "words of the prompt", f"{self._runs[run]}: {_joined(run)}")
        return None

    def _runs_of(self, text: str) -> list[tuple[str, ...]]:
        """Return the runs of a text: of characters where it is written without spaces, else of words."""
        found = words(text)
        short = min(self._lengths)
        runs = []
        for start in range(len(found) - short + 1):
            length = self._lengths[1 if _unspaced(found[start : start + short]) else 0]
            run = tuple(found[start : start + length])
            if len(run) == length:
                runs.append(run)
        return runs


def _unspaced(found: list[str]) -> bool:
    """Whether most of a run are characters of a script without spaces."""
    return sum(len(word) == 1 and word >= "\u0e00" for word in found) * 2 > len(found)


def _joined(run: tuple[str, ...]) -> str:
    return "".join(run) if _unspaced(list(run)) else " ".join(run)


def _rejection(example: Example, reason: str, found: str) -> Rejection:
    return Rejection(filter="leakage", reason=reason, example=example, nearest=found)

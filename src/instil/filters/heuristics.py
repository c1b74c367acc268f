"""The rules by which Self-Instruct cleans what a teacher wrote, for English and Chinese.

Y. Wang et al., Self-Instruct (arXiv 2212.10560), section 2.2 and the code published with it. Where a
rule of that code throws away good rows (it counts "the plot of a novel" as a drawing, and any text that
begins with a quotation mark as broken) it is drawn more closely here; the published words stay a choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Literal

from instil.data.examples import Example, Rejection
from instil.data.words import words
from instil.filters.base import FilterConfigBase
from instil.filters.keywords import CAREFUL, SELF_INSTRUCT
from instil.filters.patterns import Patterns, any_of

# What cannot open a sentence: "*args", ".NET", "!important" and "-625" can, a mark of a list cannot.
_BROKEN_START = re.compile(r"[.!:](?![\w-])|[,;?)\]}…、，。；：！？）】》」』]|[-–—−*#/\\&_]+(?:\s+(?!\d)|$)")
_EMOTICON = re.compile(r"[:：][-']?[()\[\]DPOop3]")
_LINE_OF_CODE = re.compile(r"(?:if|elif|else|for|while|def|class|try|except|with|case|default|switch)\b")
_PROGRAM = re.compile(r"write a program\b|(?:请)?(?:编写|写)(?:一个|一段)?程序", re.IGNORECASE)
# A single word may well be both the input and the right answer to it.
_SHORTEST_ECHO = 4


class HeuristicsConfig(FilterConfigBase):
    """Reject what Self-Instruct's rules of thumb find broken, or beyond a model of text (arXiv 2212.10560).

    Besides the rules that can be chosen: blank questions and answers, instructions that start with a
    punctuation mark or hold no letter and no digit, answers that repeat the question or its input,
    instructions that are their own input, and answers that begin with a colon or stop at one.
    """

    kind: Literal["heuristics"]
    keywords: Literal["careful", "self_instruct"] | Patterns = "careful"
    """Requests for pictures, sound, files and the like: `careful` patterns in English and Chinese, the \
published words of `self_instruct`, or a list of regular expressions; they are searched in the first line."""
    allow_programs: bool = True
    """Whether an instruction may start with "Write a program", which Self-Instruct's teacher overused."""
    one_answer: bool = True
    """Whether a question that was accepted with another answer is rejected; the first one stays."""

    def build(self) -> HeuristicsFilter:
        """Return a filter that has accepted nothing."""
        return HeuristicsFilter(self)


class HeuristicsFilter:
    """Looks at the question and the answer, and at answers to the same question.

    Which of two answers to one question stays depends on the order; nothing else does.
    """

    def __init__(self, config: HeuristicsConfig) -> None:
        self._config = config
        self._keywords = _compiled(config.keywords)
        self._accepted: dict[bytes, tuple[bytes, str]] = {}

    def check(self, example: Example) -> Rejection | None:
        """Return the first rule that the example breaks, or None."""
        question, answer = example.conversation.instruction, _answer(example)
        reason = self._of_question(question) or _of_answer(answer) or _of_both(question, answer)
        if reason:
            return Rejection(filter="heuristics", reason=reason, example=example)
        first = self._accepted.get(_digest(_asked(example))) if self._config.one_answer else None
        if first and first[0] != _digest([answer]):
            reason = "another answer to a question that was accepted"
            return Rejection(filter="heuristics", reason=reason, example=example, nearest=first[1])
        return None

    def annotate(self, example: Example) -> Example:
        """Return the example as it is."""
        return example

    def accept(self, example: Example) -> None:
        """Hold later answers to this question against this one; a question without an answer is no rival."""
        answer = _answer(example)
        if self._config.one_answer and answer.strip():
            self._accepted.setdefault(_digest(_asked(example)), (_digest([answer]), example.id))

    def _of_question(self, question: str) -> str | None:
        text = question.strip()
        if not text:
            return "blank question"
        if _BROKEN_START.match(text):
            return "starts with a punctuation mark"
        if not any(char.isalnum() for char in text):
            return "neither letters nor digits in the question"
        instruction, _, given = text.partition("\n")
        if given and _plain(instruction) == _plain(given):
            return "the instruction is its own input"
        if not self._config.allow_programs and _PROGRAM.match(text):
            return "starts with 'Write a program'"
        if self._keywords and self._keywords.search(instruction):
            return "asks for what text cannot carry"
        return None


def _of_answer(answer: str) -> str | None:
    text = answer.strip()
    if not text:
        return "blank answer"
    if text[0] in ":：" and not _EMOTICON.match(text):
        return "the answer starts with a colon"
    if text[-1] in ":：" and not _is_form(text):
        return "the answer stops at a colon"
    return None


def _of_both(question: str, answer: str) -> str | None:
    text = " ".join(answer.split())
    if text == " ".join(question.split()):
        return "the answer repeats the question"
    given = question.strip().partition("\n")[2]
    if given and text == " ".join(given.split()) and len(words(text)) >= _SHORTEST_ECHO:
        return "the answer repeats the input"
    return None


def _is_form(text: str) -> bool:
    """Whether lines that end in a colon are blanks to fill in, or the one line is code."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    blanks = sum(line[-1] in ":：" for line in lines)
    return blanks > 1 or (len(lines) == 1 and bool(_LINE_OF_CODE.match(text)))


def _answer(example: Example) -> str:
    last = example.conversation.completion
    return last.content if last.role == "assistant" else ""


def _asked(example: Example) -> list[str]:
    """Return everything before the final answer, so that conversations that begin alike differ."""
    return [f"{message.role}\n{message.content.strip()}" for message in example.conversation.prompt]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _digest(texts: Iterable[str]) -> bytes:
    # Sixteen bytes a question instead of the question: a million of them fit in memory.
    parts = [text.strip() for text in texts]
    return blake2b(
        "".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass"), digest_size=16
    ).digest()


def _compiled(keywords: str | tuple[str, ...]) -> re.Pattern[str] | None:
    if keywords == "careful":
        return any_of(CAREFUL)
    if keywords == "self_instruct":
        return any_of(rf"\b{re.escape(word)}\b" for word in SELF_INSTRUCT)
    return any_of(keywords)

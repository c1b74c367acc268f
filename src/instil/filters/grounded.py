"""Reject answers that say what their evidence does not.

A cheap test by words, numbers and quotes; it finds answers that came from elsewhere, not subtle
contradictions, which need a judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Literal
from unicodedata import normalize

from pydantic import Field

from instil.data.examples import Evidence, Example, Rejection
from instil.data.words import words
from instil.filters.base import FilterConfigBase, Stateless, said_by

# Two words count as one word if they begin alike: languages inflect at the end. Five letters lose least over
# European languages (McNamee and Mayfield, Information Retrieval 7, 2004).
_STEM = 5
_SHORTEST = 4  # letters; shorter words are mostly the grammar of a language
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_ITEM = re.compile(r"^[ \t]*(?:[-*•][ \t]*)?\(?\d{1,3}[.)、．）:](?!\d)", re.M)
_ENGLISH: tuple[str, ...] = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
)
_ENGLISH += ("eleven", "twelve")
_CHINESE = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_CHINESE_NUMBER = re.compile(r"[零〇一二两三四五六七八九十百千万]+")
_UNITS = {"十": 10, "百": 100, "千": 1000}


class GroundedConfig(FilterConfigBase):
    """Reject an answer that its evidence does not support: words, numbers, or a quote that is none."""

    kind: Literal["grounded"]
    min_support: float = Field(default=0.4, ge=0, le=1)
    """Least share of the answer's words that the passage has too, by their first five letters; words of
    fewer than four letters do not count. In scripts without spaces, pairs of characters."""
    numbers: bool = True
    """Whether every number of the answer must stand in the passage or in the question."""
    quote: bool = True
    """Whether the quote that the teacher gave must stand in the passage, white space and marks aside."""
    without_evidence: Literal["keep", "reject"] = "keep"
    """What happens to an example that has no evidence, as those of other modes."""

    def build(self) -> GroundedFilter:
        """Return the filter."""
        return GroundedFilter(self)


class GroundedFilter(Stateless):
    """Compares an answer with the passage that it was written from."""

    def __init__(self, config: GroundedConfig) -> None:
        self._config = config

    def check(self, example: Example) -> Rejection | None:
        """Return what the passage does not support, or None."""
        evidence, config = example.origin.evidence, self._config
        if evidence is None:
            if config.without_evidence == "keep":
                return None
            return Rejection(filter="grounded", reason="no evidence", example=example)
        if config.quote and evidence.quote is not None and not _quoted(evidence):
            return Rejection(filter="grounded", reason="the quote is not in the passage", example=example)
        question = "\n".join((*said_by("user", example), *said_by("system", example)))
        answer = "\n".join(said_by("assistant", example))
        if config.numbers:
            foreign = sorted(_numbers(_ITEM.sub("", answer)) - _numbers(evidence.text) - _numbers(question))
            foreign = [number for number in foreign if number not in _spelled(f"{evidence.text}\n{question}")]
            if foreign:
                return Rejection(
                    filter="grounded",
                    reason="a number that the passage does not have",
                    example=example,
                    text=", ".join(f"{number:f}" for number in foreign),
                )
        share = support(answer, evidence.text)
        if share >= config.min_support:
            return None
        return Rejection(
            filter="grounded",
            reason="too few of its words are in the passage",
            example=example,
            score=round(share, 4),
        )


def support(answer: str, passage: str) -> float:
    """Return the share of an answer's words that its passage has: 1 if there is none to compare.

    A word of four or more letters is taken by its first five; shorter ones do not count. In scripts
    without spaces a character counts as found if the passage has it next to one of its neighbours.
    """
    known: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    for run in _runs(passage):
        known.update(word[:_STEM] for word in run)
        pairs.update(pairwise(run))
    found = counted = 0
    for run in _runs(answer):
        if _is_character(run[0]):
            met = [pair in pairs for pair in pairwise(run)]
            found += sum(left or right for left, right in pairwise([False, *met, False]))
            counted += len(run) if len(run) > 1 else 0
        elif len(run[0]) >= _SHORTEST and not run[0].isdecimal():
            found += run[0][:_STEM] in known
            counted += 1
    return found / counted if counted else 1.0


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    """Yield each word alone, and neighbouring characters of a script without spaces together."""
    for solid, run in groupby(words(normalize("NFKC", text)), _is_character):
        if solid:
            yield tuple(run)
        else:
            for word in run:
                yield (word,)


def _is_character(word: str) -> bool:
    # A letter alone that is not ASCII is (nearly always) a word of a script without spaces.
    return len(word) == 1 and not word.isascii() and word.isalpha()


def _quoted(evidence: Evidence) -> bool:
    passage = _letters(evidence.text)
    # Teachers leave words out with an ellipsis; what stands around it must be there.
    parts = [_letters(part) for part in re.split(r"\.{3,}|…+|\[\.+\]", evidence.quote or "")]
    return any(parts) and all(part in passage for part in parts)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, normalize("NFKC", text).casefold()))


def _numbers(text: str) -> set[Decimal]:
    """Return the numbers that are written in digits: `1,000` is `1000`, and `2.50` is `2.5`."""
    found = set()
    for match in _NUMBER.finditer(normalize("NFKC", text)):
        number = match[0]
        if _GROUPED.fullmatch(number):
            found.add(Decimal(number.replace(",", "")))
        elif number.count(".") == 1 and "," not in number:
            found.add(Decimal(number))
        else:
            # `1.2.3` and `1,5` are read part by part, alike on both sides.
            found.update(Decimal(part) for part in re.split("[.,]", number))
    return found


def _spelled(text: str) -> set[Decimal]:
    """Return the numbers that are written in English or Chinese words."""
    found = {Decimal(_ENGLISH.index(word)) for word in words(text) if word in _ENGLISH}
    return found | {Decimal(_chinese(match[0])) for match in _CHINESE_NUMBER.finditer(text)}


def _chinese(text: str) -> int:
    """Return the value of a number such as 二十五, 一百零三 or 二〇二四."""
    if not any(character in _UNITS or character == "万" for character in text):
        return int("".join(str(_CHINESE[character]) for character in text))
    total = section = digit = 0
    for character in text:
        if character == "万":
            total, section, digit = (total + section + digit) * 10_000, 0, 0
        elif character in _UNITS:
            section, digit = section + (digit or 1) * _UNITS[character], 0
        else:
            digit = _CHINESE[character]
    return total + section + digit

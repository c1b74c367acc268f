"""Reject answers that say nothing, or say the same over and over.

The measures are those of Gopher (J. Rae et al., arXiv 2112.11446, table A1): how much of a text its most
frequent run of two to four words covers, and how much stands in lines and runs of ten words that came
before. Its limits are for pages of the web; songs, tables, code and quizzes in short answers repeat far
more, so the limits here are wide and catch a model that is caught in a loop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from instil.data.examples import Example, Rejection
from instil.data.words import words
from instil.filters.base import FilterConfigBase, Stateless, said_by

_LONGEST_UNIT = 20  # words in what a loop repeats
_RUN = 10  # words; the longest run of Gopher's table
_TOP = (2, 3, 4)


class RepetitionConfig(FilterConfigBase):
    """Reject answers without words, loops, and answers of which too much is repeated.

    Words are counted; in scripts without spaces each character is one.
    """

    kind: Literal["repetition"]
    max_times: int = Field(default=8, gt=1)
    """Most times that the same one to twenty words may follow each other (numbers aside)."""
    max_same_letter: int = Field(default=25, gt=1)
    """Most times that the same letter may follow itself."""
    max_top_share: float = Field(default=0.5, gt=0, le=1)
    """Most that the most frequent run of 2, 3 or 4 words may cover (Gopher: 0.20, 0.18, 0.16)."""
    max_repeated_share: float = Field(default=0.6, gt=0, le=1)
    """Most that runs of ten words that occur again may cover (Gopher: 0.10)."""
    max_line_share: float = Field(default=0.6, gt=0, le=1)
    """Most that repeats of earlier lines may cover (Gopher: 0.20)."""
    min_words: int = Field(default=50, ge=0)
    """Answers with fewer words are not held to the three shares."""

    def build(self) -> RepetitionFilter:
        """Return the filter."""
        return RepetitionFilter(self)


class RepetitionFilter(Stateless):
    """Measures every answer of a conversation."""

    def __init__(self, config: RepetitionConfig) -> None:
        self._config = config
        self._same_letter = re.compile(rf"([^\W\d_])\1{{{config.max_same_letter},}}", re.IGNORECASE)

    def check(self, example: Example) -> Rejection | None:
        """Return a rejection with what was measured, or None."""
        for answer in said_by("assistant", example):
            found = self._of(answer)
            if found:
                reason, score = found
                return Rejection(filter="repetition", reason=reason, example=example, score=round(score, 4))
        return None

    def _of(self, answer: str) -> tuple[str, float] | None:
        """Return what is wrong with an answer and the measured value."""
        config, found = self._config, words(answer)
        if not answer.strip():
            return "empty answer", 0
        if (times := longest_loop(found)) > config.max_times:
            return "the same words over and over", times
        if match := self._same_letter.search(answer):
            return "the same letter over and over", len(match[0])
        if len(found) < config.min_words:
            return None
        if (share := max(top_share(found, n) for n in _TOP)) > config.max_top_share:
            return "one run of words covers too much", share
        if (share := repeated_share(found)) > config.max_repeated_share:
            return "too much is repeated", share
        if (share := line_share(answer)) > config.max_line_share:
            return "too many lines are repeated", share
        return None


def longest_loop(found: Sequence[str]) -> int:
    """Return how often the same one to twenty words follow each other at most; a row of numbers is none."""
    longest = 1
    for unit in range(1, min(_LONGEST_UNIT, len(found) // 2) + 1):
        same = 0
        for index in range(unit, len(found)):
            same = same + 1 if found[index] == found[index - unit] else 0
            if same // unit >= longest and not all(map(str.isdigit, found[index - unit : index])):
                longest = same // unit + 1
    return longest


def top_share(found: Sequence[str], n: int) -> float:
    """Return the share of the characters that the most frequent run of `n` words covers; 0 if all differ."""
    runs = Counter(zip(*(found[start:] for start in range(n)), strict=False))
    if not runs:
        return 0
    count = max(runs.values())
    longest = max(sum(map(len, run)) for run, times in runs.items() if times == count)
    # Runs that overlap ("no no no") would count their characters twice.
    return min(1, count * longest / sum(map(len, found))) if count > 1 else 0


def repeated_share(found: Sequence[str]) -> float:
    """Return the share of the characters that stand in runs of ten words which came before."""
    seen: set[tuple[str, ...]] = set()
    covered = bytearray(len(found))
    for start in range(len(found) - _RUN + 1):
        run = tuple(found[start : start + _RUN])
        if run in seen:
            covered[start : start + _RUN] = b"\1" * _RUN
        seen.add(run)
    total = sum(map(len, found))
    return sum(len(word) for word, mark in zip(found, covered, strict=True) if mark) / total if total else 0


def line_share(text: str) -> float:
    """Return the share of the characters that repeat an earlier line of three words or more."""
    lines = [line.strip() for line in text.split("\n")]
    lines = [line for line in lines if len(words(line)) >= 3]
    total = sum(map(len, lines))
    return sum(len(line) * (count - 1) for line, count in Counter(lines).items()) / total if total else 0

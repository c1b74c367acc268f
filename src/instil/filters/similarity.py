"""Novelty: reject an instruction that is too much like one that was accepted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from rapidfuzz import process
from rapidfuzz.distance import Indel

from instil.data.examples import Example, Rejection
from instil.data.words import words
from instil.filters.base import FilterConfigBase


class RougeLConfig(FilterConfigBase):
    """Reject an instruction that is too similar to any accepted one (Self-Instruct, arXiv 2212.10560)."""

    kind: Literal["rouge_l"]
    threshold: float = Field(default=0.7, gt=0, le=1)
    """Reject an instruction whose ROUGE-L F1 with any kept one exceeds this."""

    def build(self) -> RougeLFilter:
        """Return a filter that has accepted nothing."""
        return RougeLFilter(self.threshold)


class RougeLFilter:
    """Compares each instruction with all accepted so far.

    ROUGE-L F1 of two word sequences is `2·LCS / (m + n)` (Lin, 2004, with equal weight of precision
    and recall), which is rapidfuzz's normalised Indel similarity over the words.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._codes: dict[str, int] = {}
        self._accepted: list[Sequence[int]] = []
        self._texts: list[str] = []

    def check(self, example: Example) -> Rejection | None:
        """Return a rejection with the most similar accepted instruction and its score, or None."""
        text = example.conversation.instruction
        nearest = process.extractOne(
            self._encode(text),
            self._accepted,
            scorer=Indel.normalized_similarity,
            processor=None,
            score_cutoff=self._threshold,
        )
        # 1 - 0.18 is a hair above 0.82; a score that equals the threshold does not exceed it.
        if nearest is None or nearest[1] <= self._threshold + 1e-9:
            return None
        return Rejection(
            filter="rouge_l",
            reason=f"ROUGE-L above {self._threshold:g} with an accepted instruction",
            example=example,
            score=round(nearest[1], 4),
            nearest=self._texts[nearest[2]],
        )

    def accept(self, example: Example) -> None:
        """Compare later instructions with this one too."""
        text = example.conversation.instruction
        self._accepted.append(self._encode(text))
        self._texts.append(text)

    def _encode(self, text: str) -> Sequence[int]:
        return [self._codes.setdefault(word, len(self._codes)) for word in words(text)]

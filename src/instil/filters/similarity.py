"""Novelty: reject an instruction that is too much like one that was accepted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from instil.data.examples import Example, Rejection
from instil.filters.base import FilterConfigBase
from instil.novelty import AcceptedTexts, Tokenization


class RougeLConfig(FilterConfigBase):
    """Reject an instruction that is too similar to any accepted one (Self-Instruct, arXiv 2212.10560).

    Decisions and scores are those of the package `rouge_score` without its stemmer, each instruction being
    compared with all accepted before it.
    """

    kind: Literal["rouge_l"]
    threshold: float = Field(default=0.7, gt=0, le=1)
    """Reject an instruction whose ROUGE-L F1 with any kept one exceeds this."""
    tokenization: Tokenization = "auto"
    """What counts as a token: `rouge_score` (runs of `a-z` and `0-9`; drops all other scripts) or `auto`.

    `auto` is the same for a text whose letters are all ASCII. In any other it takes whole words of every
    script, and single characters where a script has no spaces.
    """
    most_similar: int = Field(default=0, ge=0)
    """How many of the most similar accepted instructions are noted with each kept example.

    Each is compared with all accepted ones, so that the time grows with the square of their number.
    """

    def build(self) -> RougeLFilter:
        """Return a filter that has accepted nothing."""
        return RougeLFilter(self)


class RougeLFilter:
    """Compares each instruction with all accepted so far."""

    def __init__(self, config: RougeLConfig) -> None:
        self._config = config
        self._accepted = AcceptedTexts(config.threshold, config.tokenization)

    def check(self, example: Example) -> Rejection | None:
        """Return a rejection with the most similar accepted instruction and its score, or None."""
        nearest = self._accepted.nearest(example.conversation.instruction)
        if nearest is None:
            return None
        return Rejection(
            filter="rouge_l",
            reason=f"ROUGE-L above {self._config.threshold:g} with an accepted instruction",
            example=example,
            score=round(nearest.score, 4),
            nearest=nearest.text,
        )

    def annotate(self, example: Example) -> Example:
        """Return the example with the accepted instructions that are most similar, where that is wanted."""
        if not self._config.most_similar:
            return example
        found = self._accepted.most_similar(example.conversation.instruction, self._config.most_similar)
        return example.model_copy(
            update={"similar": {text: round(score, 4) for text, score in found.items()}}
        )

    def accept(self, example: Example) -> None:
        """Compare later instructions with this one too."""
        self._accepted.accept(example.conversation.instruction)

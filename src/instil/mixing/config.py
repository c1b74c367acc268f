"""What a recipe says about a mixture besides its sources."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator

from instil.config.base import Config


class CleanConfig(Config):
    """How texts are mended before anything else looks at them."""

    mojibake: bool = True
    """Text that was decoded with the wrong encoding is read again with the right one (ftfy)."""
    html_entities: bool = True
    """`&amp;` becomes `&`; texts with code or tags, or about markup, keep theirs."""
    control: bool = True
    """Control characters but tab and newline go, lines end with a newline only."""
    nfc: bool = True
    """Letters and their accents become one character where there is one (Unicode NFC)."""

    @property
    def steps(self) -> tuple[str, ...]:
        """What is to be done, in this order."""
        return tuple(name for name in type(self).model_fields if getattr(self, name))


class NearDuplicatesConfig(Config):
    """Rows whose words overlap almost whole: what becomes of them.

    Similarity is the Jaccard index of the rows' shingles, which are runs of words, or of characters in
    scripts without spaces. MinHash finds the candidates, exact comparison decides.
    """

    action: Literal["keep_together", "remove", "ignore"] = "keep_together"
    """`remove` keeps the longest of each cluster, `keep_together` keeps them on one side of the split."""
    threshold: float = Field(default=0.8, gt=0, le=1)
    """Similarity from which on two rows are near duplicates."""
    permutations: int = Field(default=128, ge=16, le=1024)
    """Minima of a signature: more of them find more of the pairs just above the threshold."""
    ngram: int = Field(default=5, ge=1, le=32)
    """Words of a shingle; a row with fewer words is one shingle."""


class SemanticDuplicatesConfig(Config):
    """Rows that say the same in other words, by the vectors of a sentence-embedding model."""

    model: str = Field(min_length=1)
    """A directory or hub id of a model of `transformers`; its last hidden states are averaged."""
    threshold: float = Field(default=0.95, gt=0, le=1)
    """Cosine similarity from which on the shorter of two rows is removed."""


class DecontaminateConfig(Config):
    """Rows that share text with evaluation sets are removed and listed."""

    ngram: int = Field(default=13, gt=1)
    """Length of a shared run in words (13 as in GPT-3); without spaces, twice as many characters."""
    answers: bool = True
    """Also remove rows whose question or long answer is an evaluation item's."""


class QuotasConfig(Config):
    """Shares of the mixture by language and by kind of task; what they leave goes to all others."""

    languages: Mapping[str, float] | None = None
    """By ISO 639-1 code, such as `{zh: 0.6, en: 0.4}`."""
    tasks: Mapping[str, float] | None = None
    """By kind of task, such as `{multiple_choice: 0.2}`."""

    @field_validator("languages", "tasks")
    @classmethod
    def _are_shares(cls, value: Mapping[str, float] | None) -> Mapping[str, float] | None:
        if value is None:
            return None
        wrong = [name for name, share in value.items() if not 0 <= share <= 1]
        if wrong:
            raise ValueError(f"the share of {wrong[0]!r} is not between 0 and 1")
        if math.fsum(value.values()) > 1 + 1e-9:
            raise ValueError(f"the shares sum to {math.fsum(value.values()):g}, which is more than 1")
        return value

"""Filters that look at one example alone."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from instil.data.examples import Example, Rejection
from instil.data.words import words
from instil.filters.base import FilterConfigBase, Stateless


class LengthConfig(FilterConfigBase):
    """Reject questions and answers that are too short or too long.

    Words are counted; in scripts without spaces each character is one. A text without any, such as an emoji
    or Morse code, counts as one word if it is not blank.
    """

    kind: Literal["length"]
    min_words: int = Field(default=1, ge=0)
    """Fewest words of the first question."""
    max_words: int = Field(default=600, gt=0)
    """Most words of the first question."""
    min_answer_words: int = Field(default=1, ge=0)
    """Fewest words of the final answer."""
    max_answer_words: int = Field(default=2000, gt=0)
    """Most words of the final answer."""

    @model_validator(mode="after")
    def _in_order(self) -> LengthConfig:
        if self.min_words > self.max_words or self.min_answer_words > self.max_answer_words:
            raise ValueError("the minimum is larger than the maximum; nothing would be kept")
        return self

    def build(self) -> LengthFilter:
        """Return the filter."""
        return LengthFilter(self)


class LengthFilter(Stateless):
    """Rejects by the number of words."""

    def __init__(self, config: LengthConfig) -> None:
        self._config = config

    def check(self, example: Example) -> Rejection | None:
        """Return why the example is too short or too long, or None."""
        conversation, config = example.conversation, self._config
        question = _length(conversation.instruction)
        answer = _length(conversation.completion.content)
        for what, count, low, high in (
            ("question", question, config.min_words, config.max_words),
            ("answer", answer, config.min_answer_words, config.max_answer_words),
        ):
            if not low <= count <= high:
                reason = f"{what} too short" if count < low else f"{what} too long"
                return Rejection(filter="length", reason=reason, example=example, score=count)
        return None


def _length(text: str) -> int:
    return len(words(text)) or bool(text.strip())

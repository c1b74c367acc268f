"""The model in this process, through `transformers`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from instil.data.messages import Message
from instil.models.card import read_card
from instil.models.decoding import Decoding
from instil.models.load import LanguageModel, default_device, open_trained
from instil.models.render import Renderer
from instil.models.sample import greedy_answers, sample_ids, stream_text


class TransformersEngine:
    """Answers with a model that lies in memory."""

    def __init__(self, language_model: LanguageModel, *, notice: str | None = None) -> None:
        self.language_model = language_model
        self.notice = notice
        self._renderer = Renderer(language_model.tokenizer)

    @classmethod
    def open(cls, path: str) -> TransformersEngine:
        """Load a model directory or hub id.

        Raises:
            RequestError: it is no model.
        """
        opened = open_trained(path)
        model: Any = opened.model
        model.to(default_device())
        return cls(opened, notice=read_card(Path(path)).get("notice"))

    @property
    def context_tokens(self) -> int | None:
        """How many tokens of prompt and answer fit, if there is a limit."""
        return self.language_model.max_positions

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Return how many tokens the prompt of these messages has."""
        return len(self._renderer.prompt(messages))

    def stream(self, messages: Sequence[Message], decoding: Decoding) -> Iterator[str]:
        """Yield the answer as it grows, in whole characters."""
        tokens = sample_ids(self.language_model, self._renderer.prompt(messages), decoding)
        return stream_text(self.language_model, tokens)

    def greedy(self, conversations: Sequence[Sequence[Message]], max_tokens: int) -> Iterator[str]:
        """Yield the greedy answer to each conversation, in order."""
        prompts = [self._renderer.prompt(messages) for messages in conversations]
        return greedy_answers(self.language_model, prompts, max_tokens=max_tokens)

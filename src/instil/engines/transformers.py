"""The model in this process, through `transformers`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from instil.data.messages import Message
from instil.models.batched import Answer, own_decoding, sample_answers
from instil.models.card import read_card
from instil.models.decoding import BatchDecoding, Decoding
from instil.models.load import LanguageModel, find_device, open_trained
from instil.models.render import Renderer
from instil.models.sample import greedy_answers, sample_ids, stream_text


class TransformersEngine:
    """Answers with a model that lies in memory."""

    def __init__(self, language_model: LanguageModel, *, notice: str | None = None) -> None:
        self.language_model = language_model
        self.notice = notice
        self._renderer = Renderer(language_model.tokenizer)

    @classmethod
    def open(
        cls, path: str, *, revision: str = "main", dtype: str = "auto", device: str = "auto"
    ) -> TransformersEngine:
        """Load a model directory or hub id.

        Args:
            path: a directory or a hub id.
            revision: of a hub model.
            dtype: name of a floating-point type of torch, or `auto` for the one in which it was saved.
            device: name of a device of torch, or `auto` for the fastest there is.

        Raises:
            RequestError: it is no model, or there is no such device.
        """
        place = find_device(device)
        opened = open_trained(path, revision=revision, dtype=dtype)
        model: Any = opened.model
        model.to(place)
        return cls(opened, notice=read_card(Path(path)).get("notice"))

    @property
    def context_tokens(self) -> int | None:
        """How many tokens of prompt and answer fit, if there is a limit."""
        return self.language_model.max_positions

    @property
    def own_decoding(self) -> BatchDecoding:
        """How the model's makers want it to be sampled; greedy where they do not say."""
        return own_decoding(self.language_model)

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the token ids after which the answer to these messages begins.

        Raises:
            RecipeError: the chat template cannot render them.
        """
        return self._renderer.prompt(messages)

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Return how many tokens the prompt of these messages has."""
        return len(self.prompt(messages))

    def stream(self, messages: Sequence[Message], decoding: Decoding) -> Iterator[str]:
        """Yield the answer as it grows, in whole characters."""
        tokens = sample_ids(self.language_model, self.prompt(messages), decoding)
        return stream_text(self.language_model, tokens)

    def greedy(self, conversations: Sequence[Sequence[Message]], max_tokens: int) -> Iterator[str]:
        """Yield the greedy answer to each conversation, in order."""
        prompts = [self.prompt(messages) for messages in conversations]
        return greedy_answers(self.language_model, prompts, max_tokens=max_tokens)

    def sample(
        self,
        prompts: Sequence[list[int]],
        decoding: BatchDecoding,
        seeds: Sequence[int],
        *,
        abandoned: Callable[[], bool] = lambda: False,
    ) -> list[Answer]:
        """Return an answer to each prompt of token ids, drawn in one batch, each with its own seed.

        `abandoned` is asked after each token; True ends the batch at once.
        """
        return sample_answers(self.language_model, prompts, decoding, seeds, abandoned=abandoned)

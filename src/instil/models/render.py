"""A conversation to token ids and the mask of what is learned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from instil.data.fingerprint import fingerprint
from instil.data.messages import Message
from instil.errors import RecipeError
from instil.models.encode import Encoded, Encoder, Marked
from instil.models.template import TemplateFailed, TemplateRunner

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LossOn = Literal["assistant", "last", "all"]
"""What is learned: every answer with its end mark, the last one, or every token but the first."""

_CHUNK_ROWS = 256
_CHUNK_CHARACTERS = 1 << 17
"""Conversations that are tokenized together; what a tokenizer says of a token takes about 150 bytes."""


@dataclass(frozen=True)
class Rendered:
    """The tokens of a conversation."""

    input_ids: tuple[int, ...]
    mask: tuple[bool, ...]
    """True where the token is learned: the assistant's words and end mark; as long as `input_ids`."""

    @property
    def supervised(self) -> int:
        """How many tokens are learned."""
        return sum(self.mask)


@dataclass(frozen=True)
class Refused:
    """A conversation that cannot be learned from."""

    reason: str


class Renderer:
    """Renders with the tokenizer's own chat template, and with nothing else."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, loss_on: LossOn = "assistant") -> None:
        self._tokenizer = tokenizer
        self._loss_on = loss_on
        self._template = TemplateRunner(tokenizer)
        self._encoder = Encoder(tokenizer)

    @property
    def fingerprint(self) -> str:
        """Equal for those who render alike: the same tokenizer, template and choice of what is learned."""
        backend: Any = self._tokenizer.backend_tokenizer if self._tokenizer.is_fast else None
        tokens = backend.to_str() if backend else self._tokenizer.get_vocab()
        special = {name: str(token) for name, token in self._tokenizer.special_tokens_map.items()}
        return fingerprint([tokens, special, self._template.source, self._loss_on])

    @property
    def vocabulary(self) -> int:
        """One more than the highest token id."""
        return max(self._tokenizer.get_vocab().values()) + 1

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the token ids after which the assistant's answer begins.

        They are those with which `render` begins when the answer is there.
        """
        return self._encoder.encode([self._template.prompt(messages)])[0].ids

    def render(self, messages: Sequence[Message]) -> Rendered:
        """Return the tokens of a whole conversation and what of them is learned.

        Raises:
            RecipeError: the template cannot render it, or there is nothing to learn in it.
        """
        (found,) = self.render_many([messages])
        if isinstance(found, Refused):
            raise RecipeError(found.reason)
        return found

    def render_many(self, conversations: Iterable[Sequence[Message]]) -> Iterator[Rendered | Refused]:
        """Yield for each conversation what `render` returns, or why there is nothing to learn from it.

        Raises:
            RecipeError: the template is no good for training.
        """
        for chunk in _chunks(conversations):
            marked = self._marks_or_reasons(chunk)
            encoded = iter(self._encoder.encode([each for each in marked if isinstance(each, Marked)]))
            for each in marked:
                yield each if isinstance(each, Refused) else self._rendered(next(encoded))

    def _rendered(self, encoded: Encoded) -> Rendered:
        size = len(encoded.ids)
        # Nothing comes before the first token from which it could be told.
        spans = {"assistant": encoded.spans, "last": encoded.spans[-1:], "all": ((min(1, size), size),)}[
            self._loss_on
        ]
        mask: list[bool] = []
        for start, end in spans:
            mask += [False] * (start - len(mask))
            mask += [True] * (end - start)
        mask += [False] * (size - len(mask))
        return Rendered(tuple(encoded.ids), tuple(mask))

    def _marks_or_reasons(self, conversations: Sequence[Sequence[Message]]) -> list[Marked | Refused]:
        try:
            found: list[Marked | Refused] = list(self._template.mark(conversations))
        except TemplateFailed:
            # One of them fails; which one is found by asking for each alone.
            found = []
            for messages in conversations:
                try:
                    found += self._template.mark([messages])
                except TemplateFailed as error:
                    found.append(Refused(str(error)))
        if self._loss_on != "all":
            for index, (messages, each) in enumerate(zip(conversations, found, strict=True)):
                if isinstance(each, Marked) and not each.spans:
                    if any(message.role == "assistant" for message in messages):
                        raise RecipeError(
                            "the chat template marks nothing to learn in a conversation with an answer",
                            hint="name another with train.chat_template",
                        )
                    found[index] = Refused("no answer of the assistant")
        return found


def _chunks(conversations: Iterable[Sequence[Message]]) -> Iterator[list[Sequence[Message]]]:
    chunk: list[Sequence[Message]] = []
    characters = 0
    for messages in conversations:
        chunk.append(messages)
        characters += sum(len(message.content) for message in messages)
        if len(chunk) == _CHUNK_ROWS or characters >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk

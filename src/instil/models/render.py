"""A conversation to token ids and the mask of what is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instil.data.messages import Message
from instil.errors import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Spans = tuple[tuple[int, int], ...]


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


class Renderer:
    """Renders with the tokenizer's own chat template, and with nothing else.

    The template's `{% generation %}` marks say what is learned. A template without marks is
    rendered turn by turn: what an assistant's message adds to the generation prompt is learned.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        if not tokenizer.chat_template:
            raise RecipeError(
                "the model has no chat template, so that nothing says how a conversation is written for it",
                hint="train it with train.chat_template, or name a model that was tuned to chat",
            )
        self._template = str(tokenizer.chat_template)
        self._marked = "{%- generation" in self._template or "{% generation" in self._template

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Return the token ids after which the assistant's answer begins."""
        return self._encode(self._text(messages, add_generation_prompt=True))

    def render(self, messages: Sequence[Message]) -> Rendered:
        """Return the tokens of a whole conversation and what of them is learned.

        Where no token crosses a border of an answer the text is tokenized in one piece, as other
        tools do it. Where one would, the pieces are tokenized apart: at inference the prompt is a
        piece of its own, so the model must see the same tokens before its answer.

        Raises:
            RecipeError: the template cannot render it, or marks nothing.
        """
        text, spans = self._marked_text(messages) if self._marked else self._by_turns(messages)
        if not spans:
            raise RecipeError("the chat template marks nothing to learn in a conversation with an answer")
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets: list[tuple[int, int]] = encoded["offset_mapping"]
        borders = {border for span in spans for border in span}
        if not any(start < border < end for start, end in offsets for border in borders):
            mask = tuple(any(first <= start < last for first, last in spans) for start, _ in offsets)
            return Rendered(tuple(encoded["input_ids"]), mask)
        return self._in_pieces(text, spans)

    def _in_pieces(self, text: str, spans: Spans) -> Rendered:
        ids: list[int] = []
        mask: list[bool] = []
        position = 0
        for start, end in (*spans, (len(text), len(text))):
            for first, last, learned in ((position, start, False), (start, end, True)):
                piece = self._encode(text[first:last])
                ids += piece
                mask += [learned] * len(piece)
            position = end
        return Rendered(tuple(ids), tuple(mask))

    def _marked_text(self, messages: Sequence[Message]) -> tuple[str, Spans]:
        from transformers.utils.chat_template_utils import render_jinja_template

        texts, spans = self._call(
            render_jinja_template,
            conversations=[[message.model_dump() for message in messages]],
            chat_template=self._template,
            return_assistant_tokens_mask=True,
            **self._tokenizer.special_tokens_map,
        )
        return texts[0], tuple((start, end) for start, end in spans[0])

    def _by_turns(self, messages: Sequence[Message]) -> tuple[str, Spans]:
        text, spans = "", []
        for number, message in enumerate(messages, start=1):
            before = text
            text = self._text(messages[:number])
            if message.role == "assistant":
                before = self._text(messages[: number - 1], add_generation_prompt=True)
                spans.append((len(before), len(text)))
            if not text.startswith(before):
                raise RecipeError(
                    "the model's chat template writes earlier turns again when a turn is added, so what is "
                    "learned cannot be told from its text",
                    hint="name another with train.chat_template",
                )
        return text, tuple(spans)

    def _text(self, messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
        rendered = self._call(
            self._tokenizer.apply_chat_template,
            [message.model_dump() for message in messages],
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
        )
        return str(rendered)

    def _call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        from jinja2 import TemplateError

        try:
            return function(*args, **kwargs)
        except TemplateError as error:
            raise RecipeError(f"the chat template cannot render these messages: {error}") from error

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

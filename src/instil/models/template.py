"""Conversations to text by the tokenizer's chat template, with the assistant's answers marked in it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any

from instil.data.messages import Message
from instil.errors import RecipeError
from instil.models.encode import Marked
from instil.models.templates import TEMPLATES
from instil.models.wrap import Wrapper

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


_MARKING = Lock()
"""`transformers` compiles a template once, and what notes its marks can serve one thread at a time."""


class TemplateFailed(RecipeError):
    """A template refuses a conversation; it may be good for others."""


class TurnsRewritten(RecipeError):
    """A template without marks writes earlier turns again when a turn is added."""

    def __init__(self) -> None:
        super().__init__(
            "the model's chat template writes earlier turns again when a turn is added, so what is "
            "learned cannot be told from its text",
            hint="name another with train.chat_template",
        )


class TemplateRunner:
    """Runs a chat template as `transformers` does.

    The template's `{% generation %}` marks say what an answer is. A template without marks is run turn
    by turn: what an assistant's message adds to the generation prompt is an answer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not tokenizer.chat_template:
            raise RecipeError(
                "the model has no chat template, so that nothing says how a conversation is written for it",
                hint="train it with train.chat_template, or name a model that was tuned to chat",
            )
        self.source = str(tokenizer.get_chat_template())
        self._special = dict(tokenizer.special_tokens_map)
        self._marks = "{%- generation" in self.source or "{% generation" in self.source
        wraps = any(self.source == each.source for each in TEMPLATES.values() if each.wraps)
        self._wrapper = Wrapper(lambda messages, prompt: self._run([messages], prompt)[0]) if wraps else None

    def mark(self, conversations: Sequence[Sequence[Message]]) -> list[Marked]:
        """Return conversations as text with the answers marked.

        Raises:
            TemplateFailed: the template refuses one of them.
            TurnsRewritten: it cannot be told what the answers are.
        """
        if self._wrapper:
            return [self._wrapper.mark(messages, prompt=False) for messages in conversations]
        if self._marks:
            return self._run(conversations, prompt=False)
        return [self._by_turns(messages, prompt=False) for messages in conversations]

    def prompt(self, messages: Sequence[Message]) -> Marked:
        """Return a conversation as text that is ready for the next answer, with the earlier ones marked.

        Raises:
            TemplateFailed: the template refuses it.
        """
        if self._wrapper:
            return self._wrapper.mark(messages, prompt=True)
        if self._marks:
            return self._run([messages], prompt=True)[0]
        try:
            return self._by_turns(messages, prompt=True)
        except TurnsRewritten:
            # Earlier answers are not written as they were given, so their borders are nothing to keep.
            return Marked(self._texts([messages], prompt=True)[0], ())

    def _run(self, conversations: Sequence[Sequence[Message]], prompt: bool) -> list[Marked]:
        texts, spans = self._render(conversations, prompt=prompt, mark=True)
        return [
            Marked(text, tuple((start, end) for start, end in its_spans if start < end))
            for text, its_spans in zip(texts, spans, strict=True)
        ]

    def _by_turns(self, messages: Sequence[Message], *, prompt: bool) -> Marked:
        answers = [index for index, message in enumerate(messages) if message.role == "assistant"]
        before = self._texts([messages[:index] for index in answers], prompt=True)
        after = self._texts([messages[: index + 1] for index in answers], prompt=False)
        whole = self._texts([messages], prompt=prompt)
        in_order = ["", *(text for pair in zip(before, after, strict=True) for text in pair), *whole]
        if not all(later.startswith(earlier) for earlier, later in pairwise(in_order)):
            raise TurnsRewritten
        return Marked(whole[0], tuple((len(b), len(a)) for b, a in zip(before, after, strict=True)))

    def _texts(self, conversations: Sequence[Sequence[Message]], *, prompt: bool) -> list[str]:
        return self._render(conversations, prompt=prompt, mark=False)[0]

    def _render(
        self, conversations: Sequence[Sequence[Message]], *, prompt: bool, mark: bool
    ) -> tuple[list[str], Any]:
        """Return the texts of conversations, and the ranges of characters that the template marks."""
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            render: Any = render_jinja_template  # returns two lists, whatever its annotation says
            with _MARKING if mark else nullcontext():
                texts, spans = render(
                    conversations=[
                        [{"role": message.role, "content": message.content} for message in messages]
                        for messages in conversations
                    ],
                    chat_template=self.source,
                    add_generation_prompt=prompt,
                    return_assistant_tokens_mask=mark,
                    **self._special,
                )
        except TemplateError as error:
            raise TemplateFailed(f"the chat template cannot render these messages: {error}") from error
        return texts, spans

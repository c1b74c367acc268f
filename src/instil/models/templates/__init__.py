"""Named chat templates, for models that have none of their own; saved with the model.

A template is Jinja as `transformers` reads it, with `{% generation %}` around what the model is to
learn: the assistant's words and the mark that ends its turn. To add one, write `NAME.jinja` and
put a line into `TEMPLATES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class ChatTemplate:
    """A template and the special tokens it writes."""

    name: str
    end_of_turn: str | None = None
    """The token that ends an assistant's turn; None for the tokenizer's own end-of-text token."""
    special_tokens: tuple[str, ...] = ()
    wraps: bool = False
    """Whether it writes each message alike wherever it stands, so that it need not be run for every one."""

    @property
    def source(self) -> str:
        """The Jinja source."""
        return (_HERE / f"{self.name}.jinja").read_text(encoding="utf-8")


TEMPLATES: dict[str, ChatTemplate] = {
    "chatml": ChatTemplate("chatml", "<|im_end|>", ("<|im_start|>", "<|im_end|>"), wraps=True),
    "hugchat": ChatTemplate("hugchat", wraps=True),
    "alpaca": ChatTemplate("alpaca", wraps=True),
}

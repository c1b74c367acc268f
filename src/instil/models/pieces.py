"""Tokens as text that people can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from instil.models.render import Rendered

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_HALF = "\ufffd"
_MOST_TOKENS = 12
"""Tokens that are taken together before a character is given up: one has at most four bytes."""


@dataclass(frozen=True)
class Piece:
    """The fewest tokens that are whole characters: mostly one, several where a character has many bytes."""

    text: str
    ids: tuple[int, ...]
    learned: bool
    special: bool
    """Whether it is a special token, such as an end mark."""


def pieces(tokenizer: PreTrainedTokenizerBase, row: Rendered) -> list[Piece]:
    """Return the tokens of a row in order; their texts together are the row's text."""
    special = {token for token, each in tokenizer.added_tokens_decoder.items() if each.special}
    found: list[Piece] = []
    waiting: tuple[int, ...] = ()
    for place, (token, learned) in enumerate(zip(row.input_ids, row.mask, strict=True)):
        waiting += (token,)
        text = _text(tokenizer, found[-1].ids if found else (), waiting)
        ends = place + 1 == len(row.mask) or row.mask[place + 1] != learned or len(waiting) == _MOST_TOKENS
        if ends or not text.endswith(_HALF):
            found.append(Piece(text, waiting, learned, len(waiting) == 1 and token in special))
            waiting = ()
    return found


def _text(tokenizer: PreTrainedTokenizerBase, before: tuple[int, ...], ids: tuple[int, ...]) -> str:
    """Return the text of tokens where they stand: some decoders drop the space that begins a text."""
    lead = _decode(tokenizer, before)
    return _decode(tokenizer, before + ids)[len(lead) :]


def _decode(tokenizer: PreTrainedTokenizerBase, ids: tuple[int, ...]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))

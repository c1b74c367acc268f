"""Tokens as text: nothing is lost, and characters are whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.messages import Message, ask
from instil.models.pieces import pieces
from instil.models.render import Rendered, Renderer
from tests.models.small_tokenizers import small_tokenizer

_said = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffd"), max_size=12)


@pytest.mark.parametrize("kind", ["gpt2", "instil"])
@given(question=_said, answer=_said)
def test_the_texts_together_are_the_text_and_the_ids_the_tokens(
    kind: str, question: str, answer: str
) -> None:
    tokenizer = small_tokenizer(kind)
    row = Renderer(tokenizer).render([*ask(question), Message(role="assistant", content=answer)])

    found = pieces(tokenizer, row)

    assert tuple(token for piece in found for token in piece.ids) == row.input_ids
    assert tuple(piece.learned for piece in found for _ in piece.ids) == row.mask
    assert "".join(piece.text for piece in found) == tokenizer.decode(list(row.input_ids))
    assert not any("\ufffd" in piece.text for piece in found)


def test_a_space_that_begins_a_word_is_shown_whatever_the_decoder_drops() -> None:
    tokenizer = small_tokenizer("llama2")
    row = Renderer(tokenizer).render([*ask("Is it so?"), Message(role="assistant", content="Yes, it is")])

    found = pieces(tokenizer, row)

    assert "".join(piece.text for piece in found if piece.learned) == "Yes, it is<|im_end|>"
    assert [piece.text for piece in found if piece.special] == ["<|im_start|>", "<|im_end|>"] * 2


def test_what_is_learned_is_not_shown_with_what_is_not() -> None:
    tokenizer = small_tokenizer("gpt2")
    row = Rendered(
        tuple(tokenizer("\ufffd", add_special_tokens=False)["input_ids"]) * 2, (*[False] * 3, *[True] * 3)
    )

    found = pieces(tokenizer, row)

    assert [(piece.text, piece.learned) for piece in found] == [("\ufffd", False), ("\ufffd", True)]


def test_a_character_that_was_broken_before_does_not_hide_what_follows() -> None:
    tokenizer = small_tokenizer("gpt2")
    row = Renderer(tokenizer).render([*ask("\ufffd" * 9), Message(role="assistant", content="So?")])

    found = pieces(tokenizer, row)

    assert "".join(piece.text for piece in found if piece.learned) == "So?<|im_end|>"
    assert max(len(piece.ids) for piece in found) <= 12

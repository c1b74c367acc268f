"""Nothing that a model writes can steer a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\ufffd[31mred\ufffd[0m"),
        ("\x9b2J", "\ufffd2J"),
        ("100%\rowned", "100%\ufffdowned"),
        ("a\x08\x00\x07\x7f\x85b", "a\ufffd\ufffd\ufffd\ufffd\ufffdb"),
        ("\x1b]0;title\x07", "\ufffd]0;title\ufffd"),
        ("a\u202egpj.exe\u2069\u2066\u202a", "a\ufffdgpj.exe\ufffd\ufffd\ufffd"),
    ],
)
def test_what_moves_the_cursor_or_turns_the_text_is_replaced(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_ordinary_text_is_left_as_it_is() -> None:
    text = "两行\n\tTab, é, 👩\u200d⚕️, العربية \u200f\u00a0[0m ~\u3000"
    assert printable(text) == text


@given(text=st.text(st.characters() | st.characters(max_codepoint=0x9F)))
def test_no_control_character_but_newline_and_tab_is_left(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(char in "\n\t" or not (ord(char) < 32 or 127 <= ord(char) < 160) for char in shown)
    assert printable(shown) == shown

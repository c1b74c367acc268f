"""What counts as a word, in scripts with spaces and in scripts without."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.words import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n…!?—_。，", []),
        ("Fever, 38.5°C since_yesterday!", ["fever", "38", "5", "c", "since", "yesterday"]),
        ("Don't panic", ["don", "t", "panic"]),
        ("ÉCOLE straße Ωmega", ["école", "straße", "ωmega"]),
        ("头痛3天，怎么办？", ["头", "痛", "3", "天", "怎", "么", "办"]),
        ("CT检查ok", ["ct", "检", "查", "ok"]),
        ("𠮷野家 〇 人々", ["𠮷", "野", "家", "〇", "人", "々"]),
        ("ひらカナー", ["ひ", "ら", "カ", "ナ", "ー"]),
        ("두통이 심해요", ["두통이", "심해요"]),
        ("ปวด", ["ป", "ว", "ด"]),
        ("ＣＴ １２", ["ｃｔ", "１２"]),
        ("صُداع شديد", ["صُداع", "شديد"]),
        ("頭痛・発熱 ｱﾚﾙｷﾞｰ", ["頭", "痛", "発", "熱", "ｱ", "ﾚ", "ﾙ", "ｷ", "ﾞ", "ｰ"]),
        ("ราคา ๑๐฿", ["ร", "า", "ค", "า", "๑", "๐"]),
        ("ខ្ញុំ។ ၁၂။", ["ខ", "្", "ញ", "ុ", "ំ", "၁", "၂"]),
        ("བོད་སྐད།", ["བོད", "སྐད"]),
        ("बुखार है। फिर", ["बुखार", "है", "फिर"]),
        ("nai\u0308ve cafe\u0301", ["nai\u0308ve", "cafe\u0301"]),
    ],
)
def test_a_text_falls_into_its_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(left=st.text(), right=st.text())
def test_a_break_between_texts_is_a_break_between_words(left: str, right: str) -> None:
    assert words(f"{left}\n{right}") == words(left) + words(right)


@given(text=st.text(st.characters(categories=["Lo"], min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_every_chinese_character_is_a_word(text: str) -> None:
    assert words(text) == list(text)

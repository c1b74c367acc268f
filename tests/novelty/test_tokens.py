"""Tokens are the reference's where it can read a text, and words or characters where it cannot."""

from __future__ import annotations

from unicodedata import category, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.tokenize import tokenize

from instil.novelty.tokens import Tokenization, Vocabulary, any_words, reference_words

_mixed = st.text(
    st.one_of(
        st.sampled_from("aZ09_-'’“”²½①٣१１\u200d\ufe0f\u20e3🙂 \t\n\x1c\u00a0\u3000.,;!Ⅷⓐ§ªİKſ"),
        st.characters(),
    ),
    max_size=30,
)


def has_other_letters(text: str) -> bool:
    return any(not each.isascii() and category(each).startswith("L") for each in normalize("NFC", text))


@given(text=_mixed)
def test_rouge_score_is_the_reference_s_tokenization_on_any_text(text: str) -> None:
    assert reference_words(text) == tokenize(text, stemmer=None)


@given(text=_mixed)
def test_auto_is_the_same_on_a_text_whose_letters_are_all_ascii(text: str) -> None:
    ascii_letters = "".join(each for each in text if not has_other_letters(each))
    if not has_other_letters(ascii_letters):
        assert any_words(ascii_letters) == tokenize(ascii_letters, stemmer=None)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("E = mc² in 3️⃣ “steps”—it’s_so 🙂½", ["e", "mc", "in", "3", "steps", "it", "s", "so"]),
        ("Write a résumé", ["write", "a", "résumé"]),
        ("頭痛がする・３日", ["頭", "痛", "が", "す", "る", "３", "日"]),
        ("두통이 심해요", ["두통이", "심해요"]),
        ("ปวดหัว", ["ป", "ว", "ด", "ห", "ั", "ว"]),
        ("Сильно болит голова?", ["сильно", "болит", "голова"]),
        ("صُداع منذ ٣ أيام", ["صُداع", "منذ", "٣", "أيام"]),
        ("बुखार है।", ["बुखार", "है"]),
        ("ཁྱེད་རང་", ["ཁྱེད", "རང"]),
        ("", []),
        ("²½①", []),
    ],
)
def test_auto_reads_every_script(text: str, tokens: list[str]) -> None:
    assert any_words(text) == tokens
    assert any_words(normalize("NFD", text)) == any_words(text)


def test_the_reference_drops_other_scripts() -> None:
    assert reference_words("用 Python 写résumé") == ["python", "r", "sum"]


@pytest.mark.parametrize("tokenization", ["auto", "rouge_score"])
@given(texts=st.lists(_mixed, max_size=5))
def test_a_vocabulary_numbers_words_without_gaps_and_the_same_for_one_text_or_many(
    tokenization: Tokenization, texts: list[str]
) -> None:
    one, many = Vocabulary(tokenization), Vocabulary(tokenization)
    rows = [one.encode(text) for text in texts]
    tokens, ends = many.encode_all(texts)

    assert [token for row in rows for token in row] == list(tokens)
    assert [sum(map(len, rows[: place + 1])) for place in range(len(rows))] == list(ends)
    assert sorted(one.values()) == list(range(len(one)))
    split = any_words if tokenization == "auto" else reference_words
    assert [[list(one)[token] for token in row] for row in rows] == [split(text) for text in texts]

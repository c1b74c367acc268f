"""Tokenizing by remembered words gives what the tokenizer gives."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers

from instil.models.words import WordTokenizer
from tests.models.small_tokenizers import ENGLISH, small_tokenizer

GPT2 = Path(__file__).parents[3] / "shared" / "data" / "tokenizers" / "gpt2" / "tokenizer.json"

# Characters in which implementations and versions of Unicode could differ, and what stands beside them.
_odd = st.sampled_from(
    "²½ⅧⅣ٣१ſKªᵃ_'’ \t\n\r\x0b\x1c\x1f\x85\u00a0\u180e\u2028\u200b\u3000\ufeff́咳ß🙂\ufffd𝟘𞤀ꟲ"
)
_text = st.one_of(
    st.text(st.one_of(_odd, st.characters(exclude_categories=["Cs"])), max_size=30),
    st.lists(
        st.one_of(
            st.sampled_from(ENGLISH.split(" ")),
            _odd,
            st.just(" "),
            st.sampled_from(("<|im_end|>", "'S", "'ſ")),
        ),
        max_size=20,
    ).map("".join),
)


def _backend(kind: str) -> Tokenizer:
    backend = small_tokenizer(kind).backend_tokenizer
    assert isinstance(backend, Tokenizer)
    return backend


@pytest.mark.parametrize("kind", ["gpt2", "qwen2", "llama3", "instil"])
@given(text=_text)
@example("don't DON'T 'ſ 1234 ½ a\u0301\n\n  b \r\n.\n\n!")
@example("e\u0301tude")
@example("<|im_start|>user\nhi<|im_end|>\n<|im_sta")
def test_words_give_the_tokens_of_the_tokenizer(kind: str, text: str) -> None:
    backend = _backend(kind)
    words = WordTokenizer.of(backend)
    assert words is not None

    found = words.encode(text)

    assert found is None or found.ids == backend.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("kind", ["gpt2", "qwen2", "llama3", "instil"])
def test_usual_text_is_not_left_to_the_tokenizer(kind: str) -> None:
    words = WordTokenizer.of(_backend(kind))
    assert words is not None

    for text in (
        ENGLISH,
        "我咳嗽三周了，该看哪个科？🙂",
        "Où est l'hôpital? Straße, naïve — “quoted”…\n\n\t- 42%",
    ):
        assert words.encode(text) is not None


@given(text=_text)
def test_tokens_begin_where_the_offsets_say(text: str) -> None:
    backend = _backend("gpt2")
    words = WordTokenizer.of(backend)
    assert words is not None
    found = words.encode(text)
    if found is None:
        return

    begins = found.tokens_at(range(len(text) + 1))

    offsets = backend.encode(text, add_special_tokens=False).offsets
    assert begins[len(text)] == len(offsets)
    for place, token in enumerate(begins[:-1]):
        if token is not None:
            assert offsets[token][0] == place
            assert token == 0 or offsets[token - 1][1] == place


def test_a_character_that_both_see_differently_is_left_to_the_tokenizer() -> None:
    words = WordTokenizer.of(_backend("gpt2"))
    assert words is not None

    # A number to the tokenizer, a word character and no decimal digit to Python.
    assert words.encode("1½ cups") is None
    assert words.encode("1 cups") is not None


def test_more_words_than_are_remembered_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instil.models.words._MOST_WORDS", 8)
    backend = _backend("gpt2")
    words = WordTokenizer.of(backend)
    assert words is not None
    text = f"<|im_start|>user\n{ENGLISH}<|im_end|>"

    for _ in range(2):
        found = words.encode(text)
        assert found is not None
        assert found.ids == backend.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("kind", ["llama2"])
def test_a_tokenizer_of_another_kind_is_refused(kind: str) -> None:
    assert WordTokenizer.of(_backend(kind)) is None


def _changed(**changes: object) -> Tokenizer:
    backend: Tokenizer = Tokenizer.from_str(_backend("gpt2").to_str())
    for name, value in changes.items():
        setattr(backend, name, value)
    return backend


def _split_at(pattern: str, behavior: str = "isolated") -> Tokenizer:
    parts = [
        pre_tokenizers.Split(Regex(pattern), behavior),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    return _changed(pre_tokenizer=pre_tokenizers.Sequence(parts))


def test_what_would_change_the_words_is_refused() -> None:
    greedy, overlapping, random = _changed(), _changed(), _changed()
    random.model.dropout = 0.5
    greedy.add_tokens([AddedToken("<sep>", lstrip=True)])
    overlapping.add_tokens([AddedToken("<|x", normalized=True), AddedToken("x|>", normalized=False)])

    assert WordTokenizer.of(_split_at(r"\p{L}+|[^\s\p{L}\p{N}]+|\s+|\p{N}")) is not None
    for backend in (
        _changed(pre_tokenizer=None),
        _changed(pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True)),
        _changed(normalizer=normalizers.NFKC()),
        _changed(encode_special_tokens=True),
        _split_at(r"\p{Lu}+|."),
        _split_at(r"[\p{L}\p{M}]+|."),
        _split_at(r"(\p{L}+)|."),
        _split_at(" ", "removed"),
        greedy,
        overlapping,
        random,
    ):
        assert WordTokenizer.of(backend) is None


def test_the_longest_of_several_added_tokens_is_found() -> None:
    backend = _changed()
    backend.add_tokens([AddedToken("<a", normalized=False), AddedToken("<a><b>", normalized=False)])
    words = WordTokenizer.of(backend)
    assert words is not None

    found = words.encode("x<a><b><a>")

    assert found is not None
    assert found.ids == backend.encode("x<a><b><a>", add_special_tokens=False).ids


def test_text_that_a_pattern_passes_over_is_left_to_the_tokenizer() -> None:
    backend = _split_at(r"\p{L}+|\p{N}+|\s+|[^\s\p{L}\p{N}](?![^\s\p{L}\p{N}]{4})")
    words = WordTokenizer.of(backend)
    assert words is not None

    assert words.encode("no!!!!!!") is None
    found = words.encode("no!!!")
    assert found is not None
    assert found.ids == backend.encode("no!!!", add_special_tokens=False).ids


@pytest.mark.skipif(not GPT2.is_file(), reason=f"the real tokenizer is not at {GPT2}")
def test_the_real_gpt2_gives_the_same() -> None:
    backend = Tokenizer.from_file(str(GPT2))
    words = WordTokenizer.of(backend)
    assert words is not None

    for first, second in pairwise([ENGLISH, "我咳嗽三周了🙂", "<|endoftext|>", " \n\n  x", "’tis", ENGLISH]):
        found = words.encode(first + second)
        assert found is not None
        assert found.ids == backend.encode(first + second).ids

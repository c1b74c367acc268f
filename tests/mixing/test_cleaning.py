"""Mending of text: each step alone, what is left as it is, and that nothing is overlooked."""

from __future__ import annotations

import unicodedata
from typing import Any

import ftfy
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from instil.mixing.cleaning import clean, mend
from instil.mixing.config import CleanConfig

EVERYTHING = CleanConfig()


def only(step: str) -> CleanConfig:
    return CleanConfig(**{name: name == step for name in CleanConfig.model_fields})


def cleaned(texts: list[str], config: CleanConfig = EVERYTHING) -> dict[int, Any]:
    return clean(texts, pa.array(texts, pa.string()), config)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "naïve café, déjà vu"),
        ("sloppy-windows-1252", "“Quoted” — it’s 5 €"),
        ("windows-1252", "El niño comió una piña"),
        ("sloppy-windows-1252", "咳嗽三周了，该看哪个科？"),
        ("latin-1", "Übermäßig große Größe"),
        ("sloppy-windows-1252", "Что со мной, доктор?"),
        ("windows-1251", "Привет, как дела?"),
        ("cp437", "déjà vu"),
        ("macroman", "“déjà vu”"),
    ],
)
def test_utf8_that_was_read_as_another_encoding_is_read_again(encoding: str, text: str) -> None:
    broken = text.encode().decode(encoding)
    assert broken != text
    assert mend(broken, only("mojibake"))[0] == text
    assert cleaned([text, broken, text], only("mojibake"))[1][0] == text
    # Twice wrongly read is read twice again.
    if encoding == "windows-1252":
        assert mend(broken.encode().decode("sloppy-windows-1252"), only("mojibake"))[0] == text


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("Fish &amp; chips", "Fish & chips"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&quot;Hi&quot;&nbsp;&#8211; &#x4f60;&#X597D;", '"Hi"\xa0– 你好'),
        ("&amp;amp;quot;twice&amp;amp;quot;", '"twice"'),
        ("AT&T; R&D; &nosuchname; &", "AT&T; R&D; &nosuchname; &"),
        # Names that begin with a name that needs no semicolon.
        ("&section; &copyright; ?a=1&notify;", "&section; &copyright; ?a=1&notify;"),
        ("&#0; &#xD800; &#1114112;", "\ufffd \ufffd \ufffd"),
    ],
)
def test_entities_become_what_they_stand_for(text: str, mended: str) -> None:
    assert mend(text, only("html_entities"))[0] == mended
    assert cleaned([text], only("html_entities")).get(0, (text,))[0] == mended


@pytest.mark.parametrize(
    "text",
    [
        "<b>Fish &amp; chips</b>",
        "Write `&lt;` for <",
        "In HTML, &amp; is an ampersand",
        "How do I escape &quot;?",
        "XML knows five: &lt; &gt; &amp; &quot; &apos;",
        "请解释转义字符 &nbsp; 的含义",
    ],
)
def test_text_with_markup_or_about_it_keeps_its_entities(text: str) -> None:
    assert mend(text, EVERYTHING) == (text, [])


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("a\x00b\x07c\x7fd", "abcd"),
        ("\ufeffBegin", "Begin"),
        ("one\r\ntwo\rthree\n\r\nfour", "one\ntwo\nthree\n\nfour"),
        ("a\tb\nc", "a\tb\nc"),
        # A vertical tab ends a line in Word's files, a form feed a page; without them two words would be one.
        ("line\x0bline\x0cpage", "line\nline\npage"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("a\x85b\x9fc", "abc"),
    ],
)
def test_control_characters_go_and_lines_end_with_a_newline(text: str, mended: str) -> None:
    assert mend(text, only("control"))[0] == mended
    assert cleaned([text], only("control")).get(0, (text,))[0] == mended


def test_letters_and_their_accents_become_one_character() -> None:
    assert mend("cafe\u0301 A\u030a \u1112\u1161\u11ab", only("nfc"))[0] == "café Å 한"
    assert cleaned(["cafe", "cafe\u0301"], only("nfc")) == {1: ("café", [("nfc", "cafe\u0301", "café")])}


def test_a_step_that_is_off_changes_nothing() -> None:
    text = "\ufeffcafe\u0301 &amp; cafÃ©\r"
    off = CleanConfig(**dict.fromkeys(CleanConfig.model_fields, False))
    assert mend(text, off) == (text, [])
    assert cleaned([text], off) == {}
    assert {step for step, _, _ in mend(text, EVERYTHING)[1]} == set(CleanConfig.model_fields)


def test_what_one_step_uncovers_another_mends() -> None:
    assert mend("&Atilde;&copy;t&Atilde;&copy;", EVERYTHING)[0] == "été"
    assert mend("cafe&#769;", EVERYTHING)[0] == "café"
    assert mend("a&#13;&#10;b", EVERYTHING)[0] == "a\nb"


def test_a_change_is_shown_with_the_text_around_it_and_counted_once_for_each_step() -> None:
    text = "x" * 100 + "A &amp;amp; B" + "y" * 100 + " &lt;3"
    mended, changes = mend(text, EVERYTHING)
    assert mended == "x" * 100 + "A & B" + "y" * 100 + " <3"
    assert changes == [
        ("html_entities", f"{'x' * 33}A &amp;amp; B{'y' * 34}", f"{'x' * 33}A &amp; B{'y' * 38}")
    ]


REAL = [
    "咳嗽三周了，该看哪个科？——建议您挂呼吸内科。《本草纲目》“引号”……①②③ ￥100",
    "L'été dernier, où étaient les élèves ? « Très près », ça va. Cœur, œuvre, Œdipe. 5 € — 20 %",
    "Größe, Übermut, Straße; „so“ – nicht ‚so‘. Ärger",
    "¿Qué tal, señor? ¡Muy bien! 1.ª, 2.º, niño",
    "می‌خواهم کتاب‌ها را بخوانم. نیم‌فاصله",  # with zero-width non-joiners
    "اللُّغَةُ العَرَبِيَّة، كيف حالك؟",
    "👨‍👩‍👧‍👦 family, 🏳️‍🌈 flag, 👍🏽 thumb, ❤️ heart",  # with joiners and variation selectors
    "क्‍ष और क्ष: नमस्ते, आप कैसे हैं? ज़िंदगी",
    "Съешь же ещё этих мягких французских булок — №5, «да»",
    "Ξεσκεπάζω τὴν ψυχοφθόρα βδελυγμία",
    "안녕하세요, 어떻게 지내세요?",
    "今日はいい天気ですね。ｶﾀｶﾅ　全角スペース",
    "ภาษาไทย สวัสดีครับ",
    "Tiếng Việt: Tôi đang học tiếng Việt",
    "Zażółć gęślą jaźń; Příliš žluťoučký kůň; Ümit İstanbul’da",
    "x² ≤ ½ ± 3 µm × 10⁻⁶ °C; √2 ≈ 1.41; ∑ aᵢ ≠ ∞",
    "© 2024 Ünal & Söhne™ – §5 ¶2 †",
    "┌──┐\n│ab│\n└──┘",
]


@pytest.mark.parametrize("text", REAL)
def test_clean_text_of_real_languages_is_left_as_it_is(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert mend(text, EVERYTHING) == (text, [])
    assert cleaned([text]) == {}


# Text as it comes: pieces of everything that a step looks for, of what looks like it, and anything else.
_SLOPPY = [f"sloppy-windows-{number}" for number in (1250, 1251, 1252, 1253, 1254, 1257)]
_WRONG = ("latin-1", "macroman", "cp437", "iso-8859-2", *_SLOPPY)
_pieces = st.sampled_from(
    [
        *(text.encode().decode(encoding) for text in "é“’à中Я\xa0😀" for encoding in _WRONG),
        *("&amp;", "&lt;", "&", ";", "#", "amp", "&#233;", "&#xC3;", "&copy", "&Atilde;", "`", "<b>", "html"),
        *("\r", "\n", "\x00", "\x0b", "\x85", "\x92", "\ufeff", "\ufffd", "\u200d", "\u200c", "\u0344"),
        *("e\u0301", "\u0301", "\u0958", "한", "\u1112\u1161", "Å", "œ", "Œ", "Ã", "Â", " ", "a", "à"),
    ]
)
_texts = st.lists(_pieces | st.text(max_size=3), max_size=8).map("".join)
_configs = st.builds(CleanConfig, **dict.fromkeys(CleanConfig.model_fields, st.booleans()))


@settings(max_examples=200)
@given(texts=st.lists(_texts, max_size=6), config=_configs)
@example(texts=["don\x92t"], config=only("mojibake"))
@example(texts=["РџСЂРёРІРµС‚"], config=only("mojibake"))
@example(texts=["il est Ã la"], config=only("mojibake"))
@example(texts=["Ă©T"], config=only("mojibake"))
def test_no_text_that_needs_mending_is_overlooked(texts: list[str], config: CleanConfig) -> None:
    found = cleaned(texts, config)
    for index, text in enumerate(texts):
        mended, changes = mend(text, config)
        assert found.get(index, (text, [])) == (mended, changes)
        assert bool(changes) == (mended != text)


@settings(max_examples=200)
@given(text=_texts, config=_configs)
def test_mended_text_stays_as_it_is_when_it_is_mended_again(text: str, config: CleanConfig) -> None:
    once = mend(text, config)[0]
    assert mend(once, config) == (once, [])


@settings(max_examples=200)
@given(text=_texts)
def test_mending_mojibake_is_what_the_library_does(text: str) -> None:
    assert mend(text, only("mojibake"))[0] == ftfy.fix_encoding(text)


def test_no_texts_are_no_changes() -> None:
    assert cleaned([]) == {}

"""Which language a text is in: by script where that decides, else by a model that must be sure."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from instil.filters.language import LanguageConfig, LanguageFilter
from instil.filters.scripts import LANGUAGES, count_scripts, script_of
from tests.filters.rows import dialogue, example, reason


def rules(*languages: str, **options: object) -> LanguageFilter:
    return LanguageConfig.model_validate(
        {"kind": "language", "languages": list(languages), **options}
    ).build()


TEXTS = {
    "zh": ("今天头疼怎么办？", "请写一首关于春天的诗。", "高血压患者能吃什么？"),
    "en": (
        "What should I do about a fever?",
        "Name five foods that are rich in iron.",
        "Explain what a cold is.",
    ),
    "ja": ("熱が出たときはどうすればいいですか。", "春についての詩を書いてください。"),
    "ko": ("열이 나면 어떻게 해야 하나요?", "봄에 대한 시를 써 주세요."),
    "th": ("ถ้ามีไข้ควรทำอย่างไร",),
    "ru": ("Что делать при высокой температуре?", "Напишите стихотворение о весне."),
    "uk": ("Що робити, якщо піднялася висока температура?",),
    "ar": ("ماذا أفعل إذا كان لدي حمى شديدة؟",),
    "hi": ("अगर मुझे बुखार हो तो क्या करना चाहिए?",),
    "el": ("Τι πρέπει να κάνω αν έχω πυρετό;",),
    "de": ("Was soll ich bei Fieber tun?", "Erkläre den Unterschied zwischen Grippe und Erkältung."),
    "fr": ("Que faire en cas de forte fièvre ?", "Donne trois conseils pour mieux dormir la nuit."),
    "es": ("¿Qué debo hacer si tengo fiebre alta?", "Escribe un correo para pedir una cita con el médico."),
    "vi": ("Tôi nên làm gì khi bị sốt cao?",),
    "tr": ("Yüksek ateşim varsa ne yapmalıyım?",),
}
PAIRS = [(language, text) for language, texts in TEXTS.items() for text in texts]


@pytest.mark.parametrize(("language", "text"), PAIRS)
def test_a_text_is_kept_by_its_own_language_and_rejected_by_another(language: str, text: str) -> None:
    assert reason(rules(language), text, "") is None
    other = "zh" if language not in ("zh", "ja") else "en"
    found = reason(rules(other), text, "")
    assert found
    assert found.startswith("question in another language: ")


def test_a_verdict_within_a_script_names_the_language_and_how_sure_it_is() -> None:
    found = rules("en").check(example(TEXTS["de"][0], ""))
    assert found
    assert found.reason == "question in another language: de"
    assert found.score
    assert 0.98 <= found.score <= 1


@pytest.mark.parametrize(
    "text",
    [
        "Thanks",
        "Define osteoporosis",
        "Ibuprofen 400 mg?",
        "Name 3 animals",
        "Sort the list ascending",
        "Convert 20 USD to EUR",
        "Calculate 5 * 7 + 3",
        "The scientific name is Panthera leo, Ursus maritimus, Felis catus",
        "Chanel, Gucci, Dolce & Gabbana, Louis Vuitton, Versace.",
        "1. Ganges River\n2. Brahmaputra River\n3. Indus River\n4. Godavari River",
        "A4 B4 D4 E4 G4 A4 B4 D4",
        "Wklw lv d vhfuhw phvvdjh",
        "5 + 3 = 8",
        "",
    ],
)
def test_what_is_too_short_or_in_no_language_is_kept(text: str) -> None:
    assert reason(rules("en"), text, text) is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("把下面的句子翻译成英文。\n今天天气很好。", "The weather is very good today, so we go out."),
        ("用Python写一个函数来判断质数。", "def is_prime(n):\n    return all(n % d for d in range(2, n))"),
        ("给出“fever”的定义。", "发烧（fever）是体温升高。"),
        ("改正句子。\nHe have been to the city.", "He has been to the city many times."),
        (
            "训练一个支持向量机。",
            "import numpy as np\nfrom sklearn.svm import SVC\nmodel = SVC(kernel='rbf', C=2)",
        ),
        ("列举五个以K开头的动物单词。", "Kangaroo, koala, kingfisher, kookaburra, kite"),
        ("怎么安装？", "```bash\npip install numpy pandas scipy\n```"),
        ("这个网站是什么？", "https://www.example.com/this/is/a/long/address/of/a/page"),
        (
            "这个 API 的 token 在 header 里怎么传？",
            "把 token 放到 Authorization header，用 Bearer 前缀即可。",
        ),
    ],
)
def test_translations_code_quotes_and_foreign_terms_are_no_other_language(question: str, answer: str) -> None:
    assert reason(rules("zh"), question, answer) is None


def test_an_answer_in_another_language_is_rejected_unless_answers_are_left_out() -> None:
    answer = "Drink enough water, rest, and see a doctor after three days."
    assert reason(rules("zh"), "发烧怎么办？", answer) == "answer in another language: Latin"
    assert reason(rules("zh"), "发烧怎么办？", answer[:15]) is None
    assert reason(rules("zh", answers=False), "发烧怎么办？", answer) is None
    assert reason(rules("zh", "en"), "发烧怎么办？", answer) is None


def test_prose_about_imports_and_measures_is_no_code() -> None:
    answer = "Import goods were cheap that year.\nFrom 1990 import taxes fell, and prices with them."
    assert reason(rules("zh"), "那一年的物价怎么样？", answer) == "answer in another language: Latin"


def test_a_question_is_judged_by_its_first_line() -> None:
    material = "今天头疼怎么办？多喝水，注意休息，必要时去医院看医生。"
    assert reason(rules("en"), f"Summarise this in one sentence, please:\n{material}", "") is None
    assert reason(rules("en"), f"Please:\n{material}", "") == "question in another language: Han"


def test_every_turn_counts() -> None:
    found = rules("zh").check(
        dialogue("你好，我头疼。", "多久了？", "Since three days, and it is bad.", "多休息。")
    )
    assert found
    assert found.reason == "question in another language: Latin"


def test_the_border_of_words_and_of_shares() -> None:
    assert reason(rules("zh", min_words=5), "one two three four", "") is None
    assert reason(rules("zh", min_words=4), "one two three four", "") is not None
    mixed = "one two three four 头疼怎"  # 3 of 7
    assert reason(rules("zh", min_share=3 / 7), mixed, "") is None
    assert reason(rules("zh", min_share=0.43), mixed, "") == "question in another language: Latin"


def test_languages_that_short_texts_hardly_tell_apart_speak_for_each_other() -> None:
    assert reason(rules("id"), "Tulis surat kepada dokter untuk membuat janji temu.", "") is None
    assert reason(rules("ms"), "Tulis surat kepada dokter untuk membuat janji temu.", "") is None


def test_an_unknown_language_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(
        ValidationError, match=r"'cn' is not a language that can be told; known: af, am, .*zh"
    ):
        rules("cn")


def test_scripts_are_told_by_letter() -> None:
    letters = {
        "a": "Latin",
        "é": "Latin",
        "я": "Cyrillic",
        "字": "Han",
        "の": "kana",
        "한": "Hangul",
        "ไ": "Thai",
    }
    assert {letter: script_of(letter) for letter in letters} == letters
    assert [script_of(char) for char in "1 .，\u0301\U0001f600"] == [None] * 6
    assert count_scripts("用 Python 写 hello, x = 1") == {"Han": 2, "Latin": 2}
    assert len({code for codes in LANGUAGES.values() for code in codes}) == sum(map(len, LANGUAGES.values()))

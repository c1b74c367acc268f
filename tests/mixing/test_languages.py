"""The language of a text, where a quota asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from instil.mixing.languages import OTHER, language


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("我咳嗽三周了，该看哪个科？", "zh"),
        ("请用Python写一个函数，返回两个数的和。", "zh"),
        ("今日はいい天気ですね。漢字も書きます。", "ja"),
        ("東京都内の私立大学文学部の学生", "ja"),
        ("안녕하세요, 어떻게 지내세요?", "ko"),
        ("What is the capital of France, and how many people live there?", "en"),
        ("Quelle est la capitale de la France, et combien de gens y habitent ?", "fr"),
        ("Какой город является столицей Франции?", OTHER),
        ("12 + 30 = ?", OTHER),
        ("", OTHER),
    ],
)
def test_the_language_of_a_text_is_told(text: str, found: str) -> None:
    pytest.importorskip("py3langid")
    assert language(text, ["zh", "ja", "ko", "en", "fr"]) == found


def test_a_language_that_nobody_asks_for_is_another() -> None:
    pytest.importorskip("py3langid")
    assert language("Quelle est la capitale de la France ?", ["zh", "en"]) == OTHER
    assert language("안녕하세요", ["zh"]) == OTHER


def test_scripts_of_one_language_need_no_model() -> None:
    # Not even for English, which no quota asks for here.
    program = (
        "import sys; sys.modules['py3langid'] = None; from instil.mixing.languages import language; "
        "print(language('我咳嗽三周了', ['zh']), language('What is it?', ['zh', 'ja']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["zh", OTHER]

"""Empty answers, loops, and how much of an answer is repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.words import words
from instil.filters.repetition import (
    RepetitionConfig,
    line_share,
    longest_loop,
    repeated_share,
    top_share,
)
from tests.filters.rows import example, reason

RULES = RepetitionConfig(kind="repetition").build()
PROSE = (
    "Fever is a rise of the temperature of the body above its usual range. It is most often a sign that the "
    "body fights an infection, and by itself it is seldom dangerous. Drink enough, rest, and see a doctor if "
    "it stays for more than three days, is very high, or if you are confused, short of breath or in pain."
)
PROSE_ZH = (
    "发烧是指体温高于正常范围，多数情况下说明身体正在与感染作斗争，本身很少有危险。请多喝水、注意休息，"
    "如果持续三天以上、体温很高，或者出现意识不清、呼吸困难、剧烈疼痛等情况，应尽快到医院就诊，由医生判断原因。"
)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("", "empty answer"),
        (" \n", "empty answer"),
        ("…", None),
        ("Yes.", None),
        (PROSE, None),
        (PROSE_ZH, None),
        ("well " * 8, None),
        ("well " * 9, "the same words over and over"),
        ("drink water and rest " * 12, "the same words over and over"),
        ("多喝水，" * 8, None),
        ("多喝水，" * 9, "the same words over and over"),
        (PROSE + " and so on" * 10, "the same words over and over"),
        ("[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]", None),
        ("=====================================", None),
        ("N" + "o" * 25, None),
        ("N" + "o" * 26, "the same letter over and over"),
        ("a" * 40, "the same letter over and over"),
        ("1" + "0" * 40, None),
        ("啊" * 40, "the same words over and over"),
        ("\n".join([PROSE] * 3), "too much is repeated"),
        ("\n".join([PROSE_ZH] * 3), "too much is repeated"),
    ],
)
def test_loops_and_copies_are_rejected_and_prose_is_kept(answer: str, found: str | None) -> None:
    assert reason(RULES, "What is a fever?", answer) == found


def test_one_run_that_covers_more_than_allowed_is_rejected_with_its_share() -> None:
    answer = "\n".join(f"The sign of fever is {word}." for word in "abcdefghijkl")
    found = RepetitionConfig(kind="repetition", max_top_share=0.4).build().check(example("Signs?", answer))
    assert found
    assert found.reason == "one run of words covers too much"
    # 12 times "the sign of fever": 14 letters of each line's 17.
    assert found.score == pytest.approx(12 * 14 / (12 * 17), abs=5e-5)
    assert RULES.check(example("Signs?", "\n".join(answer.split("\n")[:4]))) is None


def test_lines_that_come_again_are_rejected_with_their_share() -> None:
    lines = [PROSE, "Then drink a cup of tea.", "Then drink a cup of tea.", "Then drink a cup of tea."]
    config = RepetitionConfig(kind="repetition", max_line_share=0.1)
    found = config.build().check(example("What to do?", "\n".join(lines)))
    assert found
    assert found.reason == "too many lines are repeated"
    assert found.score == pytest.approx(2 * 24 / (len(PROSE) + 3 * 24), abs=5e-5)


def test_the_measures_on_small_cases() -> None:
    assert longest_loop([]) == 1
    assert longest_loop(list("ababab")) == 3
    assert longest_loop(list("xabcabcy")) == 2
    assert longest_loop(list("7777")) == 1
    assert longest_loop(list("a7a7a7")) == 3
    assert top_share(list("abcd"), 2) == 0
    assert top_share(["aa", "b", "aa", "b", "cc"], 2) == pytest.approx(6 / 8)
    assert top_share([], 2) == 0
    assert repeated_share([str(n) for n in range(10)] * 2) == pytest.approx(0.5)
    assert repeated_share([str(n) for n in range(30)]) == 0
    assert repeated_share([]) == 0
    assert line_share("one two three\none two three\n") == 0.5
    assert line_share("a\na\na") == 0


_words = st.lists(st.sampled_from(["a", "bb", "头", "3", "ccc"]), max_size=60)


@given(_words, st.integers(2, 4))
def test_shares_stay_between_nothing_and_all(found: list[str], n: int) -> None:
    assert 0 <= top_share(found, n) <= 1
    assert 0 <= repeated_share(found) <= 1


@given(st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=6), st.integers(1, 8))
def test_a_loop_is_counted_at_least_as_often_as_it_was_written(unit: list[str], times: int) -> None:
    assert longest_loop(unit * times) >= times


@given(_words)
def test_a_loop_that_was_found_stands_there(found: list[str]) -> None:
    times = longest_loop(found)
    if times > 1:
        assert any(
            found[start : start + unit * times] == found[start : start + unit] * times
            for unit in range(1, 21)
            for start in range(len(found) - unit * times + 1)
        )


def test_words_of_scripts_without_spaces_are_characters() -> None:
    assert words("多喝水 tea") == ["多", "喝", "水", "tea"]
    assert longest_loop(words("哈哈哈哈")) == 4

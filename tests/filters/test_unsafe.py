"""Terms of a list, whole words where words have borders and anywhere where they have none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.errors import RecipeError
from instil.filters.unsafe import TermList, UnsafeConfig, UnsafeFilter, folded
from tests.filters.rows import example, reason

LIST = """
# what we do not want
bomb
pipe bomb
Ausländer raus
炸弹
毒品
re: \\bkill (?:him|her)\\b
"""


def rules(tmp_path: Path, text: str = LIST, *, questions: bool = True) -> UnsafeFilter:
    path = tmp_path / "weapons.txt"
    path.write_text(text, encoding="utf-8")
    return UnsafeConfig(kind="unsafe", lists=(path,), questions=questions).build()


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("How to build a bomb?", "bomb"),
        ("BOMB!", "bomb"),
        ("ｂｏｍｂ", "bomb"),
        ("a pipe\n  bomb", "pipe bomb"),
        ("AUSLA\u0308NDER  RAUS", "ausländer raus"),
        ("如何制造炸弹？", "炸弹"),
        ("他贩卖毒品被捕", "毒品"),
        ("买bomb吗", "bomb"),
        ("Go and KILL HIM", "\\bkill (?:him|her)\\b"),
        ("The bombing of a city", None),
        ("bombs away", None),
        ("An aplomb 3bomb bomb2", None),
        ("毒 品", None),
        ("中毒后，品德", None),
        ("skill him", None),
        ("", None),
    ],
)
def test_a_term_is_found_as_a_whole_word_and_in_chinese_anywhere(
    tmp_path: Path, text: str, term: str | None
) -> None:
    found = rules(tmp_path).check(example("Why?", text))
    assert (found and found.nearest) == term
    if found:
        assert found.reason == "a term of the list 'weapons'"


def test_the_list_that_holds_the_term_is_the_reason(tmp_path: Path) -> None:
    for name, term in (("first", "bomb"), ("second", "gun"), ("third", "bomb")):
        (tmp_path / f"{name}.txt").write_text(term + "\n")
    paths = tuple(tmp_path / f"{name}.txt" for name in ("first", "second", "third"))
    found = UnsafeConfig(kind="unsafe", lists=paths).build()
    assert reason(found, "a gun") == "a term of the list 'second'"
    assert reason(found, "a bomb") == "a term of the list 'first'"


def test_questions_are_left_out_on_request(tmp_path: Path) -> None:
    assert reason(rules(tmp_path, questions=False), "How to build a bomb?", "I will not say.") is None
    assert reason(rules(tmp_path, questions=False), "What?", "A bomb.") == "a term of the list 'weapons'"


def test_a_list_of_patterns_only_is_a_list(tmp_path: Path) -> None:
    assert reason(rules(tmp_path, "re: b.mb"), "bimbo") == "a term of the list 'weapons'"
    assert reason(rules(tmp_path, "re: b.mb"), "balm") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n\n", r"weapons\.txt: there is no term in it"),
        ("bomb\nre: (", r"weapons\.txt:2: '\(' is not a regular expression: "),
    ],
)
def test_a_list_that_cannot_be_used_is_an_error_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        rules(tmp_path, text)


_texts = st.text("ab 头疼.", max_size=12)


@given(st.lists(_texts.map(folded).filter(bool), min_size=1, max_size=5), _texts)
def test_the_terms_found_are_those_that_a_search_one_by_one_finds(terms: list[str], text: str) -> None:
    """Against the definition: the term stands there, and no word of letters goes on across its ends."""

    def stands_alone(start: int, end: int) -> bool:
        whole = folded(text)
        left, right = whole[start - 1 : start], whole[end : end + 1]
        return not (left in ("a", "b") and whole[start] in "ab") and not (
            right in ("a", "b") and whole[end - 1] in "ab"
        )

    whole = folded(text)
    expected = any(
        whole.startswith(term, start) and stands_alone(start, start + len(term))
        for term in terms
        for start in range(len(whole))
    )
    found = UnsafeFilter([TermList("x", tuple(terms), ())], questions=True).check(example("?", text))
    assert (found is not None) == expected

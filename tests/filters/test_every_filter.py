"""What holds for every filter: its own output passes it, and the order matters only where it says so."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.examples import Example
from instil.errors import MissingPackage
from instil.filters import language
from instil.filters.base import Filter, FilterConfigBase
from instil.filters.heuristics import HeuristicsConfig
from instil.filters.language import LanguageConfig
from instil.filters.leakage import LeakageConfig
from instil.filters.pii import PiiConfig
from instil.filters.refusal import RefusalConfig
from instil.filters.repetition import RepetitionConfig
from instil.filters.shape import LengthConfig
from instil.filters.unsafe import TermList, UnsafeConfig, UnsafeFilter
from tests.filters.rows import example

ALONE: dict[str, Callable[[], Filter]] = {
    "language": LanguageConfig(kind="language", languages=("zh", "en")).build,
    "leakage": LeakageConfig(kind="leakage").build,
    "length": LengthConfig(kind="length", min_words=2).build,
    "pii": PiiConfig(kind="pii").build,
    "refusal": RefusalConfig(kind="refusal").build,
    "repetition": RepetitionConfig(kind="repetition", min_words=5, max_times=3).build,
    "unsafe": lambda: UnsafeFilter([TermList("x", ("fever", "炸弹"), ())], questions=True),
}
EVERY = {**ALONE, "heuristics": HeuristicsConfig(kind="heuristics").build}

# Pieces that filters look for, between prose, so that rows fall on both sides.
PIECES = (
    "What helps against fever? ",
    "发烧怎么办？",
    "Draw a picture of a heart. ",
    "看图说话。",
    "As an AI language model, I cannot help. ",
    "抱歉，我无法提供这样的信息。",
    "I'm sorry to hear that. ",
    "<noinput>",
    "2. Instruction: ",
    "Write to emma.watson@gmail.com ",
    "打021-64370045 ",
    "Was soll ich bei hohem Fieber tun? ",
    "炸弹",
    "well well well well well ",
    "多喝水，注意休息。",
    ": ",
    "…",
    "\n",
    "",
)
_texts = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
_rows = st.lists(st.builds(example, _texts, _texts), max_size=8)


def kept(build: Callable[[], Filter], rows: list[Example]) -> list[Example]:
    """Return what a new filter lets pass, each row being accepted at once."""
    judge, found = build(), []
    for row in rows:
        if judge.check(row) is None:
            row = judge.annotate(row)
            judge.accept(row)
            found.append(row)
    return found


@pytest.mark.parametrize("name", EVERY)
@given(rows=_rows)
def test_filtering_its_own_output_changes_nothing(name: str, rows: list[Example]) -> None:
    once = kept(EVERY[name], rows)
    assert kept(EVERY[name], once) == once


@pytest.mark.parametrize("name", ALONE)
@given(rows=_rows, seed=st.integers(0, 99))
def test_the_order_of_the_rows_does_not_matter(name: str, rows: list[Example], seed: int) -> None:
    shuffled = random.Random(seed).sample(rows, len(rows))
    ids = sorted(row.id for row in kept(ALONE[name], rows))
    assert sorted(row.id for row in kept(ALONE[name], shuffled)) == ids


@given(rows=_rows, seed=st.integers(0, 99))
def test_with_one_answer_to_a_question_the_questions_kept_do_not_depend_on_the_order(
    rows: list[Example], seed: int
) -> None:
    build = EVERY["heuristics"]
    shuffled = random.Random(seed).sample(rows, len(rows))
    questions = {row.messages[0].content.strip() for row in kept(build, rows)}
    assert {row.messages[0].content.strip() for row in kept(build, shuffled)} == questions


@pytest.mark.parametrize("name", EVERY)
@given(question=st.text(max_size=60), answer=st.text(max_size=60))
def test_no_text_breaks_a_filter_and_a_rejection_is_whole(name: str, question: str, answer: str) -> None:
    row = example(question, answer)
    found = EVERY[name]().check(row)
    if found:
        assert found.example == row
        assert found.filter == name
        assert found.reason
        assert found.row()


def test_reasons_can_be_counted_they_hold_no_text_of_the_example() -> None:
    for name, build in EVERY.items():
        found = set()
        for number in range(30):
            row = example(
                f"Write to emma{number}.watson@gmail.com {number} fever <noinput> 炸弹 {number} ", ""
            )
            rejection = build().check(row)
            found.add(rejection and rejection.reason)
        assert len(found) == 1, name


@pytest.mark.parametrize(
    ("config", "module", "package"),
    [
        (LanguageConfig(kind="language", languages=("en",)), "py3langid.langid", "py3langid"),
        (PiiConfig(kind="pii"), "stdnum", "python-stdnum"),
        (UnsafeConfig(kind="unsafe", lists=(Path(__file__),)), "ahocorasick", "pyahocorasick"),
    ],
)
def test_a_package_that_is_missing_is_named_with_the_way_to_get_it(
    config: FilterConfigBase, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    language._identifier.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackage, match=f"needs the package '{package}'") as missing:
        config.build()
    assert missing.value.hint == "pip install 'instil[filters]'"


def test_scripts_of_one_language_need_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    language._identifier.cache_clear()
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    found = LanguageConfig(kind="language", languages=("zh", "ja")).build()
    assert found.check(example("今天头疼怎么办？", "多休息。")) is None
    assert found.check(example("What should I do about it?", ""))

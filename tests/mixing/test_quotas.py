"""Quotas by language and by kind of task: met exactly, or an explanation of what is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from instil.errors import StageError
from instil.mixing.selection import select
from tests.mixing.wishes import LANGUAGES, TASKS, by, index_of, wish_of


@settings(max_examples=40)
@given(data=st.data())
def test_quotas_by_language_and_by_task_are_met_exactly_wherever_they_can_be(data: st.DataObject) -> None:
    # What a draw of the rows gives can be met for sure: its counts are the quotas.
    count = data.draw(st.integers(4, 60))
    column = st.lists(st.integers(0, 1), min_size=count, max_size=count)
    sources, tasks = data.draw(column), data.draw(column)
    languages = data.draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    assume(len(set(sources)) == 2)
    index = index_of(sources, languages=languages, tasks=tasks)
    drawn = np.array(data.draw(column), np.uint16)
    total = int(drawn.sum())
    first, second = (int(drawn[index.source == number].sum()) for number in (0, 1))
    assume(first and second)
    quotas = data.draw(
        st.sampled_from([(["zh"], None), (["en", "fr"], None), (None, ["chat"]), (["zh", "fr"], ["choice"])])
    )
    wanted: list[dict[str, int] | None] = [None, None]
    for axis, (numbers, names) in enumerate(((index.language, LANGUAGES), (index.task, TASKS))):
        if quotas[axis] is not None:
            wanted[axis] = {
                each: int(drawn[numbers == names.index(each)].sum()) for each in quotas[axis] or ()
            }
    shares = [{name: number / total for name, number in (each or {}).items()} or None for each in wanted]
    wish = wish_of({"a": first, "b": second}, total, languages=shares[0], tasks=shares[1])
    try:
        copies = select(index, wish, seed=1)
    except StageError:
        # With quotas of both kinds, whole numbers for every pair of them need not exist where fractions do.
        assert quotas[0]
        assert quotas[1]
        return
    assert by(index, copies, "source") == [first, second]
    for numbers, names, amounts in (
        (index.language, LANGUAGES, wanted[0]),
        (index.task, TASKS, wanted[1]),
    ):
        for name, amount in (amounts or {}).items():
            assert copies[numbers == names.index(name)].sum() == amount
    assert copies.max() == 1


def test_quotas_leave_the_proportions_of_the_sources_as_they_are() -> None:
    index = index_of(
        [0] * 300 + [1] * 300, languages=[0] * 200 + [2] * 100 + [0] * 100 + [2] * 200, tasks=[0, 1] * 300
    )
    wish = wish_of({"a": 1.0, "b": 1.0}, 200, languages={"zh": 0.6}, tasks={"choice": 0.3})
    copies = select(index, wish, seed=1)
    assert by(index, copies, "source") == [100, 100]
    assert by(index, copies, "language") == [80, 0, 120]
    assert by(index, copies, "task") == [140, 60]
    # The source with more Chinese gives more of it.
    chinese = index.language == 2
    assert copies[chinese & (index.source == 1)].sum() > copies[chinese & (index.source == 0)].sum()


def test_quotas_by_tokens_are_met_as_nearly_as_rows_allow() -> None:
    tokens = np.random.default_rng(2).integers(5, 300, 4000).tolist()
    index = index_of([0, 1] * 2000, tokens=tokens, languages=[0, 2, 2, 0] * 1000)
    wish = wish_of({"a": 1.0, "b": 1.0}, 200_000, by_tokens=True, languages={"zh": 0.75, "en": 0.25})
    drawn = select(index, wish, seed=1) * index.tokens.astype(int)
    for number, share in ((2, 150_000), (0, 50_000)):
        assert 0 <= share - drawn[index.language == number].sum() < share / 1000


def test_half_an_epoch_of_three_rows_can_be_two_of_them() -> None:
    index = index_of([0] * 6, languages=[2] * 3 + [0] * 3)
    wish = wish_of({"a": 1.0}, 3, max_epochs={"a": 0.5}, languages={"zh": 1 / 3})
    assert by(index, select(index, wish, seed=1), "language") == [2, 0, 1]


def test_a_quota_that_one_source_alone_can_fill_is_filled() -> None:
    # a has Chinese only, so that b has to give English only.
    index = index_of([0] * 50 + [1] * 100, languages=[2] * 50 + [0] * 50 + [2] * 50)
    copies = select(index, wish_of({"a": 1.0, "b": 1.0}, 100, languages={"zh": 0.5, "en": 0.5}), seed=1)
    assert by(index, copies, "language") == [50, 0, 50]
    assert copies[100:].sum() == 0


def test_what_a_source_has_too_little_of_another_gives() -> None:
    # In proportion to what they have of everything, a would give more Chinese than its five rows.
    index = index_of([0] * 100 + [1] * 100, languages=[2] * 5 + [0] * 95 + [2] * 90 + [0] * 10)
    copies = select(index, wish_of({"a": 1.0, "b": 1.0}, 100, languages={"zh": 0.52}), seed=1)
    assert by(index, copies, "language") == [48, 0, 52]
    assert by(index, copies, "source") == [50, 50]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"languages": {"zh": 0.5}},
            "20 rows of zh are asked for: there are 10 (by source: a 10, b 0)",
        ),
        (
            {"languages": {"zh": 0.2, "fr": 0.1}},
            "4 rows of fr are asked for: there are 0 (by source: a 0, b 0)",
        ),
        (
            {"tasks": {"chat": 0.75}},
            "40 rows are asked for: there are 25 of chat (by source: a 25, b 0), and of other tasks only 10 "
            "are asked for",
        ),
        (
            {"languages": {"zh": 0.25}, "tasks": {"chat": 1.0}},
            "30 rows of other languages are asked for: there are 15 of chat (by source: a 15, b 0), and of "
            "other tasks only 0 are asked for",
        ),
        (
            {"languages": {"en": 1.0}, "tasks": {"chat": 0.3}},
            "20 rows are to come from a: there are 5 of en other tasks, other languages other tasks, and of "
            "en chat, other languages chat only 12 are asked for",
        ),
    ],
)
def test_a_quota_that_cannot_be_met_says_what_is_missing(options: dict[str, Any], message: str) -> None:
    index = index_of([0] * 30 + [1] * 30, languages=[2] * 10 + [0] * 50, tasks=[0] * 25 + [1] * 35)
    with pytest.raises(StageError) as caught:
        select(index, wish_of({"a": 1.0, "b": 1.0}, 40, **options), seed=1)
    assert str(caught.value) == f"the quotas cannot be met: {message}"
    assert caught.value.hint == "change the quota, lower the total, raise max_epochs, or add a source"


def test_other_languages_share_what_quotas_leave() -> None:
    index = index_of([0] * 90, languages=[0, 1, 2] * 30)
    copies = select(index, wish_of({"a": 1.0}, 60, languages={"zh": 0.5}), seed=1)
    english, french, chinese = by(index, copies, "language")
    assert (chinese, english + french) == (30, 30)
    assert english
    assert french

"""Which rows are drawn: exact amounts, quotas, epochs, and no dependence on any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from instil.errors import StageError
from instil.mixing.index import Index
from instil.mixing.selection import OTHER, Wish, select

LANGUAGES, TASKS = ("en", "fr", "zh"), ("chat", "choice")


def index_of(
    sources: Sequence[int],
    *,
    tokens: Sequence[int] | None = None,
    languages: Sequence[int] | None = None,
    tasks: Sequence[int] | None = None,
    ids: npt.NDArray[np.uint64] | None = None,
) -> Index:
    """Return an index of rows, given their numbers by column; ids that are not given look like hashes."""
    count = len(sources)
    if ids is None:
        ids = np.random.default_rng(7).integers(0, 2**64, count, dtype=np.uint64, endpoint=False)
    small = [np.asarray(each or [0] * count, np.uint16) for each in (sources, languages, tasks)]
    lengths = np.asarray(tokens or [1] * count, np.uint32)
    return Index(ids, ids, small[0], lengths, lengths, small[1], small[2], LANGUAGES, TASKS, (count,))


def wish_of(weights: Mapping[str, float], total: int | None = None, **options: Any) -> Wish:
    epochs = options.pop("max_epochs", {})
    return Wish(
        names=tuple(sorted(weights)),
        weights=weights,
        max_epochs={name: epochs.get(name, 1.0) for name in weights},
        total=total,
        **options,
    )


def by(index: Index, copies: npt.NDArray[np.uint16], column: str) -> list[int]:
    """Return how many drawn rows have each number in a column."""
    counts: list[int] = np.bincount(getattr(index, column), weights=copies).astype(int).tolist()
    return counts


def shuffled(index: Index, order: Sequence[int]) -> Index:
    columns = ("id", "group", "source", "tokens", "size", "language", "task")
    return replace(index, **{name: getattr(index, name)[list(order)] for name in columns})


def test_rows_are_drawn_exactly_by_weight() -> None:
    index = index_of([0] * 100 + [1] * 100)
    copies = select(index, wish_of({"a": 3.0, "b": 1.0}, 81), seed=1)
    assert by(index, copies, "source") == [61, 20]
    assert set(copies.tolist()) == {0, 1}


@given(
    sources=st.lists(st.integers(0, 2), min_size=1, max_size=60),
    epochs=st.tuples(*[st.sampled_from([0.29, 0.5, 1.0, 2.5, 3.0])] * 3),
    weights=st.tuples(*[st.sampled_from([0.5, 1.0, 3.0])] * 3),
    total=st.none() | st.integers(1, 80),
    seed=st.integers(0, 3),
)
def test_every_source_gives_its_count_and_every_row_once_before_any_again(
    sources: list[int],
    epochs: tuple[float, ...],
    weights: tuple[float, ...],
    total: int | None,
    seed: int,
) -> None:
    names = [name for number, name in enumerate("abc") if number in sources]
    numbers = [names.index("abc"[number]) for number in sources]
    index = index_of(numbers)
    wish = wish_of(
        {name: weights["abc".index(name)] for name in names},
        total,
        max_epochs={name: epochs["abc".index(name)] for name in names},
    )
    try:
        copies = select(index, wish, seed)
    except StageError:
        return
    for number, name in enumerate(names):
        mine = copies[index.source == number]
        assert mine.max() - mine.min() <= 1
        assert mine.sum() <= len(mine) * wish.max_epochs[name] + 1e-9
    assert total is None or copies.sum() == total


@given(data=st.data(), total=st.integers(1, 30))
def test_what_is_drawn_does_not_depend_on_the_order_of_the_rows(data: st.DataObject, total: int) -> None:
    index = index_of(
        [number % 2 for number in range(30)],
        tokens=[number * 7 % 5 + 1 for number in range(30)],
        languages=[number % 3 for number in range(30)],
    )
    order = data.draw(st.permutations(range(30)))
    options: dict[str, Any] = data.draw(
        st.sampled_from([{}, {"by_tokens": True}, {"languages": {"zh": 0.2}}, {"temperature": 2.0}])
    )
    wish = wish_of({"a": 1.0, "b": 1.0}, total, max_epochs={"a": 3.0, "b": 3.0}, **options)
    plain, turned = select(index, wish, 5), select(shuffled(index, order), wish, 5)
    assert plain[list(order)].tolist() == turned.tolist()


def test_another_seed_draws_other_rows_and_more_rows_contain_fewer() -> None:
    index = index_of([0] * 200)
    few, more, other = (
        select(index, wish_of({"a": 1.0}, count), seed) for count, seed in ((50, 1), (90, 1), (50, 2))
    )
    assert (few <= more).all()
    assert few.tolist() != other.tolist()


def test_two_sources_draw_independently() -> None:
    ids = np.arange(100, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    index = index_of([0] * 100 + [1] * 100, ids=np.concatenate([ids, ids]))
    copies = select(index, wish_of({"a": 1.0, "b": 1.0}, 100), seed=1)
    assert copies[:100].tolist() != copies[100:].tolist()


@given(
    tokens=st.lists(st.integers(0, 60), min_size=1, max_size=60),
    total=st.integers(1, 3000),
    epochs=st.sampled_from([1.0, 4.0]),
)
def test_tokens_never_exceed_their_share_and_miss_less_than_any_row_that_is_left(
    tokens: list[int], total: int, epochs: float
) -> None:
    assume(sum(tokens) * epochs >= total)
    index = index_of([0] * len(tokens), tokens=tokens)
    copies = select(index, wish_of({"a": 1.0}, total, by_tokens=True, max_epochs={"a": epochs}), seed=1)
    missing = total - int((copies * index.tokens.astype(int)).sum())
    assert missing >= 0
    assert copies.max() - copies.min() <= 1
    left = index.tokens[(copies == copies.min()) & (index.tokens > 0)]
    if copies.max() > copies.min() or missing:
        assert not missing or missing < left.min()


def test_by_tokens_a_mixture_of_many_rows_is_within_a_thousandth_of_every_share() -> None:
    tokens = np.random.default_rng(1).integers(5, 800, 6000).tolist()
    index = index_of([0] * 4000 + [1] * 2000, tokens=tokens)
    copies = select(index, wish_of({"a": 2.0, "b": 1.0}, 900_000, by_tokens=True), seed=1)
    drawn = copies * index.tokens.astype(int)
    for number, share in enumerate((600_000, 300_000)):
        assert 0 <= share - drawn[index.source == number].sum() < share / 1000


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
            "20 rows of zh are asked for, and there are 10 (by source: a 10, b 0)",
        ),
        (
            {"languages": {"zh": 0.2, "fr": 0.1}},
            "4 rows of fr are asked for, and there are 0 (by source: a 0, b 0)",
        ),
        (
            {"tasks": {"chat": 0.75}},
            "40 rows are asked for, and there are 25 of chat (by source: a 25, b 0) and 10 of other tasks, "
            "of which no more are asked for",
        ),
        (
            {"languages": {"zh": 0.25}, "tasks": {"chat": 1.0}},
            "30 rows of other languages are asked for, and there are 15 of chat (by source: a 15, b 0) "
            "and 0 of other tasks, of which no more are asked for",
        ),
        (
            {"languages": {"en": 1.0}, "tasks": {"chat": 0.3}},
            "20 rows of a are asked for, and there are 5 of en other tasks, other languages other tasks and "
            "12 of en chat, other languages chat, of which no more are asked for",
        ),
    ],
)
def test_a_quota_that_cannot_be_met_says_what_is_missing(options: dict[str, Any], message: str) -> None:
    index = index_of([0] * 30 + [1] * 30, languages=[2] * 10 + [0] * 50, tasks=[0] * 25 + [1] * 35)
    with pytest.raises(StageError) as caught:
        select(index, wish_of({"a": 1.0, "b": 1.0}, 40, **options), seed=1)
    assert str(caught.value) == f"the quotas cannot be met: {message}"
    assert caught.value.hint == "change the quota, lower the total, raise max_epochs, or add a source"


def test_a_source_that_cannot_give_its_share_is_named_with_the_way_out() -> None:
    index = index_of([0] * 100 + [1] * 15)
    with pytest.raises(StageError) as caught:
        select(index, wish_of({"big": 1.0, "small": 1.0}, 32), seed=1)
    assert str(caught.value) == ("the mixture cannot be met: small has 15 rows to give and 16 are asked for")
    assert caught.value.hint == "set mix.num_examples to at most 31, lower the weight, or raise max_epochs"
    index = index_of([0] * 3, tokens=[10, 20, 30])
    with pytest.raises(StageError, match="a has 60 tokens to give and 61 are asked for") as caught:
        select(index, wish_of({"a": 1.0}, 61, by_tokens=True), seed=1)
    assert caught.value.hint == "set mix.num_tokens to at most 60, lower the weight, or raise max_epochs"


def test_without_a_total_the_mixture_is_as_large_as_weights_and_epochs_allow() -> None:
    index = index_of([0] * 30 + [1] * 100)
    wish = wish_of({"a": 1.0, "b": 2.0}, max_epochs={"a": 1.1})
    assert by(index, select(index, wish, seed=1), "source") == [33, 67]
    assert select(index_of([0] * 100), wish_of({"a": 1.0}, max_epochs={"a": 0.29}), 1).sum() == 29


def test_a_source_without_rows_is_named() -> None:
    with pytest.raises(StageError, match="nothing is left of the source 'b'"):
        select(index_of([0, 0, 2]), wish_of({"a": 1.0, "b": 1.0, "c": 1.0}), seed=1)


def test_a_source_that_may_give_nothing_is_named_instead_of_an_empty_mixture() -> None:
    with pytest.raises(StageError, match="no mixture is so small that a could give its share: it has 0 rows"):
        select(index_of([0, 1, 1]), wish_of({"a": 1.0, "b": 1.0}, max_epochs={"a": 0.5}), seed=1)


def test_rows_are_repeated_as_often_as_can_be_counted_and_no_more() -> None:
    index = index_of([0, 0])
    copies = select(index, wish_of({"a": 1.0}, 131_070, max_epochs={"a": 1e6}), seed=1)
    assert copies.tolist() == [65_535, 65_535]
    with pytest.raises(StageError, match="a row of a would be drawn 65,536 times; the most is 65,535"):
        select(index, wish_of({"a": 1.0}, 131_071, max_epochs={"a": 1e6}), seed=1)


def test_other_languages_share_what_quotas_leave() -> None:
    index = index_of([0] * 90, languages=[0, 1, 2] * 30)
    copies = select(index, wish_of({"a": 1.0}, 60, languages={"zh": 0.5}), seed=1)
    english, french, chinese = by(index, copies, "language")
    assert (chinese, english + french) == (30, 30)
    assert english
    assert french
    assert OTHER not in LANGUAGES

"""Which rows are drawn: exact amounts, epochs, and no dependence on any order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from instil.errors import StageError
from instil.mixing.selection import select
from tests.mixing.wishes import by, index_of, shuffled, wish_of


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

"""Examples to rows of tokens: whatever they are, each is counted once, and no row is too long."""

from __future__ import annotations

from functools import cache
from typing import get_args

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.data.examples import Example, Origin
from instil.data.messages import Message, Role
from instil.models.fit import TooLong
from instil.models.render import Renderer
from instil.stages.train.rows import Tally, learns, tokenize
from tests.tiny import shared_model

_messages = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(get_args(Role)),
        content=st.integers(0, 40).map(lambda size: "word " * size),
    ),
    min_size=1,
    max_size=8,
)
_examples = st.lists(
    st.builds(
        lambda messages, name: Example(messages=tuple(messages), origin=Origin(kind="corpus", name=name)),
        _messages,
        st.sampled_from(("one", "two")),
    ),
    max_size=6,
)


@cache
def _renderer() -> Renderer:
    return Renderer(shared_model().tokenizer)


@pytest.mark.parametrize("how", get_args(TooLong))
@settings(max_examples=40)
@given(examples=_examples, limit=st.integers(5, 150))
def test_every_example_is_counted_once_and_no_row_is_too_long(
    how: TooLong, examples: list[Example], limit: int
) -> None:
    end, tally = shared_model().tokenizer.eos_token_id, Tally()
    found = list(tokenize(examples, _renderer(), limit, how))
    for each in found:
        tally.add(each, how, end)

    assert [each.example for each in found] == examples
    assert [each.number for each in found] == list(range(len(examples)))
    assert tally.counts.adds_up
    assert tally.counts.asked == len(examples)
    assert tally.counts.kept == sum(bool(each.rows) for each in found) == tally.sources.total()
    assert tally.rows == tally.ends == sum(len(each.rows) for each in found)
    for each in found:
        assert (each.reason is None) == bool(each.rows)
        assert all(len(row.input_ids) <= limit and row.supervised for row in each.rows)
        # Only what is too long is touched.
        assert each.tokens > limit or (each.messages_left_out == 0 and len(each.rows) <= 1)
    shortened = sum(each.shortened for each in found)
    assert (tally.cut, tally.split) == {"cut": (shortened, 0), "split": (0, shortened), "reject": (0, 0)}[how]


@settings(max_examples=20)
@given(examples=_examples)
def test_a_tally_is_read_as_it_was_noted(examples: list[Example]) -> None:
    tally = Tally()
    for each in tokenize(examples, _renderer(), 60, "split"):
        tally.add(each, "split", shared_model().tokenizer.eos_token_id)

    assert Tally.of(orjson.loads(orjson.dumps(tally.notes()))) == tally


def test_the_end_mark_counts_only_where_it_is_learned() -> None:
    tokenizer = shared_model().tokenizer
    row = _renderer().render(
        [Message(role="user", content="Yes?"), Message(role="assistant", content="Yes.")]
    )

    assert learns(row, tokenizer.eos_token_id)
    assert not learns(row, tokenizer.get_vocab()["<|im_start|>"])
    assert not learns(row, None)

"""InOrder: values come in any order and are handed on in one."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.teachers.collect import InOrder


@given(st.permutations(range(30)), st.sets(st.integers(0, 29)))
def test_values_are_handed_on_in_the_order_of_their_positions(order: list[int], pauses: set[int]) -> None:
    taken: list[int] = []

    async def run() -> None:
        async with InOrder[int](taken.append) as line:
            for step, position in enumerate(order):
                line.put(position, position)
                if step in pauses:
                    await asyncio.sleep(0)
        assert line.backlog == 0

    asyncio.run(run())
    assert taken == list(range(30))


def test_a_burst_is_handed_on_between_what_else_there_is_to_do() -> None:
    taken: list[int] = []
    seen: list[int] = []

    async def run() -> None:
        async with InOrder[int](taken.append) as line:
            for position in range(100):
                line.put(position, position)
            while len(taken) < 100:
                seen.append(len(taken))
                await asyncio.sleep(0)

    asyncio.run(run())
    assert len(seen) > 20
    assert max(after - before for before, after in pairwise(seen)) <= 4


@pytest.mark.parametrize("later", [True, False])
def test_what_goes_wrong_is_raised_by_the_next_value_or_at_the_end(later: bool) -> None:
    async def run() -> None:
        async with InOrder[int](lambda _: 1 // 0) as line:
            line.put(0, 0)
            if later:
                await asyncio.sleep(0)
                line.put(1, 1)
                pytest.fail("nothing was raised")

    with pytest.raises(ZeroDivisionError):
        asyncio.run(run())

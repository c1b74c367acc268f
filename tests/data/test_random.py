"""Streams and ranks depend on the seed and the purpose, and on nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from instil.data.random import rank, stream

PARTS = st.lists(st.text("1:ab", max_size=3) | st.integers(0, 20), max_size=3)


def test_a_stream_is_the_same_on_every_machine() -> None:
    # random.Random(sha256("2:178:generate5:retry1:3").digest()).random()
    assert stream(17, "generate", "retry", 3).random() == 0.06368526743792424


def test_a_rank_is_the_same_on_every_machine() -> None:
    # printf '2:175:split1:x' | sha256sum starts with fa1a3e5001c4cb96
    assert rank(17, "split", "x") == 0xFA1A3E5001C4CB96


def test_two_streams_of_one_purpose_draw_the_same_and_do_not_share_a_state() -> None:
    one, other = stream(17, "generate"), stream(17, "generate")
    drawn = [one.random() for _ in range(5)]
    assert [other.random() for _ in range(5)] == drawn
    assert len(set(drawn)) == 5


@given(seeds=st.tuples(st.integers(0, 3), st.integers(0, 3)), parts=st.tuples(PARTS, PARTS))
def test_other_words_or_another_seed_give_another_rank(
    seeds: tuple[int, int], parts: tuple[list[str | int], list[str | int]]
) -> None:
    same = seeds[0] == seeds[1] and [str(part) for part in parts[0]] == [str(part) for part in parts[1]]
    assert (rank(seeds[0], *parts[0]) == rank(seeds[1], *parts[1])) == same
    assert (stream(seeds[0], *parts[0]).random() == stream(seeds[1], *parts[1]).random()) == same


def test_words_cannot_run_into_each_other() -> None:
    parts = [("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"), ("abc", ""), ("1:a",), ("a1:b",)]
    assert len({rank(1, *each) for each in parts}) == 7


def test_ranks_are_spread_over_all_64_bits() -> None:
    quarters = [0, 0, 0, 0]
    for number in range(2_000):
        quarters[rank(17, number) >> 62] += 1
    # Six standard deviations (19) around 500.
    assert all(386 < count < 614 for count in quarters)


def test_half_a_surrogate_pair_has_a_rank_of_its_own() -> None:
    assert rank(17, "\ud83d") != rank(17, "\ude00")

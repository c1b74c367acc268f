"""What steps took: counts that add up, and the same examples whoever counts first."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from instil.mixing.tally import Tally, merged

_found = st.lists(
    st.tuples(
        st.sampled_from(["clean", "filter"]),
        st.sampled_from(["", "too short"]),
        st.integers(0, 20).map(lambda number: f"{number:02}"),
    ),
    max_size=40,
)


def tally_of(found: list[tuple[str, str, str]]) -> Tally:
    tally = Tally()
    for step, reason, key in found:
        tally.add(step, reason, key, {"text": f"text {key}"})
    return tally


@given(found=_found, data=st.data())
def test_neither_the_order_nor_the_number_of_counters_decides_anything(
    found: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    plain = tally_of(found)
    turned = data.draw(st.permutations(found))
    cut = data.draw(st.integers(0, len(found)))
    assert merged([tally_of(turned[:cut]).rows(), tally_of(turned[cut:]).rows()]).rows() == plain.rows()
    assert plain.counts() == Counter(f"{step}: {reason}" if reason else step for step, reason, _ in found)


@given(found=_found)
def test_the_examples_are_the_three_of_the_smallest_ids(found: list[tuple[str, str, str]]) -> None:
    for step, reasons in tally_of(found).rows().items():
        for reason, said in reasons.items():
            keys = sorted({key for each, why, key in found if (each, why) == (step, reason)})[:3]
            assert said["examples"] == [{"id": key, "text": f"text {key}"} for key in keys]


def test_several_rows_are_counted_at_once() -> None:
    tally = Tally()
    for key in "abcde":
        tally.add("duplicate", "", key, {}, count=10)
    assert tally.counts() == {"duplicate": 50}
    assert merged([]).rows() == {}

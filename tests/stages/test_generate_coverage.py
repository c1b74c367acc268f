"""Coverage: what was kept in each cell, and the calls that help those which have least."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from instil.data.examples import Example, Origin
from instil.data.messages import Message
from instil.stages.generate.coverage import Coverage
from instil.stages.generate.entities import Entity
from tests.stages.test_generate_calls import entities, plan_of, seeds


def kept(task: str, *given: str, about: tuple[str, ...] = (), level: str | None = None) -> Example:
    origin = Origin(
        kind="teacher",
        name="t",
        task=task,
        entities=given,
        about=about,
        attributes={} if level is None else {"level": level},
    )
    return Example(messages=(Message(role="user", content="?"),), origin=origin)


def test_a_kept_item_counts_for_its_entity_or_for_all_that_it_was_given() -> None:
    coverage = Coverage(plan_of(seeds(book=1), {"e": entities(3)}))
    coverage.keep(kept("book", "0", "1", about=("1",)))
    coverage.keep(kept("book", "0", "1"))

    rows = {row["entity"]: row["kept"] for row in coverage.rows()}
    assert rows == {"0": 0.5, "1": 1.5, "2": 0.0}


def test_every_cell_has_a_row_also_the_empty_ones() -> None:
    plan = plan_of(seeds(book=1, triage=1), {"e": entities(4)}, attributes={"level": {"easy": 1, "hard": 1}})
    rows = list(Coverage(plan).rows())

    assert len(rows) == 2 * 2 * 4
    assert {(row["task"], row["attributes"]["level"], row["entity"]) for row in rows} == {
        (task, level, str(n)) for task in ("book", "triage") for level in ("easy", "hard") for n in range(4)
    }


def test_without_entities_the_cells_are_counted() -> None:
    coverage = Coverage(plan_of(seeds(book=1, triage=1), {}))
    coverage.keep(kept("triage"))

    assert [row["kept"] for row in coverage.rows()] == [0, 1]


@given(
    st.lists(
        st.tuples(st.sampled_from(["book", "triage"]), st.sampled_from(["easy", "hard"]), st.integers(0, 5)),
        max_size=60,
    ),
    st.integers(1, 30),
)
def test_steered_calls_level_what_was_kept(found: list[tuple[str, str, int]], count: int) -> None:
    plan = plan_of(
        seeds(book=1, triage=1),
        {"e": entities(6)},
        attributes={"level": {"easy": 1.0, "hard": 1.0}},
        entities_per_prompt=1,
    )
    coverage = Coverage(plan)
    have: Counter[tuple[str, str]] = Counter()
    for task, level, entity in found:
        coverage.keep(kept(task, str(entity), level=level))
        have[task, level] += 1
    before = max(have.values(), default=0)

    for call in coverage.steered(count):
        assert call.task is not None
        cell = (call.task, call.attributes["level"])
        # No call goes to a cell while another has less.
        assert have[cell] == min(have[c] for c in _cells())
        have[cell] += 1

    assert max(have.values()) <= max(before, min(have[c] for c in _cells()) + 1)


def _cells() -> list[tuple[str, str]]:
    return [(task, level) for task in ("book", "triage") for level in ("easy", "hard")]


def test_steering_follows_the_weights_of_the_cells() -> None:
    plan = plan_of(seeds(book=1, triage=1), {"e": entities(4)}, task_weights={"triage": 3.0})
    calls = list(Coverage(plan).steered(40))

    assert Counter(call.task for call in calls) == {"triage": 30, "book": 10}


def test_steering_goes_to_the_entities_that_lack_most() -> None:
    coverage = Coverage(plan_of(seeds(book=1), {"e": entities(9)}))
    for n in range(9):
        if n not in (2, 5, 7):
            coverage.keep(kept("book", str(n), about=(str(n),)))

    call = next(coverage.steered(1))

    assert {entity.name for entity in call.entities["e"]} == {"2", "5", "7"}


def test_an_item_about_one_list_still_counts_for_what_another_list_gave() -> None:
    coverage = Coverage(plan_of(seeds(book=1), {"e": entities(2), "drug": [Entity(name="aspirin")]}))
    coverage.keep(kept("book", "0", "1", "aspirin", about=("1",)))

    rows = {row["entity"]: row["kept"] for row in coverage.rows()}
    assert rows == {"0": 0.0, "1": 1.0, "aspirin": 1.0}

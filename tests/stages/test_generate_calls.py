"""plan_calls: what every call shows."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from instil.data.examples import SeedTask
from instil.data.random import stream
from instil.stages.generate.calls import Call, Plan, _multiplied, by_turns, plan_calls, random_calls
from instil.stages.generate.entities import Entity


def seeds(**counts: int) -> list[SeedTask]:
    return [
        SeedTask(id=f"{name}{n}", name=name, instruction=f"{name} {n}")
        for name, count in counts.items()
        for n in range(count)
    ]


def entities(count: int) -> list[Entity]:
    return [Entity(name=str(n)) for n in range(count)]


def plan_of(tasks: list[SeedTask], lists: dict[str, list[Entity]], *, seed: int = 0, **options: Any) -> Plan:
    shown = {"seeds_per_prompt": 2, "entities_per_prompt": 3, **options}
    return Plan(seeds=tasks, entities=lists, random_for=lambda *purpose: stream(seed, *purpose), **shown)


def plan(
    count: int,
    tasks: list[SeedTask],
    lists: dict[str, list[Entity]],
    *,
    seed: int = 0,
    shown: int = 2,
    together: int = 3,
) -> list[Call]:
    plan = plan_of(tasks, lists, seed=seed, seeds_per_prompt=shown, entities_per_prompt=together)
    return list(islice(plan_calls(plan), count))


def cells(calls: list[Call], name: str = "e") -> Counter[tuple[str | None, str]]:
    return Counter((call.task, entity.name) for call in calls for entity in call.entities[name])


def test_task_types_take_turns_and_show_their_own_seeds() -> None:
    calls = plan(4, seeds(book=3, triage=2), {})

    assert [call.task for call in calls] == ["book", "triage", "book", "triage"]
    assert all({seed.name for seed in call.seeds} == {call.task} for call in calls)
    assert all(len({seed.id for seed in call.seeds}) == 2 for call in calls)
    # Three seeds of which each call shows two: after two calls every one has been shown.
    assert {seed.id for call in calls[0::2] for seed in call.seeds} == {"book0", "book1", "book2"}


def test_seeds_of_other_types_fill_up_where_a_type_has_too_few() -> None:
    calls = plan(2, seeds(book=1, triage=5), {}, shown=3)

    assert [seed.name for seed in calls[0].seeds] == ["book", "triage", "triage"]
    assert [seed.name for seed in calls[1].seeds] == ["triage", "triage", "triage"]


def test_no_call_shows_more_than_there_is() -> None:
    call = plan(1, seeds(book=1, triage=1), {"e": entities(2)}, shown=9, together=9)[0]

    assert [seed.id for seed in call.seeds] == ["book0", "triage0"]
    assert {entity.name for entity in call.entities["e"]} == {"0", "1"}


def test_without_seeds_all_calls_are_of_one_type() -> None:
    calls = plan(2, [], {"e": entities(4)}, together=2)

    assert [(call.task, call.seeds) for call in calls] == [(None, ()), (None, ())]
    assert cells(calls) == {(None, "0"): 1, (None, "1"): 1, (None, "2"): 1, (None, "3"): 1}


def test_the_seed_decides_and_a_list_more_does_not_change_another() -> None:
    tasks, lists = seeds(book=4, triage=4), {"e": entities(20)}

    assert plan(9, tasks, lists) == plan(9, tasks, lists)
    assert plan(9, tasks, lists) != plan(9, tasks, lists, seed=1)
    more = plan(9, tasks, {"other": entities(5), "e": entities(20)})
    assert [(call.seeds, call.entities["e"]) for call in more] == [
        (call.seeds, call.entities["e"]) for call in plan(9, tasks, lists)
    ]


@given(
    types=st.integers(1, 4),
    each=st.integers(1, 5),
    many=st.integers(1, 12),
    together=st.integers(1, 5),
    count=st.integers(1, 60),
    seed=st.integers(0, 1000),
)
def test_every_task_and_entity_meet_once_before_any_meet_twice(
    types: int, each: int, many: int, together: int, count: int, seed: int
) -> None:
    tasks = seeds(**{f"task{n}": each for n in range(types)})
    calls = plan(count, tasks, {"e": entities(many)}, together=together, seed=seed)

    met = cells(calls)
    for task in {call.task for call in calls}:
        times = [met[task, str(n)] for n in range(many)]
        assert max(times) - min(times) <= 1
    # A hand holds no entity twice, and is full.
    assert all(len({e.name for e in call.entities["e"]}) == min(together, many) for call in calls)
    if many % together == 0 and count == types * many // together:
        assert set(met.values()) == {1}


@given(
    types=st.integers(1, 4), per_type=st.integers(1, 6), together=st.integers(1, 4), rounds=st.integers(1, 3)
)
def test_whole_rounds_cover_the_grid_exactly(types: int, per_type: int, together: int, rounds: int) -> None:
    many = per_type * together
    tasks = seeds(**{f"task{n}": 2 for n in range(types)})
    met = cells(plan(rounds * types * per_type, tasks, {"e": entities(many)}, together=together))

    assert met == {(f"task{t}", str(e)): rounds for t in range(types) for e in range(many)}


@given(short=st.integers(0, 20), longer=st.integers(0, 20), seed=st.integers(0, 1000))
def test_asking_for_more_begins_with_the_same_calls(short: int, longer: int, seed: int) -> None:
    tasks, lists = seeds(book=3, triage=1), {"e": entities(7), "f": entities(2)}
    begun = plan(short, tasks, lists, seed=seed)

    assert plan(short + longer, tasks, lists, seed=seed)[:short] == begun


@given(
    attributes=st.lists(st.integers(1, 3), max_size=2),
    types=st.integers(1, 3),
    many=st.integers(1, 7),
    together=st.integers(1, 3),
    rounds=st.integers(1, 2),
)
def test_whole_rounds_cover_every_task_attribute_and_entity_equally(
    attributes: list[int], types: int, many: int, together: int, rounds: int
) -> None:
    named = {f"a{n}": {f"v{v}": 1.0 for v in range(count)} for n, count in enumerate(attributes)}
    plan = plan_of(
        seeds(**{f"t{n}": 1 for n in range(types)}),
        {"e": entities(many)},
        attributes=named,
        entities_per_prompt=together,
    )
    calls = list(islice(plan_calls(plan), len(plan.cells) * many * rounds))

    found = Counter(
        (call.task, *call.attributes.values(), entity.name) for call in calls for entity in call.entities["e"]
    )
    assert len(found) == len(plan.cells) * many
    assert set(found.values()) == {rounds * min(together, many)}


def test_few_calls_over_many_cells_still_give_every_entity_its_turn() -> None:
    plan = plan_of(
        seeds(book=1, triage=1),
        {"e": entities(60)},
        attributes={"language": dict.fromkeys("abcd", 1.0), "level": dict.fromkeys("xyz", 1.0)},
    )
    found = Counter(entity.name for call in islice(plan_calls(plan), 80) for entity in call.entities["e"])

    # 240 places for 60 entities: drawn at random, two of three runs would leave one of them out.
    assert len(found) == 60
    assert max(found.values()) <= 3 * min(found.values())


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=6), st.integers(1, 60))
def test_turns_follow_the_weights_as_closely_as_whole_turns_can(weights: list[float], count: int) -> None:
    found = Counter(islice(by_turns(weights), count))

    for index, weight in enumerate(weights):
        assert abs(found[index] - count * weight / sum(weights)) <= len(weights)


def test_weights_say_how_often_tasks_attributes_and_entities_come() -> None:
    plan = plan_of(
        seeds(book=1, triage=1),
        {"e": [Entity(name="rare"), Entity(name="common", weight=3)]},
        attributes={"language": {"zh": 2.0, "en": 1.0}},
        task_weights={"triage": 3.0},
        entities_per_prompt=1,
    )
    calls = list(islice(plan_calls(plan), 4800))

    assert Counter(call.task for call in calls) == {"triage": 3600, "book": 1200}
    assert Counter(call.attributes["language"] for call in calls) == {"zh": 3200, "en": 1600}
    assert Counter(call.entities["e"][0].name for call in calls) == {"common": 3600, "rare": 1200}


def test_random_calls_leave_some_entities_out_where_even_ones_do_not() -> None:
    plan = plan_of(seeds(book=2), {"e": entities(90)})
    drawn = {e.name for call in islice(random_calls(plan), 30) for e in call.entities["e"]}
    even = {e.name for call in islice(plan_calls(plan), 30) for e in call.entities["e"]}

    assert len(even) == 90
    assert len(drawn) < 75
    assert list(islice(random_calls(plan), 5)) == list(islice(random_calls(plan), 5))


@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=40))
def test_any_weights_make_a_list_that_fits_into_memory_and_leaves_nothing_out(weights: list[float]) -> None:
    items = [Entity(name=str(n), weight=weight) for n, weight in enumerate(weights)]
    plan = plan_of([], {"e": items}, entities_per_prompt=1)
    dealt = len(_multiplied(items))

    assert dealt <= 600 * len(items)
    found = {call.entities["e"][0].name for call in islice(plan_calls(plan), dealt)}
    assert found == {item.name for item in items}


def test_weights_are_followed_within_a_twelfth() -> None:
    weights = [1.0, 1.1, 1.35, 2.0, 3.7, 17.3]
    found = Counter(item.weight for item in _multiplied([Entity(name=str(w), weight=w) for w in weights]))

    for weight in weights:
        assert abs(found[weight] / found[1.0] / weight - 1) < 1 / 12

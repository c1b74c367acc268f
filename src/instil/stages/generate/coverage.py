"""How many items each cell has kept, and the calls that help the cells which have least.

A cell is a task type with a value of each attribute; below it stand the entities of each list. The
first calls cover all of them evenly (`calls.plan_calls`); what filters and broken answers take away
is made good by steering later waves to where the fewest items were kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from heapq import heapify, heapreplace, nsmallest
from typing import Any

from instil.data.examples import Example, Origin
from instil.stages.generate.calls import Call, Plan, SeedDealer
from instil.stages.generate.entities import Entity

CellKey = tuple[str | None, tuple[tuple[str, str], ...]]


class Coverage:
    """Counts kept items by cell and entity, and deals the calls of later waves."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._cells = plan.cells
        self._show = SeedDealer(plan)
        self._index = {cell_key(cell.task, cell.attributes): n for n, cell in enumerate(self._cells)}
        self._kept = [0.0] * len(self._cells)
        self._by_entity: list[dict[str, dict[str, float]]] = [
            {name: {entity.name: 0.0 for entity in items} for name, items in plan.entities.items()}
            for _ in self._cells
        ]
        self._waves = 0

    def keep(self, example: Example) -> None:
        """Count an example that was kept.

        Where an item cannot be told to be about one of the entities that its call was given, it counts
        for each of them in equal parts.
        """
        origin = example.origin
        index = self._index.get(cell_key(origin.task, origin.attributes))
        if index is None:
            return
        self._kept[index] += 1
        for counts in self._by_entity[index].values():
            for name, share in shares(origin, counts).items():
                counts[name] += share

    def steered(self, count: int) -> Iterator[Call]:
        """Yield `count` calls for the cells and entities whose kept items are fewest for their weight.

        Items that a call asks for count as kept while the wave is planned, so that one wave does not
        send all of its calls to the same cell.
        """
        self._waves += 1
        cells = [
            (kept / cell.weight, n)
            for n, (kept, cell) in enumerate(zip(self._kept, self._cells, strict=True))
        ]
        heapify(cells)
        queues: dict[tuple[int, str], _Fewest] = {}
        for _ in range(count):
            have, index = cells[0]
            cell = self._cells[index]
            heapreplace(cells, (have + self._plan.items / cell.weight, index))
            entities = {}
            for name in self._plan.entities:
                if (index, name) not in queues:
                    queues[index, name] = self._queue(index, name)
                entities[name] = queues[index, name].take(self._plan.entities_per_prompt, self._plan.items)
            yield Call(
                task=cell.task,
                seeds=self._show(cell.task),
                entities=entities,
                attributes=cell.attributes,
                items=self._plan.items,
            )

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one row for every cell and entity, with the items that were kept for it."""
        for index, cell in enumerate(self._cells):
            about = {"task": cell.task, "attributes": dict(cell.attributes)}
            if not self._plan.entities:
                yield {**about, "kept": self._kept[index]}
            for name, counts in self._by_entity[index].items():
                for entity, kept in counts.items():
                    yield {**about, "list": name, "entity": entity, "kept": round(kept, 2)}

    def _queue(self, index: int, name: str) -> _Fewest:
        cell = self._cells[index]
        items = self._plan.entities[name]
        rng = self._plan.random_for("steer", self._waves, cell.task or "", *cell.attributes.values(), name)
        return _Fewest(rng.sample(items, len(items)), self._by_entity[index][name])


class _Fewest:
    """Deals the entities of a list that have the fewest items for their weight."""

    def __init__(self, items: list[Entity], kept: Mapping[str, float]) -> None:
        self._have = {n: kept[item.name] / item.weight for n, item in enumerate(items)}
        self._items = items

    def take(self, count: int, asked: int) -> tuple[Entity, ...]:
        chosen = nsmallest(min(count, len(self._items)), self._have, key=lambda n: (self._have[n], n))
        for n in chosen:
            self._have[n] += asked / len(chosen) / self._items[n].weight
        return tuple(self._items[n] for n in chosen)


def shares(origin: Origin, names: Collection[str]) -> dict[str, float]:
    """Return for how much an item counts for each of the entities `names` of a list: 1 in all, or nothing."""
    own = [name for name in origin.about if name in names]
    own = own or [name for name in origin.entities if name in names]
    return {name: 1 / len(own) for name in own}


def cell_key(task: str | None, attributes: Mapping[str, str]) -> CellKey:
    """Return what two items of one cell share."""
    return task, tuple(sorted(attributes.items()))

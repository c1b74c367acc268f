"""Which seeds, entities and attributes each call to the teacher shows.

The calls are an endless series in which cells (task type × attributes) take turns by weight, and
within a cell every entity comes once before any comes again. So `n` calls cover cell × entity as
evenly as `n` allows, and the first `n` of a longer series are the same calls: asking for more rows
pays only for the new ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from itertools import product
from typing import Generic, TypeVar

from instil.corpora.documents import Passage
from instil.data.examples import Example, SeedTask
from instil.stages.generate.entities import Entity

T = TypeVar("T")
RandomFor = Callable[..., random.Random]
Weights = Mapping[str, float]
_MOST_RATIO = 100  # an entity comes at most so many times as often as the rarest
_FINEST = 6  # copies of the rarest by which weights are rounded to whole numbers
_GOLDEN = 0.6180339887498949  # multiples of it, modulo 1, stay far apart


@dataclass(frozen=True)
class Cell:
    """One combination of a task type and a value of each attribute."""

    task: str | None
    """The task type, which is the name that its seeds share; None where there are no seeds."""
    attributes: Mapping[str, str]
    weight: float = 1.0


@dataclass(frozen=True)
class Call:
    """What one call shows the teacher."""

    task: str | None
    """The task type, which is the name that its seeds share."""
    seeds: tuple[SeedTask, ...]
    entities: Mapping[str, tuple[Entity, ...]]
    """By the name of the list."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The value of each attribute, such as a language, a persona or a difficulty."""
    items: int = 1
    """How many items it asks for."""
    source: Example | None = None
    """What is to be answered or evolved."""
    method: str | None = None
    """How it is to be evolved."""
    passage: Passage | None = None
    """What the items must be grounded in."""
    number: int = 0
    """The how-manieth call of the run it is, from 1, where the template asks for it."""
    place: int = 0
    """Which of the given instructions or passages it works on."""


@dataclass(frozen=True)
class Plan:
    """What the calls of a run are made of.

    Attributes:
        seeds: may be empty; then no call shows one and all are of one type.
        entities: lists by name; none of them empty.
        attributes: values with their weights, by the attribute's name.
        task_weights: how often a task type comes, relative to the others; 1 where it is not named.
        seeds_per_prompt: seeds in one call: of the call's own type first, then of others.
        entities_per_prompt: entities of each list in one call; the whole list if it is shorter.
        items: items that a call asks for.
        random_for: gives the stream of randomness for a purpose.
    """

    seeds: Sequence[SeedTask]
    entities: Mapping[str, Sequence[Entity]]
    seeds_per_prompt: int
    entities_per_prompt: int
    random_for: RandomFor
    attributes: Mapping[str, Weights] = field(default_factory=dict)
    task_weights: Weights = field(default_factory=dict)
    items: int = 1

    @property
    def tasks(self) -> dict[str | None, list[SeedTask]]:
        """The seeds by task type; one type without a name where there are none."""
        found: dict[str | None, list[SeedTask]] = {}
        for seed in self.seeds:
            found.setdefault(seed.name, []).append(seed)
        return found or {None: []}

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every task type with every combination of attribute values."""
        cells = []
        for task in self.tasks:
            for values in product(*(weights.items() for weights in self.attributes.values())):
                weight = self.task_weights.get(task or "", 1.0)
                for _, factor in values:
                    weight *= factor
                names = dict(zip(self.attributes, (value for value, _ in values), strict=True))
                cells.append(Cell(task, names, weight))
        return tuple(cells)


def plan_calls(plan: Plan) -> Iterator[Call]:
    """Yield calls without end, covering cells and entities evenly."""
    show = SeedDealer(plan)
    cells = plan.cells
    turns: dict[str | None, int] = {}
    lists: list[dict[str, Rounds[Entity]]] = []
    for cell in cells:
        turn = turns[cell.task] = turns.get(cell.task, -1) + 1
        lists.append(
            {
                name: Rounds(
                    _multiplied(items),
                    plan.random_for("entities", cell.task or "", name),
                    # Cells of one type share their shuffles but start far apart in them, so that few
                    # calls over many cells still give every entity its turn.
                    offset=turn * _GOLDEN % 1,
                )
                for name, items in plan.entities.items()
            }
        )
    for index in by_turns([cell.weight for cell in cells]):
        cell = cells[index]
        yield Call(
            task=cell.task,
            seeds=show(cell.task),
            entities={
                name: tuple(lists[index][name].take(plan.entities_per_prompt)) for name in lists[index]
            },
            attributes=cell.attributes,
            items=plan.items,
        )


def random_calls(plan: Plan) -> Iterator[Call]:
    """Yield calls without end, each drawn by itself as the first generators of the kind did."""
    rng = plan.random_for("calls")
    cells, tasks = plan.cells, plan.tasks
    weights = [cell.weight for cell in cells]
    while True:
        cell = rng.choices(cells, weights)[0]
        own = tasks[cell.task]
        shown = rng.sample(own, min(plan.seeds_per_prompt, len(own)))
        yield Call(
            task=cell.task,
            seeds=tuple(shown),
            entities={
                name: tuple(_draw(rng, items, plan.entities_per_prompt))
                for name, items in plan.entities.items()
            },
            attributes=cell.attributes,
            items=plan.items,
        )


class SeedDealer:
    """Deals the seeds that calls of a type show: every one once before any again."""

    def __init__(self, plan: Plan) -> None:
        self._count = plan.seeds_per_prompt
        tasks = plan.tasks
        self._own = {task: Rounds(own, plan.random_for("seeds", task or "")) for task, own in tasks.items()}
        self._others = {
            task: Rounds(
                [s for s in plan.seeds if s.name != task], plan.random_for("other seeds", task or "")
            )
            for task in tasks
        }

    def __call__(self, task: str | None) -> tuple[SeedTask, ...]:
        """Return the seeds of the next call of a type: its own first, then others'."""
        shown = self._own[task].take(self._count)
        return (*shown, *self._others[task].take(self._count - len(shown)))


class Rounds(Generic[T]):
    """Deals items in shuffled rounds: all once before any again, never one twice in a hand.

    Args:
        items: what is dealt; an item that stands there twice comes twice in a round.
        rng: shuffles each round.
        offset: where in each shuffle to begin, as a share of it.
    """

    def __init__(self, items: Sequence[T], rng: random.Random, offset: float = 0.0) -> None:
        self._items, self._rng = list(items), rng
        self._different = len({id(item) for item in self._items})
        self._start = int(offset * len(self._items))
        self._left: list[T] = []

    def take(self, count: int) -> list[T]:
        """Return `count` different items, or all there are."""
        count = min(count, self._different)
        hand: list[T] = []
        while len(hand) < count:
            # By identity: comparing seed tasks by content would take longer than the rest of a call.
            held = {id(item) for item in hand}
            index = next((index for index, item in enumerate(self._left) if id(item) not in held), None)
            if index is None:
                order = self._rng.sample(self._items, len(self._items))
                self._left += order[self._start :] + order[: self._start]
            else:
                hand.append(self._left.pop(index))
        return hand


def by_turns(weights: Sequence[float]) -> Iterator[int]:
    """Yield indices without end so that every prefix follows the weights as closely as it can.

    Sainte-Laguë's method, which deals out seats of a parliament: the next turn goes to who has the largest
    weight / (turns so far + 1/2). Equal weights give 0, 1, 2, 0, 1, 2 …
    """
    turns = [(0.5 / weight, index, 0) for index, weight in enumerate(weights)]
    heapify(turns)
    while True:
        _, index, had = turns[0]
        heapreplace(turns, ((had + 1.5) / weights[index], index, had + 1))
        yield index


def _multiplied(items: Sequence[Entity]) -> list[Entity]:
    """Return the items, each as often as its weight says, in whole numbers that stay small."""
    weights = [item.weight for item in items]
    least = max(min(weights), max(weights) / _MOST_RATIO)
    ratios = [max(weight / least, 1.0) for weight in weights]
    exact = (n for n in range(1, _FINEST) if all(abs(n * r - round(n * r)) < 0.01 * n * r for r in ratios))
    scale = next(exact, _FINEST)
    return [item for item, ratio in zip(items, ratios, strict=True) for _ in range(round(scale * ratio))]


def _draw(rng: random.Random, items: Sequence[Entity], count: int) -> list[Entity]:
    """Return different items drawn by weight (Efraimidis and Spirakis, 2006)."""
    keys = [rng.random() ** (1 / item.weight) for item in items]
    order = sorted(range(len(items)), key=keys.__getitem__, reverse=True)
    return [items[index] for index in order[:count]]

"""Which seeds and entities each call to the teacher shows.

The calls are an endless series in which task types take turns, and within a type every entity
comes once before any comes again. So `n` calls cover type × entity as evenly as `n` allows, and
the first `n` of a longer series are the same calls: asking for more rows pays only for the new.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from instil.data.examples import SeedTask
from instil.stages.generate.entities import Entity

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """What one call shows the teacher."""

    task: str | None
    """The task type, which is the name that its seeds share."""
    seeds: tuple[SeedTask, ...]
    entities: Mapping[str, tuple[Entity, ...]]
    """By the name of the list."""


def plan_calls(
    seeds: Sequence[SeedTask],
    entities: Mapping[str, Sequence[Entity]],
    *,
    seeds_per_prompt: int,
    entities_per_prompt: int,
    random_for: Callable[..., random.Random],
) -> Iterator[Call]:
    """Yield calls without end.

    Args:
        seeds: may be empty; then no call shows one and all are of one type.
        entities: lists by name; none of them empty.
        seeds_per_prompt: seeds in one call: of the call's own type first, then of others.
        entities_per_prompt: entities of each list in one call; the whole list if it is shorter.
        random_for: gives the stream of randomness for a purpose.
    """
    types: dict[str | None, list[SeedTask]] = {}
    for seed in seeds:
        types.setdefault(seed.name, []).append(seed)
    if not types:
        types[None] = []
    own = {task: _Rounds(tasks, random_for("seeds", task or "")) for task, tasks in types.items()}
    others = {
        task: _Rounds([seed for seed in seeds if seed.name != task], random_for("other seeds", task or ""))
        for task in types
    }
    lists = {
        (task, name): _Rounds(items, random_for("entities", task or "", name))
        for task in types
        for name, items in entities.items()
    }
    while True:
        for task in types:
            shown = own[task].take(seeds_per_prompt)
            shown += others[task].take(seeds_per_prompt - len(shown))
            yield Call(
                task=task,
                seeds=tuple(shown),
                entities={name: tuple(lists[task, name].take(entities_per_prompt)) for name in entities},
            )


class _Rounds(Generic[T]):
    """Deals items in shuffled rounds: all once before any again, never one twice in a hand."""

    def __init__(self, items: Sequence[T], rng: random.Random) -> None:
        self._items, self._rng = list(items), rng
        self._left: list[T] = []

    def take(self, count: int) -> list[T]:
        """Return `count` different items, or all there are."""
        count = min(count, len(self._items))
        hand: list[T] = []
        while len(hand) < count:
            if not any(item not in hand for item in self._left):
                self._left += self._rng.sample(self._items, len(self._items))
            index = next(index for index, item in enumerate(self._left) if item not in hand)
            hand.append(self._left.pop(index))
        return hand

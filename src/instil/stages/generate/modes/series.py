"""Calls that show seeds and entities: the modes `seed`, `bootstrap` and `dialogue`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Literal

from pydantic import Field, model_validator

from instil.data.examples import Example, Instance, SeedTask
from instil.data.messages import Message, ask
from instil.stages.generate.calls import Call, plan_calls, random_calls
from instil.stages.generate.modes.base import Draft, Mode, ModeConfigBase, Read, Setting, drafted
from instil.stages.generate.modes.schemas import DIALOGUES, ITEMS, Schema
from instil.stages.generate.parse import Item, Malformed, parse_dialogues, parse_items, parse_numbered

_BOOTSTRAP_WAVE = 32


class SeedMode(ModeConfigBase):
    """Each call shows seed tasks of one type and asks for more of it."""

    kind: Literal["seed"] = "seed"

    @property
    def packaged_prompt(self) -> str:
        """The packaged prompt that is used where the recipe names none."""
        return "self_instruct"

    def open(self, setting: Setting) -> Mode:
        """Return the mode, ready to make calls."""
        return _Series(setting)


class BootstrapMode(ModeConfigBase):
    """Each call shows human seed tasks, and tasks that were accepted in earlier waves.

    Self-Instruct (arXiv 2212.10560): the data grows away from its seeds. Give `generate.filters` a
    novelty filter, as the paper does.
    """

    kind: Literal["bootstrap"]
    human_seeds: int = Field(default=6, gt=0)
    """Tasks that a human wrote, in each call."""
    machine_seeds: int = Field(default=2, ge=0)
    """Accepted tasks of earlier waves, in each call."""

    @property
    def packaged_prompt(self) -> str:
        """The packaged prompt that is used where the recipe names none."""
        return "self_instruct"

    @property
    def needs_seeds(self) -> bool:
        """Whether there must be seed tasks."""
        return True

    @property
    def learns(self) -> bool:
        """Whether later calls depend on the answers to earlier ones."""
        return True

    @property
    def seeds_in_call(self) -> int:
        """How many seed tasks a call shows, where this is not `seeds_per_prompt`."""
        return self.human_seeds

    def open(self, setting: Setting) -> Mode:
        """Return the mode, ready to make calls."""
        waves = setting.wave_calls or _BOOTSTRAP_WAVE
        return _Bootstrap(replace(setting, wave_calls=waves), self.machine_seeds)


class DialogueMode(ModeConfigBase):
    """Each item is a conversation of several turns."""

    kind: Literal["dialogue"]
    min_turns: int = Field(default=2, gt=0)
    """Fewest questions of one conversation that the prompt asks for."""
    max_turns: int = Field(default=5, gt=0)
    """Most questions of one conversation that the prompt asks for."""

    @model_validator(mode="after")
    def _in_order(self) -> DialogueMode:
        if self.min_turns > self.max_turns:
            raise ValueError("min_turns is larger than max_turns")
        return self

    @property
    def packaged_prompt(self) -> str:
        """The packaged prompt that is used where the recipe names none."""
        return "dialogue"

    @property
    def template_values(self) -> frozenset[str]:
        """What a template can use in this mode besides seeds, entities, attributes and item_count."""
        return frozenset({"min_turns", "max_turns"})

    @property
    def unused(self) -> frozenset[str]:
        """Settings of `generate` that would change nothing in this mode."""
        return frozenset({"answers"})

    def open(self, setting: Setting) -> Mode:
        """Return the mode, ready to make calls."""
        return _Dialogues(setting, {"min_turns": self.min_turns, "max_turns": self.max_turns})


class _Series:
    """Even coverage first; later waves, and calls for what is missing, go where least was kept."""

    def __init__(self, setting: Setting, values: dict[str, Any] | None = None) -> None:
        self.details: dict[str, Any] = {}
        assert setting.prompt is not None
        self._setting, self._template, self._values = setting, setting.prompt, values or {}
        self._numbered = setting.answers == "numbered"
        self._series = plan_calls(setting.plan) if setting.evenly else random_calls(setting.plan)

    def waves(self) -> Iterator[Iterable[Call]]:
        """Yield the calls, wave by wave."""
        setting = self._setting
        left = math.ceil(setting.num_examples / setting.plan.items)
        size = min(setting.wave_calls or left, left)
        yield islice(self._series, size)
        while left := left - size:
            size = min(size, left)
            yield self._next(size)

    def more(self, missing: int) -> Iterable[Call]:
        """Return calls for the cells that lack most."""
        return self._next(math.ceil(missing / self._setting.plan.items))

    def _next(self, count: int) -> Iterable[Call]:
        setting = self._setting
        return setting.coverage.steered(count) if setting.evenly else islice(self._series, count)

    def messages(self, call: Call) -> tuple[Message, ...]:
        """Return the filled template."""
        return ask(self._template.render(call, self._values), system=self._setting.system)

    def schema(self, call: Call) -> Schema | None:  # noqa: ARG002
        """Return the form of items, where the prompt asks for JSON."""
        return None if self._numbered else ITEMS

    def read(self, call: Call, text: str, *, cut_off: bool) -> Iterator[Read]:
        """Yield the items of an answer."""
        if self._numbered:
            # The prompt may end in the first label of the answer, as Alpaca's does.
            lead = self.messages(call)[-1].content.rstrip().rsplit("\n", 1)[-1]
            found: Iterable[Item | Malformed] = parse_numbered(text, cut_off=cut_off, lead=lead)
        else:
            found = parse_items(text, cut_off=cut_off)
        for item in found:
            yield item if isinstance(item, Malformed) else drafted(item)

    def keep(self, call: Call, example: Example) -> None:
        """Take no note."""


class _Bootstrap(_Series):
    def __init__(self, setting: Setting, machine_seeds: int) -> None:
        super().__init__(setting)
        self._machine_seeds = machine_seeds
        self._pool: list[SeedTask] = []
        self._calls = 0

    def waves(self) -> Iterator[Iterable[Call]]:
        """Yield the calls, wave by wave; each shows what earlier waves have given."""
        for wave in super().waves():
            yield self._with_machine_seeds(wave)

    def more(self, missing: int) -> Iterable[Call]:
        """Return calls for the cells that lack most."""
        return self._with_machine_seeds(super().more(missing))

    def keep(self, call: Call, example: Example) -> None:  # noqa: ARG002
        """Add an accepted task to the pool that the next wave draws from."""
        conversation = example.conversation
        instance = Instance(output=conversation.completion.content)
        task = example.origin.task or ""
        self._pool.append(
            SeedTask(id=example.id, name=task, instruction=conversation.instruction, instances=(instance,))
        )

    def _with_machine_seeds(self, wave: Iterable[Call]) -> Iterator[Call]:
        # The pool as it is when the wave begins: it grows while the answers of the wave are read.
        pool = tuple(self._pool)
        for call in wave:
            rng = self._setting.plan.random_for("machine seeds", self._calls)
            self._calls += 1
            drawn = rng.sample(pool, min(self._machine_seeds, len(pool)))
            seeds = [*call.seeds, *drawn]
            rng.shuffle(seeds)
            yield replace(call, seeds=tuple(seeds))


class _Dialogues(_Series):
    def schema(self, call: Call) -> Schema:  # noqa: ARG002
        """Return the form of conversations."""
        return DIALOGUES

    def read(self, call: Call, text: str, *, cut_off: bool) -> Iterator[Read]:  # noqa: ARG002
        """Yield the conversations of an answer."""
        for item in parse_dialogues(text, cut_off=cut_off):
            yield item if isinstance(item, Malformed) else Draft(item)

"""What the `generate` stage can be told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from instil.config.base import Config, InputFile, Items
from instil.errors import RecipeError
from instil.filters import FilterConfig
from instil.stages.generate.entities import read_entities
from instil.stages.generate.modes import ModeConfig, SeedMode
from instil.stages.generate.prompts import (
    CALL_NUMBER,
    ITEM_COUNT,
    PACKAGED,
    SAMPLES,
    PromptFile,
    PromptTemplate,
)
from instil.teachers import TeacherConfig

Weight = Annotated[float, Field(gt=0)]


class GenerateConfig(Config):
    """Instruction data written by a teacher (Self-Instruct, arXiv 2212.10560)."""

    mode: ModeConfig = SeedMode()
    """What the calls ask for; a mode without options can be written as its name."""
    num_examples: int = Field(gt=0)
    """Examples to ask for; calls = num_examples / items_per_call, rounded up."""
    shortfall: Literal["leave", "ask_again"] = "leave"
    """What happens when fewer are kept than `num_examples`: nothing, or further calls until there are
    enough."""
    max_calls: int | None = Field(default=None, gt=0)
    """Most calls in all; twice those that `num_examples` needs if not given."""
    items_per_call: int = Field(default=3, gt=0)
    """Examples that the prompt asks for in one call."""
    prompt: PromptFile | None = None
    """The template: text with <sample_list>, <NAME_list>, <NAME> and <item_count>, or Jinja in a *.j2
    file; or the name of a packaged prompt. The mode's own if not given."""
    answers: Literal["json", "numbered"] = "json"
    """The form that the prompt asks for: JSON, or numbered `1. Instruction:` blocks as in Alpaca."""
    seeds_per_prompt: int = Field(default=2, gt=0)
    """Seed tasks shown in one call, of one task type as far as there are enough."""
    entities: dict[str, InputFile] = Field(default_factory=dict)
    """Entity lists by name: lines, a JSON list, or a JSON object of groups."""
    entities_per_prompt: int = Field(default=3, gt=0)
    """Entities of each list in one call."""
    attributes: dict[str, Annotated[tuple[str, ...], Items] | dict[str, Weight]] = Field(default_factory=dict)
    """What else varies, one value a call: a list of values, or values with their weights, by name; for
    example `difficulty: {easy: 2, hard: 1}`."""
    task_weights: dict[str, Weight] = Field(default_factory=dict)
    """How often a task type comes, relative to the others; 1 where it is not named."""
    coverage: Literal["even", "random"] = "even"
    """Whether task types, attributes and entities are covered evenly, or drawn at random for each call."""
    wave_calls: int | None = Field(default=None, gt=0)
    """Calls in one wave; the next wave goes to the cells with fewest kept examples. All in one if not
    given (in `bootstrap`: 32)."""
    filters: Annotated[tuple[FilterConfig, ...], Items] = ()
    """Tests while the answers come in: what passes counts as kept, for coverage, for `bootstrap` and for
    `shortfall`. Filters that only clean belong into `curate`."""
    system: str | None = None
    """A system prompt for the teacher."""
    teacher: TeacherConfig
    """Who writes."""

    @model_validator(mode="after")
    def _fits(self) -> GenerateConfig:
        problems = list(self._problems())
        if problems:
            # Reported with every other mistake of the recipe, under the place of `generate`.
            raise ValueError("\n       ".join(problems))
        return self

    def _problems(self) -> list[str]:
        problems: list[str] = []
        for name, values in self.attributes.items():
            if not values:
                problems.append(f"attributes.{name}: there is no value in it")
        problems += self._bad_names()
        problems += [
            f"{name}: the mode {self.mode.kind!r} does not use it; remove it"
            for name in sorted(self.mode.unused)
            if getattr(self, name) != type(self).model_fields[name].get_default(call_default_factory=True)
        ]
        if any(each.kind == "judged" for each in self.filters):
            problems.append("filters: `judged` asks a teacher; put it into `curate`")
        try:
            for path in self.entities.values():
                read_entities(path)
            self.template()
        except RecipeError as error:
            problems += error.problems
        return problems

    def _bad_names(self) -> Iterator[str]:
        """Say which names a template could not use, or would mix up with others."""
        tags = {SAMPLES, ITEM_COUNT, CALL_NUMBER, *self.mode.template_values}
        named = [("entities", name, f"{name}_list") for name in self.entities]
        named += [("attributes", name, name) for name in self.attributes]
        for kind, name, tag in named:
            if not name.isidentifier():
                yield f"{kind}.{name}: not a name; use letters, digits and _"
            if tag in tags or (kind == "attributes" and name in self.entities):
                yield f"{kind}.{name}: the name is taken; choose another"
            tags.add(tag)

    @property
    def learns(self) -> bool:
        """Whether later calls depend on the answers to earlier ones."""
        return self.mode.learns or self.wave_calls is not None or self.shortfall == "ask_again"

    @property
    def planned_calls(self) -> int:
        """Calls if no answer falls short."""
        return min(self.mode.calls(self.num_examples, self.items_per_call), self.most_calls)

    @property
    def most_calls(self) -> int:
        """Most calls in all."""
        return self.max_calls or 2 * self.mode.calls(self.num_examples, self.items_per_call)

    @property
    def weights(self) -> dict[str, dict[str, float]]:
        """The values of each attribute with their weights."""
        return {
            name: dict(values) if isinstance(values, dict) else dict.fromkeys(values, 1.0)
            for name, values in self.attributes.items()
        }

    def template(self) -> PromptTemplate | None:
        """Return the checked template, or None where the mode needs none.

        Raises:
            RecipeError: it uses what nobody fills, or leaves a list or an attribute unused.
        """
        path = self.prompt
        if path is None:
            if self.mode.packaged_prompt is None:
                return None
            path = PACKAGED / f"{self.mode.packaged_prompt}.j2"
        return PromptTemplate(path, self.entities, self.attributes, self.mode.template_values)

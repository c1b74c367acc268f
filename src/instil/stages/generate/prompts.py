"""Fill a prompt template with what a call shows.

Two kinds of template: text with the tags `<sample_list>`, `<NAME_list>` for every entity list,
`<NAME>` for every attribute, `<item_count>` and `<call_number>`; or Jinja, in a file that ends in
`.j2`. Nothing is stripped: white space carries meaning in English and in code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from instil.config.base import existing_file, resolve_path
from instil.data.examples import SeedTask
from instil.data.text import read_text
from instil.errors import RecipeError
from instil.stages.generate.calls import Call
from instil.stages.generate.entities import Entity

_TAG = re.compile(r"<([^\W\d]\w*)>")
SAMPLES, ITEM_COUNT, CALL_NUMBER = "sample_list", "item_count", "call_number"
PACKAGED = Path(__file__).parents[2] / "prompts"


def _packaged_or_file(value: object) -> object:
    """Return the path of a packaged prompt for its bare name, else a path relative to the recipe."""
    if isinstance(value, str) and (PACKAGED / f"{value}.j2").is_file():
        return PACKAGED / f"{value}.j2"
    return resolve_path(value)


def _existing_prompt(path: Path) -> Path:
    try:
        return existing_file(path)
    except ValueError as error:
        # Those for judging lie there too, and are no use here.
        names = ", ".join(sorted(each.stem for each in PACKAGED.glob("*.j2") if "judge" not in each.stem))
        raise ValueError(f"{error}; packaged prompts: {names}") from error


PromptFile = Annotated[Path, BeforeValidator(_packaged_or_file), AfterValidator(_existing_prompt)]
"""A template file relative to the recipe, or the name of a packaged prompt."""


class PromptTemplate:
    """A checked template.

    Args:
        path: the file that holds the template.
        entity_lists: names of the recipe's entity lists.
        attributes: names of the recipe's attributes.
        values: what else the mode of generation fills in: `passage`, `instruction`, `method` …

    Raises:
        RecipeError: the template uses what nobody fills, or leaves a list or an attribute unused.
    """

    def __init__(
        self,
        path: Path,
        entity_lists: Collection[str],
        attributes: Collection[str] = (),
        values: Collection[str] = (),
    ) -> None:
        self.path = path
        self.source = read_text(path)
        self._lists, self._attributes, self._values = set(entity_lists), set(attributes), set(values)
        self._jinja = _compile(path, self.source) if path.suffix == ".j2" else None
        if self._jinja is None:
            self._uses = {match[1] for match in _TAG.finditer(self.source)}
            self._check_tags()
        else:
            self._uses = _undeclared(self.source)
            self._check_names()

    @property
    def shows_seeds(self) -> bool:
        """Whether the template has a place for seed tasks."""
        return bool(self._uses & {SAMPLES, "seeds"})

    @property
    def numbers_calls(self) -> bool:
        """Whether the template shows the number of a call, which makes every prompt another one."""
        return CALL_NUMBER in self._uses

    def render(self, call: Call, values: Mapping[str, Any] | None = None) -> str:
        """Return the prompt of one call.

        Args:
            call: what to show.
            values: what the mode fills in, by the names that the template was checked with.

        Raises:
            RecipeError: the Jinja template uses an undefined name.
        """
        values = values or {}
        if self._jinja is not None:
            return self._render_jinja(self._jinja, call, values)
        fillers = {SAMPLES: _samples(call.seeds), ITEM_COUNT: str(call.items), CALL_NUMBER: str(call.number)}
        fillers |= {f"{name}_list": _numbered(entities) for name, entities in call.entities.items()}
        fillers |= call.attributes
        fillers |= {name: str(value) for name, value in values.items()}
        tags = self._tags
        # One pass, so that a tag inside a seed is text and not filled again.
        return _TAG.sub(lambda match: fillers[match[1]] if match[1] in tags else match[0], self.source)

    @property
    def _tags(self) -> set[str]:
        """What a text with tags can use."""
        lists = {f"{name}_list" for name in self._lists}
        return {SAMPLES, ITEM_COUNT, CALL_NUMBER, *lists, *self._attributes, *self._values}

    @property
    def _known(self) -> set[str]:
        """What a Jinja template can use."""
        return {"seeds", "entities", "attributes", ITEM_COUNT, CALL_NUMBER, *self._values}

    def _check_tags(self) -> None:
        known = self._tags
        problems = []
        for number, line in enumerate(self.source.split("\n"), start=1):
            for match in _TAG.finditer(line):
                if match[1] not in known and _means_a_tag(match[1]):
                    place = f"{self.path}:{number}:{match.start() + 1}"
                    problems.append(f"{place}: {_unknown(match[1], known)}")
        problems += [
            f"{self.path}: the entity list {name!r} is never used; write <{name}_list> where it belongs"
            for name in sorted(self._lists)
            if f"{name}_list" not in self._uses
        ]
        problems += [
            f"{self.path}: the attribute {name!r} is never used; write <{name}> where it belongs"
            for name in sorted(self._attributes - self._uses)
        ]
        if problems:
            raise RecipeError(
                problems, hint="for text in angle brackets use a Jinja template (a file named *.j2)"
            )

    def _check_names(self) -> None:
        """Find what a Jinja template would miss, before anything is paid."""
        known = self._known
        problems = []
        if unknown := self._uses - known:
            names = ", ".join(repr(name) for name in sorted(unknown))
            problems.append(f"the template uses {names}; it can use {', '.join(sorted(known))}")
        for what, given in (("entities", self._lists), ("attributes", self._attributes)):
            if given and what not in self._uses:
                problems.append(f"the recipe's {what} ({', '.join(sorted(given))}) are never used")
        if problems:
            raise RecipeError([f"{self.path}: {problem}" for problem in problems])

    def _render_jinja(self, template: Any, call: Call, values: Mapping[str, Any]) -> str:
        from jinja2 import TemplateError

        try:
            text: str = template.render(
                seeds=[_sample(seed) for seed in call.seeds],
                entities={
                    name: [{"name": each.name, "group": each.group} for each in items]
                    for name, items in call.entities.items()
                },
                attributes=dict(call.attributes),
                item_count=call.items,
                call_number=call.number,
                **values,
            )
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            hint = f"a template can use {', '.join(sorted(self._known))}"
            raise RecipeError(f"{self.path}: the template fails: {error}", hint=hint) from error
        return text


def _compile(path: Path, source: str) -> Any:
    # Costs a tenth of a second to import; only recipes that use it pay.
    from jinja2 import StrictUndefined, TemplateSyntaxError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    try:
        return environment.from_string(source)
    except TemplateSyntaxError as error:
        raise RecipeError(f"{path}:{error.lineno}: not a Jinja template: {error.message}") from error


def _undeclared(source: str) -> set[str]:
    from jinja2 import Environment
    from jinja2.meta import find_undeclared_variables

    # Only parsed, never rendered.
    return find_undeclared_variables(Environment(autoescape=True).parse(source))


def _means_a_tag(name: str) -> bool:
    # Titles stand in such brackets in Chinese texts; a tag is in ASCII, or names a list or an attribute.
    return name.isascii() or name.endswith("_list")


def _unknown(tag: str, known: set[str]) -> str:
    name = tag.removesuffix("_list")
    if tag.endswith("_list"):
        return f"<{tag}> needs entities; add `{name}: FILE` under generate.entities"
    return f"<{tag}> is not a known tag; known here: {', '.join(f'<{name}>' for name in sorted(known))}"


def _sample(seed: SeedTask) -> dict[str, str]:
    instance = seed.instances[0] if seed.instances else None
    return {
        "instruction": seed.instruction,
        "input": instance.input if instance else "",
        "output": instance.output if instance else "",
    }


def _samples(seeds: Sequence[SeedTask]) -> str:
    return "\n".join(f"{n}. {_as_json(*_sample(s).values())}" for n, s in enumerate(seeds, start=1))


@lru_cache(maxsize=4096)
def _as_json(instruction: str, given: str, output: str) -> str:
    return json.dumps({"instruction": instruction, "input": given, "output": output}, ensure_ascii=False)


def _numbered(entities: Sequence[Entity]) -> str:
    return "\n".join(f"{number}. {entity}" for number, entity in enumerate(entities, start=1))

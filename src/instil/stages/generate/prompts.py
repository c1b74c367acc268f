"""Fill a prompt template with seeds and entities.

Two kinds of template: text with the tags `<sample_list>`, `<NAME_list>` for every entity list, and
`<item_count>`; or Jinja, in a file that ends in `.j2`, with `seeds`, `entities` and `item_count`.
Nothing is stripped: white space carries meaning in English and in code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from instil.data.examples import SeedTask
from instil.data.text import read_text
from instil.errors import RecipeError
from instil.stages.generate.calls import Call
from instil.stages.generate.entities import Entity

_TAG = re.compile(r"<([A-Za-z_][A-Za-z0-9_]*)>")
SAMPLES, ITEM_COUNT = "sample_list", "item_count"
_JINJA_NAMES = "seeds, entities and item_count"


class PromptTemplate:
    """A checked template.

    Args:
        path: the file that holds the template.
        entity_lists: names of the recipe's entity lists.

    Raises:
        RecipeError: the template uses what nobody fills, or leaves an entity list unused.
    """

    def __init__(self, path: Path, entity_lists: Iterable[str]) -> None:
        self.path = path
        self.source = read_text(path)
        self._jinja = _compile(path, self.source) if path.suffix == ".j2" else None
        self._names = set(entity_lists)
        if self._jinja is None:
            self._check_tags()
        else:
            _check_names(path, self.source)

    @property
    def shows_seeds(self) -> bool:
        """Whether the template has a place for seed tasks."""
        return f"<{SAMPLES}>" in self.source if self._jinja is None else "seeds" in self.source

    def render(self, call: Call, *, item_count: int) -> str:
        """Return the prompt of one call.

        Raises:
            RecipeError: the Jinja template uses an undefined name.
        """
        if self._jinja is not None:
            return self._render_jinja(self._jinja, call, item_count)
        fillers = {SAMPLES: _samples(call.seeds), ITEM_COUNT: str(item_count)}
        fillers |= {f"{name}_list": _numbered(entities) for name, entities in call.entities.items()}
        # One pass, so that a tag inside a seed is text and not filled again.
        return _TAG.sub(lambda match: fillers[match[1]], self.source)

    def _check_tags(self) -> None:
        known = {SAMPLES, ITEM_COUNT, *(f"{name}_list" for name in self._names)}
        problems = []
        for number, line in enumerate(self.source.split("\n"), start=1):
            for match in _TAG.finditer(line):
                if match[1] not in known:
                    place = f"{self.path}:{number}:{match.start() + 1}"
                    problems.append(f"{place}: {_unknown(match[1], known)}")
        used = {match[1] for match in _TAG.finditer(self.source)}
        problems += [
            f"{self.path}: the entity list {name!r} is never used; write <{name}_list> where it belongs"
            for name in sorted(self._names)
            if f"{name}_list" not in used
        ]
        if problems:
            raise RecipeError(
                problems, hint="for text in angle brackets use a Jinja template (a file named *.j2)"
            )

    def _render_jinja(self, template: Any, call: Call, item_count: int) -> str:
        from jinja2 import TemplateError

        try:
            text: str = template.render(
                seeds=[_sample(seed) for seed in call.seeds],
                entities={name: [e.model_dump() for e in items] for name, items in call.entities.items()},
                item_count=item_count,
            )
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise RecipeError(
                f"{self.path}: the template fails: {error}",
                hint=f"a template can use {_JINJA_NAMES}",
            ) from error
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


def _check_names(path: Path, source: str) -> None:
    """Find what a template would miss, before anything is paid."""
    from jinja2 import Environment
    from jinja2.meta import find_undeclared_variables

    # Only parsed, never rendered.
    unknown = find_undeclared_variables(Environment(autoescape=True).parse(source))
    unknown -= {"seeds", "entities", "item_count"}
    if unknown:
        names = ", ".join(repr(name) for name in sorted(unknown))
        raise RecipeError(f"{path}: the template uses {names}; a template can use {_JINJA_NAMES}")


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
    return "\n".join(
        f"{n}. {json.dumps(_sample(s), ensure_ascii=False)}" for n, s in enumerate(seeds, start=1)
    )


def _numbered(entities: Sequence[Entity]) -> str:
    return "\n".join(f"{number}. {entity}" for number, entity in enumerate(entities, start=1))

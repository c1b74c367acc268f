"""Entity lists: the diseases, products or places that the generated data must cover."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import orjson

from instil.data.messages import Value
from instil.data.text import read_text
from instil.errors import RecipeError


class Entity(Value):
    """One thing to write about."""

    name: str
    group: str | None = None
    """What it belongs to, for example the department that treats a disease."""

    def __str__(self) -> str:
        return f"{self.name} ({self.group})" if self.group else self.name


def read_entities(path: Path) -> tuple[Entity, ...]:
    """Return the entities of a file, in order, white space at the ends of lines aside.

    A `.json` file holds a list of names, or an object of groups `{"Cardiology": ["angina", …]}`; any
    other file holds one name a line.

    Raises:
        RecipeError: the file is empty, is not what its name says, or lists a name twice.
    """
    text = read_text(path)
    try:
        value = orjson.loads(text) if path.suffix == ".json" else text.split("\n")
    except orjson.JSONDecodeError as error:
        raise RecipeError(
            f"{path}: cannot be read: {error}",
            hint="a .json file holds a list of names, or an object of lists",
        ) from error
    groups = value if isinstance(value, dict) else {None: value}
    entities: list[Entity] = []
    for group, names in groups.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise RecipeError(f"{path}: {group!r} does not hold a list of names")
        entities += [Entity(name=name.strip(), group=group) for name in names if name.strip()]
    if not entities:
        raise RecipeError(f"{path}: there is no entity in it", hint="write one name a line, or a JSON list")
    twice = sorted(str(entity) for entity, count in Counter(entities).items() if count > 1)
    if twice:
        raise RecipeError(f"{path}: listed twice: {', '.join(twice)}")
    return tuple(entities)

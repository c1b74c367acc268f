"""Entity lists: the diseases, products or places that the generated data must cover."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import orjson
from pydantic import Field, ValidationError

from instil.data.messages import Value
from instil.data.text import read_text
from instil.errors import RecipeError


class Entity(Value):
    """One thing to write about."""

    name: str
    group: str | None = None
    """What it belongs to, for example the department that treats a disease."""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """How often it is given to the teacher, relative to the others of its list; at most a hundred times as
    often as the rarest."""

    def __str__(self) -> str:
        return f"{self.name} ({self.group})" if self.group else self.name


def read_entities(path: Path) -> tuple[Entity, ...]:
    """Return the entities of a file, in order, white space at the ends of lines aside.

    A `.json` file holds a list of names, or an object of groups `{"Cardiology": ["angina", …]}`; in
    place of a name an object `{"name", "group", "weight"}` may stand. Any other file holds one name a line.

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
        if not isinstance(names, list):
            raise RecipeError(f"{path}: {group!r} does not hold a list of names")
        entities += [_entity(path, group, name) for name in names if not _blank(name)]
    if not entities:
        raise RecipeError(f"{path}: there is no entity in it", hint="write one name a line, or a JSON list")
    listed = Counter(str(entity) for entity in entities)
    twice = sorted(entity for entity, count in listed.items() if count > 1)
    if twice:
        raise RecipeError(f"{path}: listed twice: {', '.join(twice)}")
    return tuple(entities)


def _blank(name: object) -> bool:
    return isinstance(name, str) and not name.strip()


def _entity(path: Path, group: str | None, value: object) -> Entity:
    if isinstance(value, str):
        return Entity(name=value.strip(), group=group)
    if not isinstance(value, dict):
        raise RecipeError(f"{path}: {group!r} does not hold a list of names")
    try:
        return Entity.model_validate({"group": group, **value})
    except ValidationError as error:
        raise RecipeError(
            f"{path}: {orjson.dumps(value).decode()[:80]} is no entity: {error.errors()[0]['msg']}",
            hint='an entity is a name, or an object such as {"name": "angina", "weight": 2}',
        ) from error

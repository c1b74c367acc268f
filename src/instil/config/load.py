"""From a recipe file and overrides to a validated configuration, or every mistake at once.

Later wins: the default on the class, the file that `base:` names, the file, the command line.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from instil.config.base import Config
from instil.config.yaml import Document, KeyPath, read_yaml
from instil.data.text import read_text
from instil.errors import RecipeError

C = TypeVar("C", bound=Config)


def load_config(cls: type[C], path: Path, overrides: Sequence[str] = ()) -> C:
    """Return the configuration that a file and `KEY=VALUE` overrides describe.

    Raises:
        RecipeError: with one line for each mistake: its place, the rule, and a suggestion.
    """
    document = read_with_bases(path)
    for override in overrides:
        _override(document, override)
    return validate(cls, document, name=str(path))


def read_with_bases(path: Path) -> Document:
    """Return the file's document laid over that of the file which its `base:` names, and so on.

    Raises:
        RecipeError: a file is missing, is a directory, is not text, or bases go round in a circle.
    """
    chain: list[Document] = []
    seen: set[Path] = set()
    while True:
        document = _read(path)
        chain.append(document)
        base = document.data.pop("base", None)
        if base is None:
            break
        place = document.places[("base",)]
        seen.add(path.resolve())
        if not isinstance(base, str):
            raise RecipeError(f"{place}: base: Input should be the path of another recipe")
        path = path.parent / base
        if path.resolve() in seen:
            raise RecipeError(f"{place}: base: {base!r} leads back to a recipe that is based on it")
        if not path.is_file():
            raise RecipeError(f"{place}: base: no such file: {str(path)!r}")
    merged = chain.pop()
    while chain:
        merged = _lay_over(merged, chain.pop())
    return merged


def validate(cls: type[C], document: Document, *, name: str) -> C:
    """Return `document` as a `cls`.

    Raises:
        RecipeError: with one line for each mistake.
    """
    try:
        return cls.model_validate(document.data)
    except ValidationError as error:
        found = [details for details in error.errors(include_url=False) if not _follows(details, error)]
        problems = list(dict.fromkeys(_problem(cls, document, details) for details in found))
        raise RecipeError(
            problems, hint=f"nothing was started; `instil check {name}` repeats this test"
        ) from error


def _read(path: Path) -> Document:
    if not path.exists():
        raise RecipeError(
            f"no such recipe: {str(path)!r}",
            hint="`instil init DIR` makes a workspace with a recipe to start from",
        )
    if path.is_dir():
        inside = path / "recipe.yaml"
        hint = f"did you mean {str(inside)!r}?" if inside.is_file() else "name the recipe file"
        raise RecipeError(f"{str(path)!r} is a directory; a recipe is a file", hint=hint)
    document = read_yaml(read_text(path), str(path), path.parent)
    if document.data is None:
        document.data = {}
    if not isinstance(document.data, dict):
        raise RecipeError(f"{path}:1:1: a recipe is a mapping of keys to values")
    return document


def _lay_over(below: Document, above: Document) -> Document:
    """Merge mappings key by key; anything else, and a mapping of another `kind`, replaces."""
    places = dict(below.places)

    def merge(old: Any, new: Any, path: KeyPath) -> Any:
        replaced = not (isinstance(old, dict) and isinstance(new, dict)) or (
            "kind" in new and "kind" in old and old["kind"] != new["kind"]
        )
        if replaced:
            for place in [p for p in places if p[: len(path)] == path]:
                del places[place]
            places.update({p: where for p, where in above.places.items() if p[: len(path)] == path})
            return new
        places[path] = above.places.get(path, places.get(path, ""))
        merged = dict(old)
        for key, value in new.items():
            merged[key] = merge(old[key], value, (*path, key)) if key in old else value
            if key not in old:
                added = (*path, key)
                places.update({p: where for p, where in above.places.items() if p[: len(added)] == added})
        return merged

    return Document(merge(below.data, above.data, ()), places)


def _override(document: Document, override: str) -> None:
    """Set one value by its dotted path, for example `mix.corpora.1.weight=0.2`."""
    where = f"command line {override!r}"
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"{where}: expected KEY=VALUE", hint="for example train.learning_rate=1e-4")
    value = read_yaml(text, where, Path.cwd())
    parts: list[str | int] = []
    target: Any = document.data
    *parents, last = key.split(".")
    for part in parents:
        step = _step(target, part, where)
        parts.append(step)
        if isinstance(target, dict) and not isinstance(target.get(part), dict | list):
            # A short form such as `base_model: tiny` gives way to the long one.
            target[part] = {}
            document.places[tuple(parts)] = where
        target = target[step]
    step = _step(target, last, where)
    target[step] = value.data
    path = (*parts, step)
    for place in [p for p in document.places if p[: len(path)] == path]:
        del document.places[place]
    document.places.update({(*path, *p): where for p in value.places})


def _step(target: Any, part: str, where: str) -> str | int:
    if isinstance(target, list):
        if not part.isdecimal() or int(part) >= len(target):
            raise RecipeError(f"{where}: {part!r} is not the index of one of {len(target)} items")
        return int(part)
    if not isinstance(target, dict):
        raise RecipeError(f"{where}: there is nothing below a plain value")
    return part


def _follows(details: Mapping[str, Any], error: ValidationError) -> bool:
    """Whether an error only says that a list lost the items whose own errors are reported."""
    loc = details["loc"]
    return details["type"] == "too_short" and any(
        other["loc"][: len(loc)] == loc and len(other["loc"]) > len(loc) for other in error.errors()
    )


def _problem(cls: type[BaseModel], document: Document, details: Mapping[str, Any]) -> str:
    """Return `place: dotted.path: what is wrong; a suggestion`."""
    path = _without_tags(document.data, details["loc"], missing=details["type"] == "missing")
    model = _model_at(cls, document.data, path[:-1])
    message = str(details["msg"]).removeprefix("Value error, ")
    match details["type"]:
        case "extra_forbidden":
            message = "unknown key"
            close = difflib.get_close_matches(str(path[-1]), model.model_fields if model else (), n=1)
            if close:
                message += f"; did you mean {close[0]!r}?"
            elif model:
                message += f"; known here: {', '.join(model.model_fields)}"
        case "too_short":
            message = f"at least {details['ctx']['min_length']} needed"
        case "tuple_type":
            message = "Input should be a list"
        case "dict_type" | "model_type" | "model_attributes_type":
            message = "Input should be a mapping of keys to values"
        case "is_instance_of":
            message = "Input should be a path"
        case "missing":
            message = "this key is required"
        case "union_tag_invalid":
            path = (*path, "kind")
            tag, expected = (
                details["ctx"]["tag"],
                details["ctx"]["expected_tags"].replace("'", "").split(", "),
            )
            close = difflib.get_close_matches(str(tag), expected, n=1)
            message = f"{str(tag)!r} is not one of {', '.join(expected)}"
            if close:
                message += f"; did you mean {close[0]!r}?"
        case "union_tag_not_found":
            message = "the key 'kind' is required"
    known = next(
        (document.places[path[:end]] for end in range(len(path), -1, -1) if path[:end] in document.places),
        "recipe",
    )
    dotted = ".".join(map(str, path))
    return f"{known}: {dotted}: {message}" if dotted else f"{known}: {message}"


def _without_tags(data: Any, loc: Sequence[str | int], *, missing: bool) -> KeyPath:
    """Drop from an error's location what names the branch of a union and not a place in the data."""
    path: list[str | int] = []
    for part in loc:
        inside = isinstance(data, dict) and part in data
        if inside or (isinstance(data, list) and isinstance(part, int)):
            path.append(part)
            data = data[part]
    if missing and isinstance(data, dict):
        path.append(loc[-1])
    return tuple(path)


def _model_at(annotation: Any, data: Any, path: KeyPath) -> type[BaseModel] | None:
    """Return the configuration class that stands at `path`, to know which keys it has."""
    models = _models(annotation)
    kind = data.get("kind") if isinstance(data, dict) else None
    if len(models) > 1:
        models = [
            m
            for m in models
            if "kind" in m.model_fields and kind in get_args(m.model_fields["kind"].annotation)
        ]
    if isinstance(data, list):
        if not path:
            return None
        index = path[0]
        return _model_at(annotation, data[index] if isinstance(index, int) else None, path[1:])
    if len(models) != 1:
        return None
    if not path:
        return models[0]
    field = models[0].model_fields.get(str(path[0]))
    below = data.get(path[0]) if isinstance(data, dict) else None
    return _model_at(field.annotation, below, path[1:]) if field else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return every configuration class inside an annotation such as `tuple[A | B, ...] | None`."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for argument in get_args(annotation) for model in _models(argument)]

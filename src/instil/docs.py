"""Write docs/cli.md and docs/recipe.md from the code, or check that they are in step with it.

python -m instil.docs [--check]
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from instil.cli import instil as command_line
from instil.config.base import RuntimeOnly
from instil.corpora.formats import FORMATS
from instil.models.templates import TEMPLATES
from instil.recipe import Recipe
from instil.stages.generate.prompts import PACKAGED
from instil.teachers.providers import provider_table

_WIDTH = 100


def cli_page() -> str:
    """Return docs/cli.md."""
    parts = ["# Commands", "", "Generated from `--help` by `python -m instil.docs`.", ""]
    context = _context(command_line, "instil")
    parts += ["```text", command_line.get_help(context), "```", ""]
    for name in command_line.list_commands(context):
        command = command_line.get_command(context, name)
        assert command is not None
        parts += _help(command, f"instil {name}", "##")
    parts += [
        "Exit codes: 0 done; 1 it started and failed, with what to do; 2 the request was wrong and",
        "nothing was started; 130 stopped by the user, finished work is kept. Results go to standard",
        "output, progress and warnings to standard error.",
        "",
    ]
    return "\n".join(parts)


def _help(command: click.Command, name: str, heading: str) -> list[str]:
    """Return the section of a command, and of the commands below it."""
    context = _context(command, name)
    parts = [f"{heading} {name}", "", "```text", command.get_help(context), "```", ""]
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            parts += _help(found, f"{name} {below}", f"{heading}#")
    return parts


def _context(command: click.Command, name: str) -> click.Context:
    return click.Context(command, info_name=name, max_content_width=_WIDTH, terminal_width=_WIDTH)


def recipe_page() -> str:
    """Return docs/recipe.md."""
    parts = [
        "# The recipe",
        "",
        "Every key, generated from the configuration classes by `python -m instil.docs`. A recipe names",
        "only the stages that it needs. Paths are relative to the recipe. Later wins: the default, the",
        "recipe that `base:` names, the recipe, `KEY=VALUE` on the command line. Keys marked *speed only*",
        "never make a result stale.",
        "",
    ]
    parts += _section(Recipe, "Top level", 2)
    places: dict[type[BaseModel], list[str]] = {}
    for path, model in _below(Recipe, ""):
        places.setdefault(model, []).append(path)
    for model, (path, *others) in places.items():
        also = [f"Also at {', '.join(f'`{other}`' for other in others)}.", ""] if others else []
        level = 3 if "." in path else 2
        parts += [f"{'#' * level} {path}", "", *_described(model), "", *also, *_table(model), ""]
    parts += ["## Formats of corpora", "", f"`auto`, {', '.join(f'`{name}`' for name in FORMATS)}.", ""]
    parts += ["## Chat templates", "", f"{', '.join(f'`{name}`' for name in TEMPLATES)}.", ""]
    parts += ["## Providers of `openai_compatible`", "", *provider_table(), ""]
    return "\n".join(parts)


def _section(model: type[BaseModel], title: str, level: int) -> list[str]:
    return ["#" * level + f" {title}", "", *_described(model), "", *_table(model), ""]


def _described(model: type[BaseModel]) -> list[str]:
    return inspect.cleandoc(model.__doc__ or "").splitlines()


def _below(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every configuration class inside another with its place, a stage's own before those below."""
    found = []
    for name, field in model.model_fields.items():
        for below in _models(field.annotation):
            kind = below.model_fields.get("kind")
            tag = f" ({get_args(kind.annotation)[0]})" if kind else ""
            found.append((f"{path}.{name}".lstrip("."), tag, below))
    if path:
        yield from ((place + tag, below) for place, tag, below in found)
    for place, tag, below in found:
        if not path:
            yield place + tag, below
        yield from _below(below, place)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _table(model: type[BaseModel]) -> list[str]:
    sentences = field_sentences(model)
    rows = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        if name == "kind":
            continue
        default = "required" if field.is_required() else _default(field)
        meaning = sentences.get(name, "")
        if any(marker is RuntimeOnly for marker in field.metadata):
            meaning += " *Speed only.*"
        rows.append(f"| `{name}` | {_type(field.annotation)} | {default} | {meaning} |")
    return rows


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ((), {}):
        return ""
    if isinstance(value, Path) and value.parent == PACKAGED:
        return f"`{value.stem}`"
    return f"`{value.model_dump(mode='json')}`" if isinstance(value, BaseModel) else f"`{value}`"


def _type(annotation: Any) -> str:
    """Return a type in a reader's words."""
    if models := _models(annotation):
        kinds = [get_args(m.model_fields["kind"].annotation)[0] for m in models if "kind" in m.model_fields]
        many = "list of " if get_origin(annotation) is tuple else ""
        return many + (" or ".join(f"`{kind}`" for kind in kinds) if kinds else "mapping")
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        name = str(annotation.__name__)
        return {"str": "text", "int": "whole number", "float": "number", "Path": "path"}.get(name, name)
    if str(origin).endswith("Literal"):
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping to {_type(arguments[1])}"
    plain = [argument for argument in arguments if argument is not type(None)]
    return " or ".join(_type(argument) for argument in plain if not _is_marker(argument))


def _is_marker(argument: Any) -> bool:
    return not isinstance(argument, type) and get_origin(argument) is None


def field_sentences(model: type[BaseModel]) -> dict[str, str]:
    """Return the sentence under each field of a class and of its bases."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls is BaseModel:
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, after in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                found[statement.target.id] = " ".join(after.value.value.split()).replace("<", "&lt;")
    return found


def main(arguments: list[str]) -> int:
    """Write both pages, or with --check say which of them is out of step."""
    directory = Path(__file__).parents[2] / "docs"
    stale = []
    for name, text in (("cli.md", cli_page()), ("recipe.md", recipe_page())):
        path = directory / name
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        click.echo(f"docs/{name} is out of step with the code; run python -m instil.docs", err=True)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

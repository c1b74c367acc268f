"""Strict YAML that keeps the place of every value.

Uses PyYAML's node tree with the core schema of YAML 1.2, so that `1e-4` is a number, `no` is
text and `012` is twelve. Equal keys, tags, anchors and several documents are errors, each with
its line and column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from instil.config.base import PlacedText
from instil.errors import RecipeError

KeyPath = tuple[str | int, ...]
"""Where a value stands: the keys and indices that lead to it."""

_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Document:
    """The plain data of a recipe, and where each part of it was written."""

    data: Any
    places: dict[KeyPath, str] = field(default_factory=dict)
    """`file:line:column` of every value, by its path of keys and indices."""


def read_yaml(text: str, name: str, directory: Path) -> Document:
    """Return the single document in `text`.

    Args:
        text: YAML.
        name: what to call the source in messages.
        directory: what the paths in it are relative to.

    Raises:
        RecipeError: the text is not YAML, or uses what we do not accept; all places are named.
    """
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise RecipeError(f"{place}: not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{name}: not valid YAML: {error}") from error
    reader = _Reader(name, directory, Document(data=None))
    if node is not None:
        reader.document.data = reader.value(node, ())
    if reader.problems:
        raise RecipeError(reader.problems)
    return reader.document


class _Reader:
    """Turns nodes into data, remembering places and collecting problems."""

    def __init__(self, name: str, directory: Path, document: Document) -> None:
        self.name, self.directory, self.document = name, directory, document
        self.problems: list[str] = []
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.document.places[path] = self._place(node)
        if id(node) in self._seen:
            self._problem(node, "anchors and aliases are not supported; write the value out, or use `base:`")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
        if node.tag.startswith("tag:yaml.org,2002:"):
            plain = not getattr(node, "style", None)  # the C loader says "", the other None
            return self._scalar(node.value, plain=plain)
        self._problem(node, f"the tag {node.tag!r} is not supported")
        return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, "a key must be a plain word")
                continue
            key = key_node.value
            if key in found:
                self._problem(
                    key_node, f"the key {key!r} stands twice; the first is at line {self._line(path, key)}"
                )
                continue
            found[key] = self.value(value_node, (*path, key))
            self.document.places[(*path, key)] = self._place(key_node)
        return found

    def _scalar(self, text: str, *, plain: bool) -> Any:
        if plain:
            value = plain_scalar(text)
            if not isinstance(value, str):
                return value
        return PlacedText(text, self.directory)

    def _line(self, path: KeyPath, key: str) -> str:
        return self.document.places[(*path, key)].rsplit(":", 2)[1]

    def _place(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"

    def _problem(self, node: yaml.Node, problem: str) -> None:
        self.problems.append(f"{self._place(node)}: {problem}")


def plain_scalar(text: str) -> Any:
    """Return the value of an unquoted scalar under the core schema of YAML 1.2 (section 10.3.2)."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INT.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return text

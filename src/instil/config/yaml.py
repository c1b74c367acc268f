"""Strict YAML that keeps the place of every value.

Uses PyYAML's node tree with the core schema of YAML 1.2, so that `1e-4` is a number, `no` is
text and `012` is twelve. Equal keys, tags, anchors and several documents are errors, each with
its line and column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
_INT = re.compile(r"[-+]?[0-9]{1,1000}")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD_TAG = "tag:yaml.org,2002:"
_MAX_DEPTH = 50
_INT64 = range(-(2**63), 2**63)


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
        refused = list(_refused(text, name))
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _place(name, mark) if mark else name
        raise RecipeError(f"{place}: not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{name}: not valid YAML: {str(error).splitlines()[0]}") from error
    except UnicodeEncodeError as error:
        raise RecipeError(f"{name}: not UTF-8 text") from error
    reader = _Reader(name, directory, Document(data=None, places={(): f"{name}:1:1"}))
    if node is not None:
        reader.document.data = reader.value(node, ())
    problems = refused + reader.problems
    if problems:
        raise RecipeError(problems)
    return reader.document


def _refused(text: str, name: str) -> Iterator[str]:
    """Yield a problem for every anchor, alias and tag; the node tree shows only some of them."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            # Composing the tree recurses, and would end in a crash.
            raise RecipeError(f"{_place(name, event.start_mark)}: nested more than {_MAX_DEPTH} deep")
        if getattr(event, "anchor", None):
            yield (
                f"{_place(name, event.start_mark)}: anchors and aliases are not supported; "
                "write the value out, or use `base:`"
            )
        if tag := getattr(event, "tag", None):
            shown = tag.replace(_STANDARD_TAG, "!!")
            yield f"{_place(name, event.start_mark)}: the tag {shown!r} is not supported"


def _place(name: str, mark: Any) -> str:
    return f"{name}:{mark.line + 1}:{mark.column + 1}"


class _Reader:
    """Turns nodes into data, remembering places and collecting problems."""

    def __init__(self, name: str, directory: Path, document: Document) -> None:
        self.name, self.directory, self.document = name, directory, document
        self.problems: list[str] = []
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.document.places[path] = _place(self.name, node.start_mark)
        if id(node) in self._seen:
            return None  # an alias, which is refused already
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]
        return self._scalar(node)

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
            self.document.places[(*path, key)] = _place(self.name, key_node.start_mark)
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        if not getattr(node, "style", None):  # plain: the C loader says "", the other None
            value = plain_scalar(node.value)
            if isinstance(value, int) and value not in _INT64:
                self._problem(node, "a whole number of more than 64 bits is not supported")
            if not isinstance(value, str):
                return value
        return PlacedText(node.value, self.directory)

    def _line(self, path: KeyPath, key: str) -> str:
        return self.document.places[(*path, key)].rsplit(":", 2)[1]

    def _problem(self, node: yaml.Node, problem: str) -> None:
        self.problems.append(f"{_place(self.name, node.start_mark)}: {problem}")


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


class _Dumper(yaml.SafeDumper):
    """Writes text so that this reader takes it for the same text: PyYAML leaves `1e5` and `08` unquoted."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Only double quotes escape the line breaks of Unicode, which a reader would fold into a space.
    quoted = not isinstance(plain_scalar(text), str) or any(mark in text for mark in "\x85\u2028\u2029")
    style = '"' if quoted else None
    return dumper.represent_scalar(f"{_STANDARD_TAG}str", str(text), style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(PlacedText, _text)


def dump_yaml(value: object) -> str:
    """Return YAML that reads back as `value`, a tree of plain values with text at its ends."""
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)

"""Jinja over the fields of a record: conditions that a recipe asks for, and texts that it puts together.

A recipe is written by strangers and a record by other strangers: templates run in Jinja's immutable sandbox,
names that a record has not are errors, and what a record holds is never read as a template. Everything is
compiled once; Jinja is imported when the first is. Rendering costs half a microsecond where a template holds
only text and names, which is what most do, and a few where Jinja itself runs.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from instil.corpora.base import BadRecord, Record

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from jinja2.nodes import Node

RECORD = "record"
"""The name under which an expression finds the whole record, for columns whose names are no words."""

_SHOWN = 60
_FAILURES = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)


def is_template(source: str) -> bool:
    """Return whether a text of the recipe is meant for Jinja."""
    return "{{" in source or "{%" in source


def text_of(source: str) -> Callable[[Mapping[str, Any]], str]:
    """Return what renders a Jinja template with named values; it raises BadRecord where one is missing.

    Raises:
        ValueError: it is not a Jinja template.
    """
    parsed = _parsed(source)
    pieces = _pieces(parsed)
    if pieces is None:
        return _rendered(source, parsed)

    def fill(values: Mapping[str, Any]) -> str:
        try:
            return "".join([piece if name is None else _printed(values[name]) for piece, name in pieces])
        except KeyError as error:
            raise BadRecord(f"{error} is missing") from error

    return fill


def condition(source: str) -> Callable[[Record], bool]:
    """Return what decides a Jinja expression for a record; it raises BadRecord where that cannot be done.

    What is returned is for one thread: making a context for each of millions of records would take most of
    its time, so that it keeps one.

    Raises:
        ValueError: it is not a Jinja expression.
    """
    from jinja2 import TemplateError

    environment = _environment()
    check_condition(source)
    # As Environment.compile_expression does it, but with the record itself as what names are looked up in.
    template = environment.from_string(f"{{% set holds = ({source}\n) %}}")
    given = _given(template, _parsed(f"{{{{ {source}\n}}}}"))
    context = template.new_context()

    def decide(record: Record) -> bool:
        context.parent = given(record)  # type: ignore[assignment]  # it only reads
        context.vars.clear()
        try:
            for _ in template.root_render_func(context):
                pass
            return bool(context.vars["holds"])
        except (TemplateError, *_FAILURES) as error:
            raise BadRecord(f"where: {error}") from error

    return decide


def check_condition(source: str) -> None:
    """Refuse what is no single Jinja expression.

    Raises:
        ValueError: with Jinja's reason.
    """
    from jinja2 import TemplateSyntaxError

    try:
        _environment().compile_expression(source)
    except TemplateSyntaxError as error:
        raise ValueError(f"{source!r} is not a Jinja expression: {error.message}") from error


def names_in(source: str) -> frozenset[str]:
    """Return the names that a template needs to be given.

    Raises:
        ValueError: it is not a Jinja template.
    """
    from jinja2.meta import find_undeclared_variables

    return frozenset(find_undeclared_variables(_parsed(source)))


@cache
def _environment() -> Environment:
    # Costs a tenth of a second to import; only recipes that use it pay.
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.filters["as_list"] = as_list
    return environment


def _parsed(source: str) -> Any:
    from jinja2 import TemplateSyntaxError

    try:
        return _environment().parse(source)
    except TemplateSyntaxError as error:
        raise ValueError(f"not a Jinja template (line {error.lineno}): {error.message}") from error


def _pieces(parsed: Node) -> list[tuple[str, str | None]] | None:
    """Return a template's texts and names in order, or None where it holds more than those."""
    from jinja2 import nodes

    found: list[tuple[str, str | None]] = []
    for statement in parsed.iter_child_nodes():
        if not isinstance(statement, nodes.Output):
            return None
        for each in statement.nodes:
            if isinstance(each, nodes.TemplateData):
                found.append((each.data, None))
            elif isinstance(each, nodes.Name) and each.name not in (RECORD, *_environment().globals):
                found.append(("", each.name))
            else:
                return None
    return found


def _rendered(source: str, parsed: Node) -> Callable[[Mapping[str, Any]], str]:
    from jinja2 import TemplateError

    template = _environment().from_string(source)
    given = _given(template, parsed)

    def render(values: Mapping[str, Any]) -> str:
        context = template.new_context(given(values), shared=True)  # type: ignore[arg-type]  # it only reads
        try:
            return "".join(template.root_render_func(context))
        except (TemplateError, *_FAILURES) as error:
            raise BadRecord(f"the template fails: {error}") from error

    return render


def _given(template: Template, parsed: Node) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Return what makes the values that a template sees: mostly those of the record, without a copy."""
    from jinja2 import nodes

    names = {each.name for each in parsed.find_all(nodes.Name)}
    builtin: dict[str, Any] = {name: template.globals[name] for name in names & template.globals.keys()}
    if RECORD in names:
        return lambda values: {**builtin, RECORD: values, **values}
    return (lambda values: {**builtin, **values}) if builtin else lambda values: values


def _finalized(value: Any) -> Any:
    """Refuse to print what would be no text: nothing, or a list in Python's notation."""
    return value if type(value) is str else _printed(value)


def _printed(value: Any) -> str:
    if type(value) is str:
        return value
    if value is None:
        raise BadRecord("a value of the template is null")
    if isinstance(value, list | tuple | dict | set | bytes):
        raise BadRecord(
            f"a value of the template is a {type(value).__name__}, not text; say how to write it, "
            "for example {{ names | join(', ') }}"
        )
    return str(value)


def as_list(value: Any) -> list[Any]:
    """Return a list that was written as text, in JSON's notation or Python's: the filter `as_list`.

    Tables hold such cells where a library wrote them.

    Raises:
        BadRecord: it is not the text of a list.
    """
    if isinstance(value, list | tuple):
        return list(value)
    found = _literal(value.strip()) if isinstance(value, str) else _defined(value)
    if isinstance(found, list | tuple):
        return list(found)
    shown = repr(value)
    raise BadRecord(f"{shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'} is not a list")


def _defined(value: Any) -> Any:
    from jinja2 import Undefined

    return str(value) if isinstance(value, Undefined) else value  # raises the error that names it


def _literal(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass  # Python's notation, perhaps
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of unknown escapes in somebody's data
            found = ast.literal_eval(text)  # reads constants only; it runs nothing
        orjson.dumps(found)  # refuses what no JSON record could hold, such as halves of surrogate pairs
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    return found

"""What a recipe names of a record: a column, a path into nested ones, or a Jinja template over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from instil.corpora.base import BadRecord, Record
from instil.corpora.expressions import check_condition, is_template, names_in, text_of

_MISSING = object()


def _checked(source: str) -> str:
    if is_template(source):
        names_in(source)
    return source


Column = Annotated[str, Field(min_length=1), AfterValidator(_checked)]
"""The name of a column, dotted where it is nested, or a Jinja template if it holds `{{`."""


def _checked_condition(source: str) -> str:
    check_condition(source)
    return source


Condition = Annotated[str, Field(min_length=1), AfterValidator(_checked_condition)]
"""A Jinja expression over the columns of a record."""


def values(source: str) -> Callable[[Record], Any]:
    """Return what reads a column as it is; a template gives text.

    A name with dots is a column of that very name where there is one, else a path of keys and, for lists,
    of positions from 0. What is read raises BadRecord where the column is missing or null.
    """
    if is_template(source):
        return text_of(source)
    steps = source.split(".")

    def read(record: Record) -> Any:
        value = record.get(source, _MISSING)
        if value is _MISSING and len(steps) > 1:
            value = _walk(record, steps)
        if value is _MISSING or value is None:
            raise BadRecord(f"{source!r} is missing")
        return value

    return read


def texts(source: str) -> Callable[[Record], str]:
    """Return what reads a column as text, white space untouched; numbers are written out.

    What is read raises BadRecord where the column is missing, empty or something else.
    """
    value_of = values(source)
    shown = "the template's text" if is_template(source) else repr(source)

    def read(record: Record) -> str:
        value = value_of(record)
        if type(value) is not str:
            value = as_text(value, shown)
        if not value or value.isspace():
            raise BadRecord(f"{shown} is empty")
        return value

    return read


def as_text(value: Any, shown: str) -> str:
    """Return a value that is text, or a number written out.

    Raises:
        BadRecord: it is anything else; `shown` names it.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise BadRecord(f"{shown} is not text")


def optional(source: str | None) -> Callable[[Record], str]:
    """Return what reads a column as text that may be missing or empty; then, and for no column, it is ""."""
    if source is None:
        return lambda _: ""
    value_of = values(source)
    shown = repr(source)

    def read(record: Record) -> str:
        try:
            value = value_of(record)
        except BadRecord:
            if is_template(source):
                raise  # a template says itself what may be missing
            return ""
        return as_text(value, shown)

    return read


def _walk(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step, _MISSING)
        elif isinstance(value, list | tuple) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _MISSING
    return value

"""Regular expressions in a recipe and in our own tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator

from instil.config.base import Items


def _are_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return patterns


Patterns = Annotated[tuple[str, ...], Items, AfterValidator(_are_patterns)]
"""Regular expressions in a recipe."""


def any_of(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """Return one pattern that finds what any of `patterns` finds, whatever the case; None for none."""
    found = "|".join(f"(?:{pattern})" for pattern in patterns)
    return re.compile(found, re.IGNORECASE) if found else None

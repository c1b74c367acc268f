"""Text from outside on its way to a person."""

from __future__ import annotations

import re

# C0 and C1 controls but tab and newline, and the marks that turn the direction of text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def with_error(value: float, stderr: float | None) -> str:
    """Return a measured value with its standard error, where it has one."""
    return f"{value:.3f}" if stderr is None else f"{value:.3f} ± {stderr:.3f}"


def printable(text: str) -> str:
    """Return text that cannot move a terminal's cursor, change its colours or reverse its lines."""
    return _CONTROL.sub("\ufffd", text)

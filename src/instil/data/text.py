"""Text from outside: out of a user's file, and on its way to a person."""

from __future__ import annotations

import re
from pathlib import Path

from instil.errors import RecipeError

# C0 and C1 controls but tab and newline, and the marks that turn the direction of text.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def read_text(path: Path) -> str:
    """Return the text of a file that a user wrote, without a byte order mark.

    Raises:
        RecipeError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{path}: not UTF-8 text (byte {error.start})", hint="save the file as UTF-8"
        ) from error
    except OSError as error:
        raise RecipeError(f"cannot read {str(path)!r}: {error.strerror}") from error


def with_error(value: float, stderr: float | None) -> str:
    """Return a measured value with its standard error, where it has one."""
    return f"{value:.3f}" if stderr is None else f"{value:.3f} ± {stderr:.3f}"


def printable(text: str) -> str:
    """Return text that cannot move a terminal's cursor, change its colours or reverse its lines."""
    return _CONTROL.sub("\ufffd", text)

"""Facts for a person: a word, and beside it a text that is broken into lines."""

from __future__ import annotations

import shutil
import sys
import textwrap

import click

from instil.data.text import printable

_INDENT = 16
_NARROWEST = 40
_WIDEST = 100


def print_fact(name: str, value: str) -> None:
    """Write a name and a text to standard output, the text's further lines below its first."""
    # Lines of a page where the output is a file.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDEST
    lines = textwrap.wrap(
        printable(value),
        max(_NARROWEST, min(width, _WIDEST)) - _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for number, line in enumerate(lines):
        click.echo(f"{name if number == 0 else '':<{_INDENT}}{line}")

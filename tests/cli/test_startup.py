"""Help and check are quick, because they load no framework."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "numpy",
    "aiohttp",
    "jinja2",
    "prompt_toolkit",
    "rich",
)


def _loaded(code: str) -> set[str]:
    """Return which heavy packages a fresh process has loaded after running `code`."""
    check = f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    ["import instil.cli", "import instil", "import instil.recipe", "import instil.cli.run, instil.pipeline"],
)
def test_reading_a_recipe_loads_no_framework(code: str) -> None:
    assert _loaded(code) == set()


def test_help_loads_neither_pydantic_nor_yaml() -> None:
    code = (
        "import instil.cli, sys\nprint(*[n for n in ('pydantic', 'yaml', 'rapidfuzz') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []

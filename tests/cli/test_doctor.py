"""`instil doctor` knows every package that something needs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from instil.cli import doctor, instil

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_every_package_of_an_extra_for_users_is_named_with_its_extra() -> None:
    extras = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    packages = {
        (re.match(r"[\w-]+", each)[0], extra)  # type: ignore[index]
        for extra, requirements in extras.items()
        if extra not in ("all", "dev")
        for each in requirements
    }
    assert packages <= {(package, extra) for package, _, extra in doctor._PACKAGES}


def test_a_missing_package_is_said_with_what_needs_it_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name == "mammoth" else installed(name))
    monkeypatch.setattr(doctor, "_gpu", lambda: "none")

    told = CliRunner().invoke(instil, ["doctor"]).stdout

    assert re.search(
        r"^mammoth +missing +Word documents +pip install 'instil\[documents\]'$", told, re.MULTILINE
    )
    assert told.endswith("to get what is missing: pip install 'instil[documents]'\n")

"""Entity lists as they are written in practice."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from instil.errors import RecipeError
from instil.stages.generate.entities import Entity, read_entities


def read(directory: Path, data: str | bytes, name: str = "list.txt") -> tuple[Entity, ...]:
    path = directory / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_entities(path)


@pytest.mark.parametrize(
    "data",
    [
        "angina\n高血压\n",
        "angina\r\n高血压",
        "\ufeffangina\n\n  \n高血压\n\n",
        "angina \n\t高血压\u3000\n",
    ],
    ids=["lines", "Windows", "mark and empty lines", "white space at the ends"],
)
def test_a_text_file_holds_one_name_a_line(data: str, tmp_path: Path) -> None:
    assert read(tmp_path, data) == (Entity(name="angina"), Entity(name="高血压"))


def test_a_json_list_holds_names_and_a_json_object_groups_of_names(tmp_path: Path) -> None:
    assert read(tmp_path, '["type 2 diabetes", "gout"]', "list.json") == (
        Entity(name="type 2 diabetes"),
        Entity(name="gout"),
    )
    groups = '{"Cardiology": ["angina"], "Skin": ["eczema", "acne"]}'
    assert read(tmp_path, groups, "groups.json") == (
        Entity(name="angina", group="Cardiology"),
        Entity(name="eczema", group="Skin"),
        Entity(name="acne", group="Skin"),
    )


def test_an_entity_is_shown_with_its_group() -> None:
    assert str(Entity(name="angina", group="Cardiology")) == "angina (Cardiology)"
    assert str(Entity(name="angina")) == "angina"


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("list.txt", "", "there is no entity in it"),
        ("list.txt", " \n\n", "there is no entity in it"),
        ("list.json", "[]", "there is no entity in it"),
        ("list.json", "[1, 2]", "does not hold a list of names"),
        ("list.json", '{"Skin": "eczema"}', "'Skin' does not hold a list of names"),
        ("list.json", "5", "does not hold a list of names"),
        ("list.json", "[", "cannot be read"),
        ("list.txt", b"\xff\xfe", "not UTF-8 text"),
        ("list.txt", "gout\nangina\ngout\nangina\nacne", "listed twice: angina, gout"),
        ("list.txt", "gout\ngout ", "listed twice: gout"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_with_its_path(
    name: str, data: str | bytes, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, data, name)

    assert str(caught.value).startswith(str(tmp_path / name))
    assert problem in str(caught.value)


def test_one_name_may_stand_in_two_groups(tmp_path: Path) -> None:
    assert len(read(tmp_path, '{"Skin": ["pain"], "Heart": ["pain"]}', "groups.json")) == 2


def test_a_list_of_thousands_is_read_in_no_time(tmp_path: Path) -> None:
    started = time.perf_counter()
    found = read(tmp_path, json.dumps([f"disease {n}" for n in range(5_000)]), "list.json")

    assert len(found) == 5_000
    assert time.perf_counter() - started < 3  # comparing all pairs takes longer

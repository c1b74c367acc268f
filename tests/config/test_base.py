"""What of a configuration decides a result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from instil.config.base import Config, InputFile, InputPath, Items, PlacedText, RuntimeOnly, path_identity

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of b"abc"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of b""


class Teacher(Config):
    model: str
    max_concurrency: Annotated[int, RuntimeOnly] = Field(default=16, gt=0)
    price: Annotated[float | None, RuntimeOnly] = None


class Stage(Config):
    path: InputPath | None = None
    paths: Annotated[tuple[InputFile, ...], Items] = ()
    named: dict[str, InputFile] = Field(default_factory=dict)
    weight: float = 1.0
    extra: dict[str, Any] = Field(default_factory=dict)
    teacher: Teacher = Teacher(model="m")


def test_the_identity_holds_every_field_but_those_that_are_runtime_only() -> None:
    assert Stage(teacher=Teacher(model="n", max_concurrency=3, price=2.0)).identity() == {
        "path": None,
        "paths": [],
        "named": {},
        "weight": 1.0,
        "extra": {},
        "teacher": {"model": "n"},
    }


def test_how_fast_a_stage_runs_does_not_change_its_identity() -> None:
    slow, fast = (Stage(teacher=Teacher(model="m", max_concurrency=count)) for count in (1, 64))
    assert slow != fast
    assert slow.identity() == fast.identity()


def test_files_count_by_their_content_wherever_they_stand(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"" if name == "c" else b"abc")
    config = Stage(
        path=tmp_path / "a", paths=(tmp_path / "b", tmp_path / "c"), named={"disease": tmp_path / "b"}
    )
    found = config.identity()
    assert (found["path"], found["paths"], found["named"]) == (ABC, [ABC, EMPTY], {"disease": ABC})
    moved = config.model_copy(update={"path": tmp_path / "b"})
    assert moved.identity() == found
    (tmp_path / "a").write_bytes(b"")
    assert config.identity()["path"] == EMPTY


def test_a_directory_counts_by_the_names_and_contents_of_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "deep" / "empty").mkdir(parents=True)
    (tmp_path / "deep" / "x").write_bytes(b"abc")
    (tmp_path / ".hidden").write_bytes(b"")
    assert path_identity(tmp_path) == {"deep/x": ABC, ".hidden": EMPTY}


def test_a_whole_number_in_the_place_of_a_fraction_has_the_identity_of_the_fraction() -> None:
    assert repr(Stage.model_validate({"weight": 2}).identity()["weight"]) == "2.0"


@pytest.mark.parametrize(
    "fields",
    [
        {"weight": "1"},
        {"weight": True},
        {"weight": float("inf")},
        {"weight": float("nan")},
        {"wieght": 1.0},
        {"teacher": {"model": 5}},
        {"teacher": {"model": "m", "max_concurrency": 2.0}},
        {"teacher": {"model": "m", "max_concurrency": 0}},
    ],
)
def test_nothing_is_converted_and_no_key_is_ignored(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Stage.model_validate(fields)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Stage().weight = 2.0  # type: ignore[misc]


def test_placed_text_is_relative_to_the_file_in_which_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "x").touch()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "y").touch()
    monkeypatch.chdir(tmp_path)

    def path(text: str) -> Path | None:
        return Stage.model_validate({"path": PlacedText(text, tmp_path / "recipes")}).path

    assert path("x") == tmp_path / "recipes" / "x"
    assert path("../recipes/x") == tmp_path / "recipes" / ".." / "recipes" / "x"
    assert path(str(tmp_path / "home" / "y")) == tmp_path / "home" / "y"
    assert path("~/y") == tmp_path / "home" / "y"
    assert Stage.model_validate({"path": "home/y"}).path == Path("home/y")


def test_an_input_must_be_there_and_a_file_must_be_no_directory(tmp_path: Path) -> None:
    assert Stage(path=tmp_path).path == tmp_path
    with pytest.raises(ValidationError, match=r"no such file: '.*nowhere'"):
        Stage(path=tmp_path / "nowhere")
    with pytest.raises(ValidationError, match="is a directory; a file is needed"):
        Stage(paths=(tmp_path,))


def test_a_list_can_stand_for_a_tuple_but_text_cannot(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert Stage.model_validate({"paths": [str(tmp_path / "x")]}).paths == (tmp_path / "x",)
    with pytest.raises(ValidationError, match="valid tuple"):
        Stage.model_validate({"paths": str(tmp_path / "x")})

"""The base of every configuration class, and the types that its fields may have.

A configuration is a frozen value. What decides the result of a stage is its `identity()`: fields
marked `RuntimeOnly` (how fast, not what) are left out, and a file counts by its content, not by
its name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Strict

from instil.data.fingerprint import file_sha256


class Config(BaseModel):
    """Base of everything that a recipe can hold: frozen, strict, no unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False
    )

    def identity(self) -> dict[str, Any]:
        """Return what of this configuration decides a result, as JSON values."""
        found: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            if RuntimeOnly not in field.metadata:
                found[name] = _identity(getattr(self, name))
        return found


class _Marker:
    """Something to find in the metadata of a field."""


RuntimeOnly = _Marker()
"""Marks a field as changing how a stage runs, never what it produces: `Annotated[int, RuntimeOnly]`."""

Items = Strict(False)
"""Lets a tuple be written as a list in the recipe: `Annotated[tuple[str, ...], Items]`."""


class PlacedText(str):
    """Text from a recipe that knows the directory of the file in which it stands."""

    __slots__ = ("directory",)

    directory: Path

    def __new__(cls, text: str, directory: Path) -> PlacedText:
        """Return `text`, placed in `directory`."""
        placed = super().__new__(cls, text)
        placed.directory = directory
        return placed


def resolve_path(value: object) -> object:
    """Make a path of text, relative to the recipe in which it stands."""
    if isinstance(value, PlacedText):
        return value.directory / Path(value).expanduser()
    return Path(value) if isinstance(value, str) else value


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ValueError(f"no such file: {str(path)!r}")
    return path


def existing_file(path: Path) -> Path:
    """Return the path of an existing file.

    Raises:
        ValueError: it does not exist, or is a directory.
    """
    if _existing(path).is_dir():
        raise ValueError(f"{str(path)!r} is a directory; a file is needed")
    return path


InputPath = Annotated[Path, BeforeValidator(resolve_path), AfterValidator(_existing)]
"""An existing file or directory; relative to the recipe that names it."""

InputFile = Annotated[Path, BeforeValidator(resolve_path), AfterValidator(existing_file)]
"""An existing file; relative to the recipe that names it."""


def path_identity(path: Path) -> Any:
    """Return a JSON value that depends on the content of a file, or of all files in a directory."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return {file.relative_to(path).as_posix(): file_sha256(file) for file in files}
    return file_sha256(path)


def _identity(value: object) -> Any:
    if isinstance(value, Config):
        return value.identity()
    if isinstance(value, Path):
        return path_identity(value)
    if isinstance(value, dict):
        return {key: _identity(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_identity(item) for item in value]
    return value

"""Which files a recipe means by a path: a file, a directory, or a pattern."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from instil.config.base import path_identity, resolve_path
from instil.data.fingerprint import file_sha256
from instil.errors import StageError


def _existing(path: Path) -> Path:
    if not path.exists():
        if not glob.has_magic(str(path)):
            raise ValueError(f"no such file: {str(path)!r}")
        if not _matching(path):
            raise ValueError(f"no file matches {str(path)!r}")
    return path


DataPath = Annotated[Path, BeforeValidator(resolve_path), AfterValidator(_existing)]
"""A file, a directory, or a pattern of files with `*`, `?`, `[…]` and `**`; relative to the recipe."""


def files_of(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files of a path by name: the file, those of a directory that hold rows, or all that match.

    A directory's own directories are not searched; a pattern with `**` does that.

    Args:
        path: as the recipe names it.
        suffixes: what names of files in a directory end with.

    Raises:
        StageError: there is none.
    """
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.is_file() and each.name.endswith(suffixes))
        # A directory of shards says in this file what they hold.
        found = [each for each in found if each.name != "index.json"] or found
        if not found:
            raise StageError(
                f"no file in {str(path)!r} ends with {', '.join(suffixes)}",
                hint="directories in it are not searched; name a pattern such as 'DIRECTORY/**/*.jsonl'",
            )
        return found
    if path.exists():
        return [path]
    found = _matching(path)
    if not found:
        raise StageError(f"no file matches {str(path)!r}")
    return found


def data_identity(path: Path) -> Any:
    """Return a JSON value that depends on the content of all files that a path means."""
    if path.exists():
        return path_identity(path)
    root = _root(path)
    return {each.relative_to(root).as_posix(): file_sha256(each) for each in _matching(path)}


def _matching(path: Path) -> list[Path]:
    # What exists is taken by its name: brackets in the name of a workspace are no pattern.
    root = _root(path)
    pattern = str(path.relative_to(root))
    found = (root / name for name in glob.glob(pattern, root_dir=root, recursive=True))
    return sorted(each for each in found if each.is_file())


def _root(path: Path) -> Path:
    return next(each for each in path.parents if each.exists())

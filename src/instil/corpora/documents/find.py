"""Which files the user means by a list of files, directories and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from instil.errors import RecipeError


def find_files(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the files by the name that tells each from the others, in order, each file once.

    A directory gives all files below it, sorted, without those whose name or directory begins with a
    dot; a pattern (`notes/**/*.md`) gives the files that match. A name is the path relative to the
    directory, or to the part of the pattern before the first wildcard; where two would be equal, the
    path as the user gave it.

    Raises:
        RecipeError: a path does not exist, a pattern matches nothing, or a directory cannot be listed;
            every such path is named.
    """
    problems: list[str] = []
    found: dict[Path, list[str]] = {}
    for path in paths:
        try:
            files = list(_files(path))
            if not files:
                problems.append(f"{str(path)!r} has no file that could be read")
            for name, file in files:
                found.setdefault(file.resolve(), [name, str(file)])
        except OSError as error:
            problems.append(f"cannot read {str(error.filename or path)!r}: {error.strerror}")
    if problems:
        raise RecipeError(problems, hint="name a file, a directory, or a pattern such as 'notes/**/*.md'")
    names = [name for name, _ in found.values()]
    return {
        Path(given).as_posix() if names.count(name) > 1 else name: file
        for file, (name, given) in found.items()
    }


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield `(name, file)`; a file that exists wins over a pattern, so that `[draft].md` can be named."""
    if path.is_dir():
        for file in _walk(path):
            yield file.relative_to(path).as_posix(), file
    elif path.exists() or not glob.has_magic(str(path)):
        path.stat()
        yield path.name, path
    else:
        fixed = Path(*_before_the_wildcard(path))
        for match in sorted(glob.glob(str(path), recursive=True)):
            if os.path.isfile(match):
                yield Path(match).relative_to(fixed).as_posix(), Path(match)


def _before_the_wildcard(path: Path) -> Iterator[str]:
    for part in path.parts:
        if glob.has_magic(part):
            return
        yield part


def _walk(directory: Path) -> Iterator[Path]:
    for root, directories, files in os.walk(directory, onerror=_raise):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        for name in sorted(files):
            # A pipe or a socket would never end.
            if not name.startswith(".") and os.path.isfile(os.path.join(root, name)):
                yield Path(root, name)


def _raise(error: OSError) -> None:
    raise error

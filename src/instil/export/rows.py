"""Where the rows of an export come from: a run, a stage of one, or any corpus file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from instil.corpora.base import Failure
from instil.corpora.files import FilesConfig
from instil.data.examples import Example
from instil.data.shards import INDEX, read_rows
from instil.errors import RequestError, StoreError
from instil.pipeline import STAGES
from instil.stages.base import EXAMPLES_FILE, KEPT_FILE, TRAIN_ROWS, VALIDATION_ROWS
from instil.store.lineage import Link, lineage
from instil.store.manifest import MANIFEST
from instil.store.run_dir import RECIPE

Rows = Callable[[], Iterator[Example | Failure]]

TRAIN, VALIDATION = "train", "validation"
"""The names that hubs and trainers know splits by."""

_NAMES = tuple(stage.name for stage in STAGES)
# Which stage's rows a run stands for: the last of them that has finished.
_SPLITS: dict[str, dict[str, str]] = {
    "mix": {TRAIN: TRAIN_ROWS, VALIDATION: VALIDATION_ROWS},
    "curate": {TRAIN: KEPT_FILE},
    "generate": {TRAIN: EXAMPLES_FILE},
}


@dataclass(frozen=True)
class Source:
    """Rows, and what is known of their making."""

    name: str
    splits: Mapping[str, Rows]
    links: tuple[Link, ...] = ()
    """The finished stages that led to the rows, the last of them the one that wrote them."""
    recipe: Path | None = None
    """The recipe of the run."""


def open_source(path: Path, license: str | None = None) -> Source:  # noqa: A002 (the field's word)
    """Return the rows of a run, of one of its stages, or of files in any format.

    Args:
        path: a run, a stage's directory, a directory of shards, a corpus file, a directory or a pattern.
        license: the licence of rows in files that do not say it.

    Raises:
        RequestError: it is none of them, or a run without a finished stage that has rows.
        StoreError: the run's records are damaged.
    """
    if path.is_dir():
        if path.name in _NAMES and (path / MANIFEST).exists():
            return _of_run(path.resolve().parent, (path.name,))
        if any((path / name / MANIFEST).exists() for name in _NAMES):
            return _of_run(path.resolve(), tuple(_SPLITS))
        if (path / INDEX).exists():
            return Source(path.resolve().name, {TRAIN: _stored(path)})
        if (path / "config.json").exists():
            raise RequestError(
                f"{str(path)!r} is a model, and instil exports only data so far",
                hint="name a run, or a file of rows",
            )
    return _of_files(path, license)


def _of_run(run: Path, wanted: tuple[str, ...]) -> Source:
    links = lineage(run, _NAMES)
    finished = [link.manifest.stage for link in links]
    stage = next((name for name in wanted if name in finished and name in _SPLITS), None)
    if stage is None:
        raise RequestError(
            f"{str(run)!r} has no rows to export; finished: {', '.join(finished)}",
            hint="rows are what generate, curate and mix write",
        )
    directory = run / stage
    splits = {split: _stored(directory / name) for split, name in _SPLITS[stage].items()}
    recipe = run / RECIPE
    return Source(run.name, splits, links[: finished.index(stage) + 1], recipe if recipe.exists() else None)


def _stored(path: Path) -> Rows:
    def rows() -> Iterator[Example]:
        for number, row in enumerate(read_rows(path), start=1):
            try:
                yield Example.model_validate(row)
            except ValidationError as error:
                raise StoreError(
                    f"row {number} of {str(path)!r} is not an example: {error.errors()[0]['msg']}",
                    hint="it was changed outside instil; remove its stage's directory and run again",
                ) from error

    return rows


def _of_files(path: Path, license: str | None) -> Source:  # noqa: A002
    name = path.name.partition(".")[0] or path.resolve().name
    try:
        # An export leaves nothing out that the format can say.
        config = FilesConfig(
            kind="files", name=name, path=path.absolute(), license=license, tool_turns="keep"
        )
    except ValidationError as error:
        raise RequestError(
            error.errors()[0]["msg"].removeprefix("Value error, "),
            hint="name a run, a directory such as runs/NAME/mix, or files of rows",
        ) from error
    return Source(name, {TRAIN: config.read})

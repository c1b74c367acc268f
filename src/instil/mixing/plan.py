"""What is to be mixed, where it goes, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instil.corpora.base import CorpusConfigBase
from instil.mixing.config import CleanConfig, SemanticDuplicatesConfig
from instil.mixing.near import Banding
from instil.mixing.screening import Screen
from instil.mixing.selection import Wish
from instil.mixing.tally import Tally
from instil.mixing.writing import OutputFormat


@dataclass(frozen=True)
class Source:
    """A corpus, and what is decided about each of its rows."""

    corpus: CorpusConfigBase
    screen: Screen
    task: str = ""
    """What kind of task its rows are, where they do not say it."""


@dataclass(frozen=True)
class Plan:
    """What to mix, and how."""

    sources: tuple[Source, ...]
    """Sorted by name."""
    wish: Wish
    seed: int
    clean: CleanConfig
    validation_fraction: float = 0.0
    banding: Banding | None = None
    """How near duplicates are looked for; None: they are not."""
    threshold: float = 0.8
    """Jaccard similarity from which on two rows are near duplicates."""
    remove_near: bool = False
    semantic: SemanticDuplicatesConfig | None = None
    formats: tuple[OutputFormat, ...] = ("parquet",)

    @property
    def names(self) -> tuple[str, ...]:
        """The sources by their numbers."""
        return tuple(source.corpus.name for source in self.sources)


@dataclass(frozen=True)
class Outputs:
    """Where the result goes."""

    directory: Path
    """Gets `train/` and `validation/`."""
    failures: Path
    """What could not be read."""
    rejected: Path
    """What was read and is not in the mixture; but not what was only not drawn."""
    clusters: Path
    """Rows that are alike, with their representatives."""


@dataclass(frozen=True)
class Mixed:
    """What came of it."""

    sources: dict[str, dict[str, Any]]
    """Counts of each source."""
    steps: Tally
    """What was not kept."""
    changed: Tally
    """What was mended."""
    rows: int
    """Rows that were drawn; repeated ones count as often as they are repeated."""
    train: int
    """Of them, rows for training."""
    validation: int
    """Rows that are held out; here repeated ones count once."""
    clusters: int = 0

"""Small indexes of rows, what a recipe may ask of them, and what is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from instil.mixing.index import Index
from instil.mixing.selection import Wish

LANGUAGES, TASKS = ("en", "fr", "zh"), ("chat", "choice")


def index_of(
    sources: Sequence[int],
    *,
    tokens: Sequence[int] | None = None,
    languages: Sequence[int] | None = None,
    tasks: Sequence[int] | None = None,
    ids: npt.NDArray[np.uint64] | None = None,
) -> Index:
    """Return an index of rows, given their numbers by column; ids that are not given look like hashes."""
    count = len(sources)
    if ids is None:
        ids = np.random.default_rng(7).integers(0, 2**64, count, dtype=np.uint64, endpoint=False)
    small = [np.asarray(each or [0] * count, np.uint16) for each in (sources, languages, tasks)]
    lengths = np.asarray(tokens or [1] * count, np.uint32)
    return Index(ids, ids, small[0], lengths, lengths, small[1], small[2], LANGUAGES, TASKS, (count,))


def wish_of(weights: Mapping[str, float], total: int | None = None, **options: Any) -> Wish:
    epochs = options.pop("max_epochs", {})
    return Wish(
        names=tuple(sorted(weights)),
        weights=weights,
        max_epochs={name: epochs.get(name, 1.0) for name in weights},
        total=total,
        **options,
    )


def by(index: Index, copies: npt.NDArray[np.uint16], column: str) -> list[int]:
    """Return how many drawn rows have each number in a column."""
    counts: list[int] = np.bincount(getattr(index, column), weights=copies).astype(int).tolist()
    return counts


def shuffled(index: Index, order: Sequence[int]) -> Index:
    columns = ("id", "group", "source", "tokens", "size", "language", "task")
    return replace(index, **{name: getattr(index, name)[list(order)] for name in columns})

"""How many rows of each source became what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from instil.mixing.index import Index
from instil.mixing.plan import Plan
from instil.mixing.reading import Reading
from instil.mixing.work import Result


def count_sources(
    plan: Plan,
    readings: Sequence[Reading],
    read: Sequence[Result],
    unique: Sequence[Result],
    index: Index,
    removed: Mapping[str, npt.NDArray[np.bool_]],
    copies: npt.NDArray[np.uint16],
) -> dict[str, dict[str, Any]]:
    """Return the counts of each source by name.

    Args:
        plan: what was mixed.
        readings: the parts.
        read: what came of each part.
        unique: what came of each bucket.
        index: all different rows.
        removed: for each kind of likeness, which of them it removed.
        copies: how often each of them is drawn.
    """
    drawn = copies.astype(np.int64)
    gone = np.zeros(len(index), bool)
    for rows in removed.values():
        gone |= rows
    table = {}
    for number, source in enumerate(plan.sources):
        name, mine = source.corpus.name, index.source == number
        results = [result for reading, result in zip(readings, read, strict=True) if reading.source == number]
        row: dict[str, Any] = {
            "weight": source.corpus.weight,
            "license": source.corpus.origin.license,
            "read": sum(result["asked"] for result in results),
            "failed": sum(result["failed"] for result in results),
            "rejected": sum(result["rejected"] for result in results),
            "duplicates": sum(result["duplicates"].get(name, 0) for result in unique),
            **{kind: int((mine & rows).sum()) for kind, rows in removed.items()},
            "different": int((mine & ~gone).sum()),
            "drawn": int(drawn[mine].sum()),
            "drawn_different": int((drawn[mine] > 0).sum()),
        }
        if index.tokens.any():
            row["tokens"] = int((index.tokens[mine] * drawn[mine]).sum())
        for kind, numbers, names in (
            ("languages", index.language, index.languages),
            ("tasks", index.task, index.tasks),
        ):
            counts = np.bincount(numbers[mine], weights=drawn[mine], minlength=len(names))
            said = {each: int(count) for each, count in zip(names, counts, strict=True) if each and count}
            if said:
                row[kind] = said
        table[name] = row
    return table

"""Which task types, entities and attributes the kept examples cover, as a table with colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from instil.data.examples import Example
from instil.data.jsonl import read_jsonl
from instil.stages.base import COVERAGE_FILE, EXAMPLES_FILE, KEPT_FILE
from instil.stages.generate.coverage import CellKey, cell_key, shares

_MOST_ROWS = 400
_SHADES = 4


@dataclass(frozen=True)
class Grid:
    """Kept examples of one entity list (rows) in each cell (columns)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]
    """An entity with its number of kept examples in each column; the first few hundred."""
    left_out: int
    """Entities that are not shown."""
    empty: int
    """Pairs of entity and cell without any example."""
    least: float
    middle: float
    most: float

    def shade(self, value: float) -> int:
        """Return how dark a cell is: 0 where there is nothing, 4 at the most."""
        return 0 if value <= 0 else max(1, round(_SHADES * value / self.most))


def read_grids(run: Path) -> tuple[Grid, ...]:
    """Return a grid for every entity list of a run, counted over what was kept in the end."""
    cells: dict[CellKey, str] = {}
    lists: dict[str, dict[str, dict[CellKey, float]]] = {}
    for _, row in read_jsonl(run / "generate" / COVERAGE_FILE):
        key = cell_key(row["task"], row["attributes"])
        cells[key] = " · ".join(filter(None, [row["task"], *row["attributes"].values()])) or "all"
        entities = lists.setdefault(row.get("list", ""), {})
        entities.setdefault(row.get("entity", "examples"), {})[key] = 0.0
    for example in _kept(run):
        key = cell_key(example.origin.task, example.origin.attributes)
        if key not in cells:
            continue
        for name, entities in lists.items():
            counts = shares(example.origin, entities) if name else {"examples": 1.0}
            for entity, share in counts.items():
                entities[entity][key] += share
    return tuple(_grid(name, cells, entities) for name, entities in lists.items())


def _grid(name: str, cells: dict[CellKey, str], entities: dict[str, dict[CellKey, float]]) -> Grid:
    values = [value for counts in entities.values() for value in counts.values()]
    rows = [
        (entity, tuple(round(counts.get(key, 0.0), 1) for key in cells))
        for entity, counts in entities.items()
    ]
    return Grid(
        title=name,
        columns=tuple(cells.values()),
        rows=tuple(rows[:_MOST_ROWS]),
        left_out=max(0, len(rows) - _MOST_ROWS),
        empty=sum(value <= 0 for value in values),
        least=round(min(values), 1),
        middle=round(median(values), 1),
        most=round(max(values), 1),
    )


def _kept(run: Path) -> Iterator[Example]:
    curated = run / "curate" / KEPT_FILE
    for _, row in read_jsonl(curated if curated.exists() else run / "generate" / EXAMPLES_FILE):
        yield Example.model_validate(row)

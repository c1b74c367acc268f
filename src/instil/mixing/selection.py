"""Which rows are drawn, and how often each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from instil.errors import StageError
from instil.mixing.index import Index
from instil.mixing.ranks import ranks
from instil.mixing.shares import allot, largest_total, tempered
from instil.mixing.tables import Counts, Shortage, fit, rounded

OTHER = "(other)"
_MOST_COPIES = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class Wish:
    """What the recipe asks of a mixture."""

    names: tuple[str, ...]
    """The sources, sorted."""
    weights: Mapping[str, float]
    max_epochs: Mapping[str, float]
    total: int | None
    """Rows or tokens; None: as many as the sources can give."""
    by_tokens: bool = False
    temperature: float | None = None
    languages: Mapping[str, float] | None = None
    """Shares of the total; what they leave goes to all others."""
    tasks: Mapping[str, float] | None = None

    @property
    def unit(self) -> str:
        """What is counted."""
        return "tokens" if self.by_tokens else "rows"


def select(index: Index, wish: Wish, seed: int) -> npt.NDArray[np.uint16]:
    """Return how often each row is drawn: all of a source and quota once before any again.

    In which order, the seed and their ids decide. Rows are counted exactly. The tokens that a source gives of
    a quota are never more than its share, and what is missing is less than any of its rows that is not drawn
    as often as others has.

    Raises:
        StageError: a source cannot give its share; says how much the sources could give.
    """
    sizes, capacities = {}, {}
    for number, name in enumerate(wish.names):
        mine = index.source == number
        sizes[name] = int(index.tokens[mine].sum(dtype=np.int64)) if wish.by_tokens else int(mine.sum())
        capacities[name] = math.floor(_times(sizes[name], wish.max_epochs[name]))
    empty = [name for name, size in sizes.items() if not size]
    if empty:
        raise StageError(
            f"nothing is left of the source {empty[0]!r}",
            hint="remove it, or look at rejected.jsonl and near_duplicates.jsonl for what took its rows",
        )
    weights = tempered(wish.weights, sizes, wish.temperature) if wish.temperature else dict(wish.weights)
    wanted = _wanted(wish, weights, capacities)
    classes, shares = _classes(index, wish, wanted)
    copies = np.zeros(len(index), np.uint16)
    for number, name in enumerate(wish.names):
        for column in np.flatnonzero(shares[number]).tolist():
            places = np.flatnonzero((index.source == number) & (classes == column))
            order = places[np.argsort(ranks(index.id[places], seed, "draw", name), kind="stable")]
            costs = index.tokens[order].astype(np.int64) if wish.by_tokens else None
            _draw(copies, order, int(shares[number, column]), costs, name)
    return copies


def _times(size: int, epochs: float) -> Fraction:
    # As they are written: 0.29 times 100 is 29, though its float is a little less.
    return size * Fraction(str(epochs))


def _wanted(wish: Wish, weights: Mapping[str, float], capacities: Mapping[str, int]) -> dict[str, int]:
    most = largest_total(weights, capacities)
    key = "num_tokens" if wish.by_tokens else "num_examples"
    if wish.total is None:
        if not most:
            least = min(capacities, key=lambda name: (capacities[name] / weights[name], name))
            raise StageError(
                f"no mixture is so small that {least} could give its share: it has {capacities[least]:,} "
                f"{wish.unit} to give",
                hint=f"raise its max_epochs or its weight, set mix.{key}, or remove it",
            )
        return allot(weights, most)
    wanted = allot(weights, wish.total)
    short = [
        f"{name} has {capacities[name]:,} {wish.unit} to give and {count:,} are asked for"
        for name, count in wanted.items()
        if count > capacities[name]
    ]
    if short:
        raise StageError(
            f"the mixture cannot be met: {'; '.join(short)}",
            hint=f"set mix.{key} to at most {most:,}, lower the weight, or raise max_epochs",
        )
    return wanted


def _classes(index: Index, wish: Wish, wanted: Mapping[str, int]) -> tuple[npt.NDArray[np.int64], Counts]:
    """Return the quota class of every row, and what each source gives of each class.

    Raises:
        StageError: the quotas cannot be met.
    """
    totals = np.array([wanted[name] for name in wish.names], np.int64)
    total = int(totals.sum())
    language, languages = _columns(wish.languages, index.languages, index.language, total)
    task, tasks = _columns(wish.tasks, index.tasks, index.task, total)
    classes = language * len(tasks) + task
    if not wish.languages and not wish.tasks:
        return classes, totals[:, None]
    available = np.zeros((len(totals), len(languages), len(tasks)), np.int64)
    np.add.at(available, (index.source, language, task), index.tokens if wish.by_tokens else 1)
    return classes, _shares(wish, available, (totals, languages, tasks))


def _shares(wish: Wish, available: Counts, sums: tuple[Counts, Counts, Counts]) -> Counts:
    """Return what each source gives of each pair of language and task.

    Args:
        wish: what is asked for.
        available: what there is, by source, language and task.
        sums: what is asked for, by each of them.

    Raises:
        StageError: that cannot be met.
    """
    most = np.zeros_like(available)
    for mine, there, name in zip(most, available, wish.names, strict=True):
        mine.flat = [math.ceil(_times(have, wish.max_epochs[name])) for have in there.flat]
    table = fit(available.astype(np.float64), most, sums)
    languages, tasks = _names(wish.languages, "other languages"), _names(wish.tasks, "other tasks")
    try:
        pairs = rounded(table.sum(axis=0), sums[1], sums[2], most.sum(axis=0)).reshape(-1)
    except Shortage as short:
        had = np.delete(most[:, short.rows], short.columns, axis=2).sum(axis=(1, 2)).tolist()
        by_source = ", ".join(f"{name} {have:,}" for name, have in zip(wish.names, had, strict=True))
        asked = f"{wish.unit}{_of(languages, short.rows)} are asked for"
        raise _unmet(short, asked, tasks, f" (by source: {by_source})") from short
    both = [f"{language} {task}".strip() for language in languages for task in tasks]
    shape = (len(wish.names), len(both))
    try:
        return rounded(table.reshape(shape), sums[0], pairs, most.reshape(shape))
    except Shortage as short:
        asked = f"{wish.unit} are to come from {', '.join(wish.names[number] for number in short.rows)}"
        raise _unmet(short, asked, both) from short


def _columns(
    quotas: Mapping[str, float] | None, names: tuple[str, ...], numbers: npt.NDArray[np.uint16], total: int
) -> tuple[npt.NDArray[np.int64], Counts]:
    """Return the column of every row and the total of every column: one a quota, one for the others."""
    if not quotas:
        return np.zeros(len(numbers), np.int64), np.array([total], np.int64)
    kinds = sorted(quotas)
    rest = max(0.0, 1 - math.fsum(quotas.values()))
    counts = allot({**quotas, **({OTHER: rest} if rest > 1e-9 else {})}, total)
    places = np.array([kinds.index(name) if name in kinds else len(kinds) for name in names], np.int64)
    columns = places[numbers] if len(places) else np.zeros(0, np.int64)
    return columns, np.array([*(counts[kind] for kind in kinds), counts.get(OTHER, 0)], np.int64)


def _names(quotas: Mapping[str, float] | None, others: str) -> list[str]:
    return [*sorted(quotas), others] if quotas else [""]


def _unmet(short: Shortage, asked: str, columns: Sequence[str], more: str = "") -> StageError:
    """Return what cannot be met, in words."""
    others = [number for number in range(len(columns)) if number not in short.columns]
    there = []
    if others:
        there.append(f"there are {short.have:,}{_of(columns, others)}{more}")
    if short.columns:
        there.append(f"{_of(columns, short.columns).strip()} only {short.asked:,} are asked for")
    return StageError(
        f"the quotas cannot be met: {short.wanted:,} {asked}: {', and '.join(there)}",
        hint="change the quota, lower the total, raise max_epochs, or add a source",
    )


def _of(names: Sequence[str], numbers: Sequence[int]) -> str:
    listed = ", ".join(names[number] for number in numbers)
    return f" of {listed}" if listed else ""


def _draw(
    copies: npt.NDArray[np.uint16],
    order: npt.NDArray[np.int64],
    amount: int,
    costs: npt.NDArray[np.int64] | None,
    name: str,
) -> None:
    """Count what is drawn of rows in order, until `amount` rows, or as many tokens as rows can make of it.

    Raises:
        StageError: a row would be drawn more often than can be counted.
    """
    epochs, rest = divmod(amount, len(order) if costs is None else int(costs.sum()))
    if epochs + bool(rest) > _MOST_COPIES:
        raise StageError(
            f"a row of {name} would be drawn {epochs + bool(rest):,} times; the most is {_MOST_COPIES:,}",
            hint="lower its weight or its max_epochs, or add rows to it",
        )
    copies[order] += np.uint16(epochs)
    if costs is None:
        copies[order[:rest]] += np.uint16(1)
        return
    ends = np.cumsum(costs)
    first = int(np.searchsorted(ends, rest, side="right"))
    copies[order[:first]] += np.uint16(1)
    rest -= int(ends[first - 1]) if first else 0
    # What is left is filled by the next rows that fit.
    while rest:
        fitting = np.flatnonzero((costs[first:] <= rest) & (costs[first:] > 0))
        if not len(fitting):
            return
        first += int(fitting[0])
        copies[order[first]] += np.uint16(1)
        rest -= int(costs[first])
        first += 1

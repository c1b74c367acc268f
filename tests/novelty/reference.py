"""The definition of novelty in its plainest form, to compare the index with."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from rouge_score.rouge_scorer import _score_lcs

from instil.novelty.index import Index, Match


def score(first: Sequence[int], second: Sequence[int]) -> float:
    """Return the F1 that the reference computes from its full table."""
    return float(_score_lcs(list(first), list(second)).fmeasure)


class Reference:
    """Compares with everything, by the reference's own table."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._rows: list[Sequence[int]] = []

    def nearest(self, tokens: Sequence[int]) -> Match | None:
        scores = [score(row, tokens) for row in self._rows]
        best = max(scores, default=0.0)
        return Match(scores.index(best), best) if best > self._threshold else None

    def most_similar(self, tokens: Sequence[int], count: int) -> list[Match]:
        scores = [Match(position, score(row, tokens)) for position, row in enumerate(self._rows)]
        return sorted((each for each in scores if each.score > 0), key=lambda each: -each.score)[:count]

    def add(self, tokens: Sequence[int]) -> None:
        self._rows.append(tokens)


def decisions(index: Index | Reference, rows: Sequence[Sequence[int]]) -> list[Match | None]:
    """Return the nearest of each row among those before it that had none, one call at a time."""
    found = []
    for row in rows:
        tokens = array("I", row)
        found.append(index.nearest(tokens))
        if found[-1] is None:
            index.add(tokens)
    return found


def batch(rows: Sequence[Sequence[int]]) -> tuple[array[int], array[int]]:
    """Return rows as `Index.filter` takes them."""
    tokens, ends = array("I"), array("Q")
    for row in rows:
        tokens.extend(row)
        ends.append(len(tokens))
    return tokens, ends

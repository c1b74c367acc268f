"""The index without a compiler: every accepted sequence is compared, by rapidfuzz."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from instil.novelty.index import Match, Tokens
from instil.novelty.score import rouge_l_f1, shortest

_LARGEST_CODE_POINT = 0x10FFFF


class PlainIndex:
    """Compares with everything: exact, and quadratic in the number of sequences."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._sequences: list[Sequence[int] | str] = []

    def add(self, tokens: Tokens) -> int:
        """Add a sequence and return its position."""
        self._sequences.append(_comparable(tokens))
        return len(self._sequences) - 1

    def nearest(self, tokens: Tokens) -> Match | None:
        """Return the sequence with the highest score above the threshold, the first of equals."""
        least = shortest(self._threshold, len(tokens))
        if least > len(tokens):
            return None
        found = min(self._scores(tokens, least), key=_best_first, default=None)
        return found if found and found.score > self._threshold else None

    def filter(self, tokens: Tokens, ends: array[int]) -> list[Match | None]:
        """Take sequences in order, add those with none above the threshold, and return each one's nearest."""
        found = []
        start = 0
        for end in ends:
            sequence = tokens[start:end]
            found.append(self.nearest(sequence))
            if found[-1] is None:
                self.add(sequence)
            start = end
        return found

    def most_similar(self, tokens: Tokens, count: int) -> list[Match]:
        """Return the `count` highest scores above 0, best first, the first of equals first."""
        return sorted(self._scores(tokens, 1), key=_best_first)[:count]

    def _scores(self, tokens: Tokens, least: int) -> list[Match]:
        """Return the scores of all sequences that have at least `least` tokens in common, in order."""
        found = process.extract(
            _comparable(tokens),
            self._sequences,
            scorer=LCSseq.similarity,
            processor=None,
            score_cutoff=least,
            limit=None,
        )
        return [
            Match(position, rouge_l_f1(int(lcs), len(tokens), len(sequence)))
            for sequence, lcs, position in found
            if lcs >= least
        ]


def _best_first(match: Match) -> tuple[float, int]:
    return -match.score, match.position


def _comparable(tokens: Tokens) -> Sequence[int] | str:
    """Return what rapidfuzz compares fastest: text of one code point a token, while there are enough."""
    if max(tokens, default=0) > _LARGEST_CODE_POINT:
        return tokens.tolist()
    return "".join(map(chr, tokens))

"""The n-grams of known texts, and which rows of other texts have one of them too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from instil.data.words import words
from instil.shingles.hashing import Hashes, Hashing, Known, open_hashing
from instil.shingles.texts import Texts

_SIEVE_BITS = 16
"""Bits of the sieve for each known n-gram: at most one unknown n-gram in 16 gets through."""

_Named: TypeAlias = tuple[Hashes, npt.NDArray[np.int64]]


class Found(NamedTuple):
    """The first known n-gram of each row, by row; -1 in each field where it has none."""

    sources: npt.NDArray[np.int64]
    """The known text that has it, the first of several, as its place in `Ngrams.names`."""
    strings: npt.NDArray[np.int64]
    """The string of the row that has it, counted over all rows: `texts.string(...)`."""
    words: npt.NDArray[np.int64]
    """The word of the string at which it begins."""


class Ngrams:
    """A set of n-grams, each with the name of the first text that has it. Pickles as arrays.

    N-grams are compared by 64-bit hashes: of 10^12 that are looked up among 10^6, 0.05 would be found though
    they are not there.

    Args:
        texts: the known texts, each with a name; those of fewer than `ngram` words have no n-gram.
        ngram: words in an n-gram.
        whole: texts, each with a name, of fewer than `ngram` words, that are found where another text has
            just the same words and no more. Longer ones are found by their n-grams, as `texts`.
        most_names: an n-gram that texts of more names have than these is left out.
        hashing: what computes; None: the compiled kernel where there is one.

    Raises:
        ValueError: `ngram` is less than 1.
    """

    def __init__(
        self,
        texts: Iterable[tuple[str, str]],
        ngram: int = 13,
        *,
        whole: Iterable[tuple[str, str]] = (),
        most_names: int | None = None,
        hashing: Hashing | None = None,
    ) -> None:
        if ngram < 1:
            raise ValueError("an n-gram has at least 1 word")
        self.ngram = ngram
        self._given = hashing
        numbers: dict[str, int] = {}
        runs = self._named(self._shingles(texts, numbers, short=False), most_names)
        short = self._named(self._shingles(whole, numbers, short=True), None)
        self.names = tuple(numbers)
        """The names of the texts, each once, in order."""
        # A run and a short text of as many words as it takes are never equal: the hash counts the words.
        shingles = np.concatenate([runs[0], short[0]])
        order = np.argsort(shingles)
        self._sources = np.concatenate([runs[1], short[1]])[order]
        self._known = _known(shingles[order])

    def __len__(self) -> int:
        """Return how many different n-grams there are."""
        return len(self._sources)

    @property
    def _hashing(self) -> Hashing:
        # Not kept: where this was pickled there may be a kernel, and where it is used none.
        return self._given or open_hashing()

    def find(self, texts: Texts) -> Found:
        """Return the first known n-gram of each row."""
        hits = self._hashing.find(texts, self.ngram, self._known)
        sources = np.full(texts.row_count, -1, np.int64)
        found = hits.positions >= 0
        sources[found] = self._sources[hits.positions[found]]
        return Found(sources, hits.strings, hits.words)

    def words(self, texts: Texts, found: Found, row: int) -> list[str]:
        """Return the words of a row that matched."""
        start = int(found.words[row])
        return words(texts.string(int(found.strings[row])))[start : start + self.ngram]

    def _shingles(self, named: Iterable[tuple[str, str]], numbers: dict[str, int], *, short: bool) -> _Named:
        """Return the n-grams of texts, or the one of each short text, with the numbers of their names."""
        pairs = [(text, numbers.setdefault(name, len(numbers))) for text, name in named]
        texts = Texts.of([text] for text, _ in pairs)
        counts = self._hashing.count(texts, self.ngram)[0]
        shingles, ends = self._hashing.shingles(texts, self.ngram)
        owners = np.repeat(np.arange(len(pairs)), np.diff(ends, prepend=0))
        wanted = (counts[owners] < self.ngram) == short
        sources = np.array([number for _, number in pairs], np.int64)
        return shingles[wanted], sources[owners[wanted]]

    @staticmethod
    def _named(found: _Named, most_names: int | None) -> _Named:
        """Return each n-gram once, with the first of its names, unless it has too many of them."""
        order = np.lexsort((found[1], found[0]))
        shingles, sources = found[0][order], found[1][order]
        first = np.ones(len(order), np.bool_)
        first[1:] = shingles[1:] != shingles[:-1]
        if most_names is not None and len(order):
            another = first.copy()
            another[1:] |= sources[1:] != sources[:-1]
            names = np.add.reduceat(another.astype(np.int64), np.flatnonzero(first))
            first[first] = names <= most_names
        return shingles[first], sources[first]


def _known(shingles: Hashes) -> Known:
    """Return what answers quickly whether a shingle is among those given, which are sorted."""
    bits = max(int(_SIEVE_BITS * len(shingles) - 1).bit_length(), 6)
    sieve = np.zeros(1 << bits, np.bool_)
    sieve[shingles & np.uint64(len(sieve) - 1)] = True
    highest = max(len(shingles).bit_length(), 1)
    values = np.arange((1 << highest) + 1)
    starts = np.searchsorted((shingles >> np.uint64(64 - highest)).astype(np.int64), values)
    return Known(shingles, np.packbits(sieve, bitorder="little"), starts.astype(np.int64))

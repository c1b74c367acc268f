"""The same numbers without a compiler: Python's `words()`, and numpy for what follows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from instil.data.words import words
from instil.shingles.hashing import BASE, SEED, Ends, Hashes, Hits, Known, Permutations
from instil.shingles.texts import Texts

_MASK = (1 << 64) - 1


class PlainHashing:
    """What kernel.c does, about fifty times slower."""

    def count(self, texts: Texts, ngram: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Return how many words and how many shingles, equal ones included, each row has."""
        lengths = [[len(words(texts.string(string))) for string in row] for row in _rows(texts)]
        found = [sum(max(length - ngram + 1, min(length, 1)) for length in row) for row in lengths]
        return np.array([sum(row) for row in lengths], np.uint32), np.array(found, np.int64)

    def shingles(self, texts: Texts, ngram: int) -> tuple[Hashes, Ends]:
        """Return all shingles in order, equal ones included, and where each row ends."""
        rows = [_row_shingles(texts, row, ngram) for row in _rows(texts)]
        return _joined(rows)

    def unique(self, shingles: Hashes, ends: Ends) -> tuple[Hashes, Ends]:
        """Return the shingles of each row sorted, one of equals."""
        return _joined([np.unique(each) for each in _split(shingles, ends)])

    def jaccard(
        self,
        shingles: Hashes,
        ends: Ends,
        left: npt.NDArray[np.int64],
        right: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float64]:
        """Return the Jaccard similarities of pairs of rows, 0 where neither has a shingle."""
        rows, similarities = _split(shingles, ends), np.zeros(len(left))
        for pair, (first, second) in enumerate((rows[a], rows[b]) for a, b in zip(left, right, strict=True)):
            common = len(np.intersect1d(first, second, assume_unique=True))
            if common:
                similarities[pair] = common / (len(first) + len(second) - common)
        return similarities

    def signatures(self, texts: Texts, ngram: int, permutations: Permutations) -> npt.NDArray[np.uint32]:
        """Return the least image of each row's shingles under each permutation; all ones without words."""
        signatures = np.full((texts.row_count, len(permutations.summands)), 0xFFFFFFFF, np.uint32)
        for row, strings in enumerate(_rows(texts)):
            values = (_row_shingles(texts, strings, ngram) >> np.uint64(32)).astype(np.uint32)
            # In pieces, so that a long row does not take memory for all of its images.
            for start in range(0, len(values), 1024):
                images = np.multiply.outer(values[start : start + 1024], permutations.multipliers)
                np.minimum(signatures[row], (images + permutations.summands).min(axis=0), out=signatures[row])
        return signatures

    def bands(
        self, texts: Texts, ngram: int, permutations: Permutations, bands: int, per_band: int
    ) -> Hashes:
        """Return a hash of each `per_band` minima of each row; 0 for rows without words, and only then."""
        minima = self.signatures(texts, ngram, permutations)[:, : bands * per_band].astype(np.uint64)
        hashes = np.zeros((texts.row_count, bands), np.uint64)
        for place in range(per_band):
            hashes = hashes * np.uint64(BASE) + minima[:, place::per_band]
        hashes = _mix(hashes + np.arange(1, bands + 1, dtype=np.uint64) * np.uint64(SEED))
        hashes[hashes == 0] = 1
        hashes[self.count(texts, ngram)[0] == 0] = 0
        return hashes

    def find(self, texts: Texts, ngram: int, known: Known) -> Hits:
        """Return the first known shingle of each row."""
        positions, places, starts = (np.full(texts.row_count, -1, np.int64) for _ in range(3))
        for row, strings in enumerate(_rows(texts)):
            for string in strings:
                shingles = _shingles(words(texts.string(string)), ngram)
                found = np.flatnonzero(np.isin(shingles, known.shingles))
                if len(found):
                    positions[row] = np.searchsorted(known.shingles, shingles[found[0]])
                    places[row], starts[row] = string, found[0]
                    break
        return Hits(positions, places, starts)


def _rows(texts: Texts) -> Iterator[range]:
    """Yield the strings of each row."""
    for row in range(texts.row_count):
        yield range(texts.rows[row], texts.rows[row + 1])


def _row_shingles(texts: Texts, strings: range, ngram: int) -> Hashes:
    found = [_shingles(words(texts.string(string)), ngram) for string in strings]
    return np.concatenate(found) if found else np.zeros(0, np.uint64)


def _shingles(found: list[str], ngram: int) -> Hashes:
    """Return the shingles of a text; one of all its words where there are fewer than `ngram`."""
    length = min(ngram, len(found))
    hashes = np.array([_word_hash(word) for word in found], np.uint64)
    total = np.zeros(len(found) - length + 1 if found else 0, np.uint64)
    for start in range(length):
        total = total * np.uint64(BASE) + hashes[start : start + len(total)]
    return _mix(total + np.uint64(length * SEED & _MASK))


@lru_cache(maxsize=1 << 17)
def _word_hash(word: str) -> int:
    """Return the hash of a word, by eight of its bytes at a time."""
    encoded = word.encode("utf-8", "surrogatepass")
    whole = len(encoded) // 8 * 8
    hashed = SEED
    for start in range(0, whole, 8):
        hashed = _mix_one(hashed ^ int.from_bytes(encoded[start : start + 8], "big"))
    return _mix_one(hashed ^ int.from_bytes(encoded[whole:], "big"))


def _mix_one(x: int) -> int:
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _MASK
    return x ^ (x >> 31)


def _mix(x: Hashes) -> Hashes:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _joined(rows: list[Hashes]) -> tuple[Hashes, Ends]:
    """Return rows one after the other, and where they end."""
    ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
    return np.concatenate([*rows, np.zeros(0, np.uint64)]), ends


def _split(shingles: Hashes, ends: Ends) -> list[Hashes]:
    """Return the rows that stand one after the other."""
    return np.split(shingles, ends[:-1]) if len(ends) else []

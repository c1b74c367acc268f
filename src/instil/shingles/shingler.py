"""Shingles of texts and what is computed of them, for near-duplicate search."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from instil.shingles.hashing import SEED, Ends, Hashes, Hashing, Permutations, open_hashing
from instil.shingles.texts import Texts


class Shingler:
    """Computes shingles, signatures and bands of rows of texts.

    Words are those of `instil.data.words.words`. A shingle is the 64-bit hash of `ngram` words of a text in a
    row; a text of fewer words has one shingle, of all of them, and a text without words has none. The numbers
    are the same on every machine and in every run; signatures of more permutations begin with those of fewer.

    Args:
        ngram: words in a shingle.
        permutations: how many minima a signature has. The estimate of a similarity s that they give has a
            standard error of sqrt(s (1 - s) / permutations).
        hashing: what computes; None: the compiled kernel where there is one.

    Raises:
        ValueError: a number is less than 1.
    """

    def __init__(self, ngram: int = 5, permutations: int = 128, hashing: Hashing | None = None) -> None:
        if ngram < 1 or permutations < 1:
            raise ValueError("an n-gram has at least 1 word, a signature at least 1 permutation")
        self._ngram = ngram
        self._permutations = _permutations(permutations)
        self._given = hashing

    @property
    def _hashing(self) -> Hashing:
        # Not kept: where this was pickled there may be a kernel, and where it is used none.
        return self._given or open_hashing()

    def signatures(self, texts: Texts) -> npt.NDArray[np.uint32]:
        """Return the minima of each row, `[rows, permutations]`; those of a row without words are all ones.

        The part of minima in which two rows agree estimates their Jaccard similarity (MinHash: A. Broder, On
        the resemblance and containment of documents, 1997). Two rows without words agree in all, and are none
        the less no duplicates; `bands` tells them apart.
        """
        return self._hashing.signatures(texts, self._ngram, self._permutations)

    def bands(self, texts: Texts, bands: int, rows_per_band: int) -> Hashes:
        """Return a hash of each `rows_per_band` minima, `[rows, bands]`; no signature is kept.

        Hashes of different bands never mean the same, so that all of them can be sorted together. 0 stands
        for rows without words, which are nobody's near duplicates, and for nothing else.

        Raises:
            ValueError: there are not as many permutations.
        """
        if bands < 1 or rows_per_band < 1 or bands * rows_per_band > len(self._permutations.summands):
            raise ValueError(
                f"{bands} bands of {rows_per_band} need as many permutations, not"
                f" {len(self._permutations.summands)}"
            )
        return self._hashing.bands(texts, self._ngram, self._permutations, bands, rows_per_band)

    def shingles(self, texts: Texts) -> tuple[Hashes, Ends]:
        """Return the shingles of each row, sorted and each once, and where each row ends."""
        return self._hashing.unique(*self._hashing.shingles(texts, self._ngram))

    def count(self, texts: Texts) -> npt.NDArray[np.uint32]:
        """Return how many words each row has."""
        return self._hashing.count(texts, self._ngram)[0]


def jaccard(
    values: Hashes,
    ends: Ends,
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
    hashing: Hashing | None = None,
) -> npt.NDArray[np.float64]:
    """Return the Jaccard similarities of pairs of rows, exactly; 0 where neither has a shingle.

    Args:
        values: shingles as `Shingler.shingles` returns them.
        ends: where each row ends among them.
        left: the first row of each pair.
        right: the second row of each pair.
        hashing: what computes; None: the compiled kernel where there is one.

    Raises:
        ValueError: there is no such row, or the pairs are not whole.
    """
    pairs = [np.ascontiguousarray(each, np.int64) for each in (left, right)]
    for each in pairs:
        if len(each) != len(left) or (len(each) and not 0 <= each.min() <= each.max() < len(ends)):
            raise ValueError(f"pairs must be of rows 0 to {len(ends) - 1}")
    values, ends = np.ascontiguousarray(values, np.uint64), np.ascontiguousarray(ends, np.int64)
    return (hashing or open_hashing()).jaccard(values, ends, pairs[0], pairs[1])


def _permutations(count: int) -> Permutations:
    """Return the first permutations of one endless sequence, which SplitMix64 draws (Steele et al., 2014)."""
    draws = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(SEED)
    draws = (draws ^ (draws >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    draws = (draws ^ (draws >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    draws ^= draws >> np.uint64(31)
    multipliers = (draws >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
    return Permutations(multipliers, draws.astype(np.uint32))

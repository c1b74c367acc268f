"""How many bands of how many minima find the pairs above a threshold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def banding(threshold: float, permutations: int, false_negatives: float = 0.5) -> tuple[int, int]:
    """Return `(bands, rows)`, a row being one minimum of a band, that err least around a threshold.

    Two texts of Jaccard similarity s agree in one minimum with probability s, so that they share a band with
    probability 1 - (1 - s^rows)^bands (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, 3.4). What
    is found below the threshold and what is missed above it, over all similarities alike, is weighed and made
    as small as it gets; with equal weights this is the choice of the package `datasketch`.

    Args:
        threshold: the similarity from which pairs are wanted, in (0, 1].
        permutations: how many minima there are; bands x rows is not more.
        false_negatives: the weight of missed pairs, in (0, 1); of found ones too much it is the rest. Who
            compares what is found exactly, so that false positives only cost time, takes more than a half.

    Raises:
        ValueError: a number is out of its range.
    """
    if not (0 < threshold <= 1 and 0 < false_negatives < 1 and permutations >= 1):
        raise ValueError("the threshold and the weight lie between 0 and 1, and there is a permutation")
    rows = np.concatenate([np.full(permutations // each, each) for each in range(1, permutations + 1)])
    bands = np.concatenate([np.arange(1, permutations // each + 1) for each in range(1, permutations + 1)])
    below = _mean_probability(0.0, threshold, bands, rows) * threshold
    above = (1 - _mean_probability(threshold, 1.0, bands, rows)) * (1 - threshold)
    best = np.argmin((1 - false_negatives) * below + false_negatives * above)
    return int(bands[best]), int(rows[best])


def _mean_probability(
    start: float, end: float, bands: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the mean probability of sharing a band over similarities in an interval, by Gauss's rule."""
    points, weights = np.polynomial.legendre.leggauss(64)
    similarities = (start + end) / 2 + (end - start) / 2 * points
    probabilities = 1 - (1 - similarities[:, None] ** rows) ** bands
    return weights / 2 @ probabilities

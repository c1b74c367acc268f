"""Which drawn rows are held out: whole groups of every source, so that nothing straddles the border."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from instil.mixing.index import Ids
from instil.mixing.ranks import ranks
from instil.mixing.shares import allot


def held_out(
    groups: Ids, sources: npt.NDArray[np.uint16], fraction: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Return which rows are held out.

    Args:
        groups: of the drawn rows; rows of one group are on one side.
        sources: of the drawn rows; of the groups of each source the same share is held out, and a group
            that several sources have counts for the first of them.
        fraction: share of the groups.
        seed: decides which.
    """
    if not fraction or not len(groups):
        return np.zeros(len(groups), bool)
    order = np.lexsort((sources, groups))
    first = np.ones(len(order), bool)
    first[1:] = groups[order[1:]] != groups[order[:-1]]
    different, owner = groups[order[first]], sources[order[first]]
    drawn = ranks(different, seed, "split")
    by_owner = np.lexsort((drawn, owner))
    counts = np.bincount(owner, minlength=1)
    starts = np.cumsum(counts) - counts
    place = np.arange(len(different)) - starts[owner[by_owner]]
    chosen = np.zeros(len(different), bool)
    # In all as many as asked for, and each source its share to one group.
    shares = allot(
        {f"{number:05}": int(count) for number, count in enumerate(counts)}, round(len(different) * fraction)
    )
    chosen[by_owner] = place < np.array([shares[name] for name in sorted(shares)])[owner[by_owner]]
    return chosen[np.searchsorted(different, groups)]

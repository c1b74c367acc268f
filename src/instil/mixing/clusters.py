"""Clusters of near duplicates, which of their rows represents them, and which rows must stay together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ids = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cluster:
    """Rows that are linked by pairs above the threshold."""

    representative: int
    """Id of the longest row; of the longest, the one with the smallest id."""
    members: tuple[int, ...]
    """Ids of the others."""
    similarities: tuple[float, ...]
    """Of each of the others with the row of the cluster that it is most like."""
    sources: tuple[int, ...]
    """Numbers of the sources of the others."""


@dataclass(frozen=True)
class Clusters:
    """All clusters, and what follows for the split."""

    clusters: tuple[Cluster, ...]
    groups: Ids
    """Groups that are joined with others, in order."""
    joined: Ids
    """What each of them is called then."""

    @property
    def removed(self) -> Ids:
        """Ids of all rows that are not representative, in order."""
        members = [member for cluster in self.clusters for member in cluster.members]
        return np.sort(np.array(members, np.uint64))

    def join(self, groups: Ids) -> Ids:
        """Return groups by the names that joined ones have."""
        return join_groups([self], groups)


def join_groups(found: Iterable[Clusters], groups: Ids) -> Ids:
    """Return groups by the names that they have when clusters of several kinds join them.

    Not one kind after the other: two groups can be linked by a third, to which one kind links the first of
    them and another kind the second.
    """
    kinds = [
        (np.empty(0, np.uint64), np.empty(0, np.uint64)),
        *((each.groups, each.joined) for each in found),
    ]
    left, right = (np.concatenate([pair[side] for pair in kinds]) for side in (0, 1))
    known, roots = _components(left, right)
    if not len(known):
        return groups
    places = np.minimum(np.searchsorted(known, groups), len(known) - 1)
    return np.where(known[places] == groups, known[roots[places]], groups)


def find_clusters(pairs: pa.Table) -> Clusters:
    """Return the clusters of verified pairs, the same whatever the order of the pairs."""
    columns = {name: pairs.column(name).to_numpy() for name in pairs.column_names}
    ids, roots = _components(columns["left"], columns["right"])
    best = np.zeros(len(ids))
    size, source = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
    for side in ("left", "right"):
        places = np.searchsorted(ids, columns[side])
        np.maximum.at(best, places, columns["similarity"])
        size[places], source[places] = columns[f"size_{side}"], columns[f"source_{side}"]
    # Longest first within a cluster, then by id.
    order = np.lexsort((ids, -size, roots))
    found = tuple(
        Cluster(
            int(ids[group[0]]),
            tuple(ids[group[1:]].tolist()),
            tuple(best[group[1:]].tolist()),
            tuple(source[group[1:]].tolist()),
        )
        for group in _runs(order, roots[order])
    )
    groups, joined = _components(columns["group_left"], columns["group_right"])
    return Clusters(found, groups, groups[joined])


def _components(left: Ids, right: Ids) -> tuple[Ids, Places]:
    """Return the ids of a graph's edges, in order, and for each the place of the first that it is linked to.

    Every node takes the smallest label among its neighbours until nothing changes; labels jump to the label
    of their label, so that long chains take few rounds (Shiloach & Vishkin, 1982).
    """
    ids, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    a, b = places[: len(left)], places[len(left) :]
    labels = np.arange(len(ids))
    while True:
        lower = np.minimum(labels[a], labels[b])
        new = labels.copy()
        for side in (a, b):
            np.minimum.at(new, labels[side], lower)
            np.minimum.at(new, side, lower)
        new = new[new]
        if np.array_equal(new, labels):
            return ids, labels
        labels = new


def _runs(order: Places, labels: Places) -> list[Places]:
    """Return the places in order, a list for each label."""
    starts = np.flatnonzero(labels[1:] != labels[:-1]) + 1
    return np.split(order, starts) if len(order) else []

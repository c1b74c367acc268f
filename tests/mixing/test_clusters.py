"""Clusters of rows that are alike: who belongs together, who represents them, which groups are joined."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from instil.mixing.clusters import find_clusters, join_groups
from instil.mixing.near import VERIFIED


class Row(NamedTuple):
    id: int
    group: int
    size: int
    source: int


def pairs_of(edges: Sequence[tuple[Row, Row, float]]) -> pa.Table:
    """Return verified pairs as the steps before write them."""
    return pa.Table.from_pylist(
        [
            {
                "left": left.id,
                "right": right.id,
                "similarity": similarity,
                **{
                    f"{name}_{side}": getattr(row, name)
                    for side, row in (("left", left), ("right", right))
                    for name in ("group", "size", "source")
                },
            }
            for left, right, similarity in edges
        ],
        schema=VERIFIED,
    )


def reachable(edges: Sequence[tuple[int, int]]) -> set[frozenset[int]]:
    """Return the connected components of a graph, searched breadth first."""
    neighbours = defaultdict(set)
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    found, seen = set(), set()
    for start in neighbours:
        if start in seen:
            continue
        component, queue = {start}, deque([start])
        while queue:
            for other in neighbours[queue.popleft()] - component:
                component.add(other)
                queue.append(other)
        seen |= component
        found.add(frozenset(component))
    return found


def row(number: int) -> Row:
    """Return a row that is the same whenever its number is; sizes often tie, several rows share a group."""
    return Row(
        id=number * 0x9E3779B97F4A7C15 % 2**64, group=number // 2 * 1000, size=number % 3, source=number % 5
    )


_edges = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.sampled_from([0.8, 0.85, 0.9, 1.0])), max_size=40
).map(lambda edges: [(a, b, similarity) for a, b, similarity in edges if a != b])


@given(edges=_edges)
def test_a_cluster_is_what_can_be_reached_by_pairs(edges: list[tuple[int, int, float]]) -> None:
    found = find_clusters(pairs_of([(row(a), row(b), s) for a, b, s in edges]))
    expected = reachable([(row(a).id, row(b).id) for a, b, _ in edges])
    assert {frozenset((each.representative, *each.members)) for each in found.clusters} == expected
    assert len(found.clusters) == len(expected)


@given(edges=_edges)
def test_the_longest_row_represents_a_cluster_and_the_smallest_id_among_the_longest(
    edges: list[tuple[int, int, float]],
) -> None:
    rows = {row(number).id: row(number) for number in range(31)}
    for cluster in find_clusters(pairs_of([(row(a), row(b), s) for a, b, s in edges])).clusters:
        everybody = [rows[each] for each in (cluster.representative, *cluster.members)]
        assert everybody[0] == min(everybody, key=lambda each: (-each.size, each.id))
        assert [rows[member].source for member in cluster.members] == list(cluster.sources)
        best: defaultdict[int, float] = defaultdict(float)
        for a, b, similarity in edges:
            for each in (row(a).id, row(b).id):
                best[each] = max(best[each], similarity)
        assert [best[member] for member in cluster.members] == list(cluster.similarities)


@given(edges=_edges, data=st.data())
def test_neither_the_order_of_the_pairs_nor_their_sides_decide_anything(
    edges: list[tuple[int, int, float]], data: st.DataObject
) -> None:
    plain = find_clusters(pairs_of([(row(a), row(b), s) for a, b, s in edges]))
    turned = [(row(b), row(a), s) for a, b, s in data.draw(st.permutations(edges))]
    other = find_clusters(pairs_of(turned))
    assert plain.clusters == other.clusters
    assert plain.groups.tolist() == other.groups.tolist()
    assert plain.joined.tolist() == other.joined.tolist()


@given(edges=_edges)
def test_rows_of_a_cluster_get_one_group_and_other_groups_keep_theirs(
    edges: list[tuple[int, int, float]],
) -> None:
    found = find_clusters(pairs_of([(row(a), row(b), s) for a, b, s in edges]))
    every = np.array(sorted({row(number).group for number in range(31)} | {7, 2**64 - 1}), np.uint64)
    joined = dict(zip(every.tolist(), found.join(every).tolist(), strict=True))
    components = reachable([(row(a).group, row(b).group) for a, b, _ in edges])
    for component in components:
        assert {joined[group] for group in component} == {min(component)}
    linked = frozenset[int]().union(*components)
    assert all(joined[group] == group for group in joined if group not in linked)


@given(near=_edges, semantic=_edges)
def test_groups_are_joined_over_clusters_of_every_kind(
    near: list[tuple[int, int, float]], semantic: list[tuple[int, int, float]]
) -> None:
    kinds = [
        find_clusters(pairs_of([(row(a), row(b), s) for a, b, s in edges])) for edges in (near, semantic)
    ]
    every = np.array(sorted({row(number).group for number in range(31)}), np.uint64)
    joined = dict(zip(every.tolist(), join_groups(kinds, every).tolist(), strict=True))
    for component in reachable([(row(a).group, row(b).group) for a, b, _ in (*near, *semantic)]):
        assert {joined[group] for group in component} == {min(component)}


@given(edges=_edges)
def test_all_but_the_representatives_are_removed(edges: list[tuple[int, int, float]]) -> None:
    found = find_clusters(pairs_of([(row(a), row(b), s) for a, b, s in edges]))
    removed = found.removed.tolist()
    assert removed == sorted({member for cluster in found.clusters for member in cluster.members})
    assert not {cluster.representative for cluster in found.clusters} & set(removed)


def test_a_chain_of_a_hundred_thousand_rows_in_any_order_is_one_cluster_in_a_moment() -> None:
    count = 100_000
    ids = np.random.default_rng(2).permutation(count).astype(np.uint64)
    zeros = np.zeros(count - 1)
    columns = [ids[:-1], ids[1:], zeros + 0.9, ids[:-1], ids[1:], zeros, zeros, zeros, zeros]
    arrays = [pa.array(each).cast(field.type) for each, field in zip(columns, VERIFIED, strict=True)]
    started = time.perf_counter()
    found = find_clusters(pa.Table.from_arrays(arrays, schema=VERIFIED))
    assert time.perf_counter() - started < 5
    assert len(found.clusters) == 1
    assert found.clusters[0].representative == 0
    assert len(found.removed) == count - 1


def test_without_pairs_there_is_no_cluster_and_groups_stay() -> None:
    found = find_clusters(pairs_of([]))
    assert found.clusters == ()
    assert found.removed.tolist() == []
    assert found.join(np.array([5, 6], np.uint64)).tolist() == [5, 6]

"""Near duplicates from bands to verified pairs: exact similarities, and nothing depends on buckets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.corpora.base import Row
from instil.data.words import words as words_of
from instil.mixing.alike import Alike
from instil.mixing.clusters import Clusters
from instil.mixing.exchange import read_partition
from instil.mixing.near import Banding, Pairing, _pairs, find_candidates, read_verified
from instil.mixing.work import Result
from tests.mixing.rows import kept, questions, row, unique_of, words

BANDING = Banding(ngram=3, permutations=128, bands=16, rows=8)


def do(
    what: str, function: Callable[..., Result], calls: Sequence[tuple[str, tuple[Any, ...]]]
) -> list[Result]:
    return [function(*arguments) for _, arguments in calls]


class Found:
    """What is found among rows whose answers are all the same."""

    def __init__(
        self,
        directory: Path,
        rows: Sequence[Row],
        threshold: float = 0.8,
        buckets: int = 2,
        banding: Banding = BANDING,
    ) -> None:
        uniques = unique_of(directory, [(0, rows[::2]), (1, rows[1::2])], buckets, banding)
        self.texts = questions(kept(uniques))
        self.clusters: Clusters = Alike(do, directory, uniques).by_words(banding, threshold)
        paths = [directory / f"verified-{number:05}.arrow" for number in range(buckets)]
        self.pairs: list[dict[str, Any]] = read_verified(paths).to_pylist()

    @property
    def together(self) -> set[frozenset[str]]:
        """Clusters as sets of questions."""
        return {
            frozenset(self.texts[each] for each in (cluster.representative, *cluster.members))
            for cluster in self.clusters.clusters
        }


@cache
def shingles(text: str, ngram: int = 3) -> set[tuple[str, ...]]:
    """Return the shingles of a text as the definition says."""
    found = words_of(text)
    return (
        {tuple(found[start : start + ngram]) for start in range(max(1, len(found) - ngram + 1))}
        if found
        else set()
    )


def jaccard(one: str, other: str) -> float:
    # A row is its question and its answer; shingles do not cross from one to the other.
    a, b = (shingles(text) | shingles("an answer") for text in (one, other))
    return len(a & b) / len(a | b)


def changed(text: list[str], *places: int) -> str:
    return " ".join("other" if place in places else word for place, word in enumerate(text))


def test_rows_that_differ_in_a_few_words_are_found_and_others_are_not(tmp_path: Path) -> None:
    texts = [words(100, seed) for seed in range(30)]
    near = [changed(text, 10, 60) for text in texts[:10]]  # six of a hundred shingles
    far = [changed(text, *range(0, 100, 8)) for text in texts[10:20]]
    found = Found(tmp_path, [row(text) for text in (*(" ".join(text) for text in texts), *near, *far)])
    assert found.together == {frozenset((" ".join(texts[place]), near[place])) for place in range(10)}
    assert all(0.8 <= pair["similarity"] < 1 for pair in found.pairs)


def test_chinese_rows_that_differ_in_a_few_characters_are_found(tmp_path: Path) -> None:
    text = "我咳嗽三周了还有点发烧晚上睡不好请问应该去医院看哪个科室需要做什么检查吗谢谢医生"
    near, other = (
        text.replace("三周", "两周"),
        "孩子五岁了最近不爱吃饭体重也没有增加应该怎么办需要补充什么营养呢请医生指点",
    )
    assert Found(tmp_path, [row(each) for each in (text, near, other)]).together == {frozenset((text, near))}


_texts = st.lists(
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=14).map(" ".join), min_size=2, max_size=14
)


@settings(max_examples=25)
@given(texts=_texts, threshold=st.sampled_from([0.5, 0.8, 1.0]))
def test_pairs_have_their_exact_similarity_and_none_is_below_the_threshold(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], threshold: float
) -> None:
    # Bands of one minimum make candidates of nearly everything.
    many = Banding(ngram=3, permutations=128, bands=128, rows=1)
    found = Found(tmp_path_factory.mktemp("near"), [row(text) for text in texts], threshold, banding=many)
    for pair in found.pairs:
        one, other = found.texts[pair["left"]], found.texts[pair["right"]]
        assert pair["left"] < pair["right"]
        assert pair["similarity"] == pytest.approx(jaccard(one, other))
        assert pair["similarity"] >= threshold
    # Rows with the same shingles have the same keys, and are never missed.
    for one, other in combinations(set(texts), 2):
        if jaccard(one, other) == 1:
            assert any({one, other} <= cluster for cluster in found.together)


def test_what_is_found_does_not_depend_on_the_number_of_buckets(tmp_path: Path) -> None:
    base = words(40, 1)
    texts = [changed(base, seed % 40, seed * 7 % 40) for seed in range(60)]
    plain = Found(tmp_path / "1", [row(text) for text in texts], 0.7, 1)
    for buckets in (2, 16):
        other = Found(
            tmp_path / str(buckets), [row(text) for text in (*texts[20:], *texts[:20])], 0.7, buckets
        )
        assert other.clusters.clusters == plain.clusters.clusters
        assert sorted(other.pairs, key=str) == sorted(plain.pairs, key=str)


def test_a_pair_says_what_clusters_ask_of_both_rows(tmp_path: Path) -> None:
    text = words(50, 1)
    rows = [row(" ".join(text), group="one"), row(changed(text, 49), group="another")]
    uniques = unique_of(tmp_path / "again", [(0, rows[:1]), (1, rows[1:])])
    by_id = {each["id"]: each for each in kept(uniques)}
    (pair,) = Found(tmp_path, rows).pairs
    for side in ("left", "right"):
        for name in ("group", "size", "source"):
            assert pair[f"{name}_{side}"] == by_id[pair[side]][name]


def test_rows_without_words_are_nobodys_duplicates(tmp_path: Path) -> None:
    rows = [Row((("user", mark), ("assistant", "!"))) for mark in ("?", "...", "——", "!!")]
    (unique,) = unique_of(tmp_path / "bands", [(0, rows)], 1, BANDING)
    # They have no key; with one that all of them share, a corpus of many would be a group of many.
    assert sum(batch.num_rows for batch in read_partition([unique.file("bands")], 0, 1)) == 0
    found = Found(tmp_path, rows)
    assert found.pairs == []
    assert found.clusters.clusters == ()


def test_a_large_family_is_one_cluster_and_its_pairs_grow_with_its_rows(tmp_path: Path) -> None:
    base = words(60, 3)
    found = Found(tmp_path, [row(f"{' '.join(base)} number{place}") for place in range(600)])
    assert len(found.clusters.clusters) == 1
    assert len(found.clusters.removed) == 599
    assert len(found.pairs) < 600 * 20  # of 179,700


def test_of_a_family_whose_members_are_hardly_alike_the_near_ones_are_found(tmp_path: Path) -> None:
    # A hundred rows of one template, in pairs: many candidates that are below the threshold lie between the
    # rows of a pair.
    random, base = np.random.default_rng(5), words(60, 4)
    texts = []
    for number in range(50):
        own = [f"own{number}" if random.random() < 0.06 else word for word in base]
        texts += [" ".join(own), changed(own, int(random.integers(60)))]
    close = [(one, other) for one, other in combinations(texts, 2) if jaccard(one, other) >= 0.8]
    found = Found(tmp_path, [row(text) for text in texts])
    together = sum(any({one, other} <= cluster for cluster in found.together) for one, other in close)
    assert len(close) > 40
    assert together / len(close) > 0.9


@given(bands=st.lists(st.integers(0, 3), max_size=40))
def test_every_row_that_shares_a_key_is_paired_with_the_first_and_with_those_just_before_it(
    bands: list[int],
) -> None:
    ids = np.random.default_rng(len(bands)).permutation(len(bands)).astype(np.uint64)
    found = {tuple(pair) for pair in _pairs(np.array(bands, np.uint64), ids).tolist()}
    expected = set()
    for key in set(bands):
        mine = sorted(int(each) for each, band in zip(ids, bands, strict=True) if band == key)
        expected |= {(mine[0], other) for other in mine[1:]}
        expected |= {
            (mine[place - back], mine[place])
            for place in range(len(mine))
            for back in range(1, 9)
            if place >= back
        }
    assert found == expected


def test_partitions_without_keys_have_no_candidates(tmp_path: Path) -> None:
    uniques = unique_of(tmp_path, [(0, [])], 1, BANDING)
    job = Pairing((uniques[0].file("bands"),), 0, 1, tmp_path / "near")
    assert find_candidates(job) == {"pairs": 0}
    assert isinstance(read_verified([]), pa.Table)

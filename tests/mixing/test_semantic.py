"""Semantic duplicates: what points the same way is found, whatever the buckets and the clusters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from instil.mixing import semantic
from instil.mixing.alike import Alike
from instil.mixing.clusters import Clusters
from instil.mixing.config import SemanticDuplicatesConfig
from instil.mixing.exchange import read_batches, write_table
from instil.mixing.near import VERIFIED, read_verified
from instil.mixing.ranks import interval
from instil.mixing.semantic import Assigning, Comparing, Embedding, assign, centres, compare, embed
from tests.mixing.rows import kept, questions, row, unique_of
from tests.mixing.test_near import do
from tests.tiny import saved_model

Vectors = npt.NDArray[np.float32]


def write_vectors(directory: Path, vectors: Vectors, buckets: int) -> tuple[Path, ...]:
    """Write vectors, each with an id that its number gives, as `embed` does, and return the files."""
    ids = np.arange(len(vectors), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    columns = {
        "id": ids,
        "group": ids // np.uint64(2),
        "size": np.arange(len(vectors)) % 7,
        "source": np.arange(len(vectors)) % 3,
    }
    fields = [pa.field(name, semantic._TYPES[name]) for name in columns]
    paths = []
    for bucket in range(buckets):
        mine = np.flatnonzero(interval(ids, buckets) == bucket)
        mine = mine[np.argsort(ids[mine])]
        some = [pa.array(columns[field.name][mine]).cast(field.type) for field in fields]
        lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors[mine].reshape(-1)), vectors.shape[1])
        schema = semantic._schema(vectors.shape[1] if len(mine) else 1)
        table = pa.table([*some, lists], schema=schema) if len(mine) else schema.empty_table()
        paths.append(directory / f"vectors-{bucket:05}.arrow")
        write_table(paths[-1], table, rows=50)
    return tuple(paths)


def pairs_of(
    directory: Path, vectors: Vectors, threshold: float, buckets: int = 2
) -> dict[tuple[int, int], float]:
    """Return the pairs of numbers of vectors that are found alike, with their similarities."""
    directory.mkdir(exist_ok=True)
    paths = write_vectors(directory, vectors, buckets)
    outputs = [directory / f"meaning-{bucket}.arrow" for bucket in range(buckets)]
    (count,) = {assign(Assigning(paths, number, output))["clusters"] for number, output in enumerate(outputs)}
    found = []
    for number in range(count):
        job = Comparing(tuple(outputs), number, count, threshold, directory / f"alike-{number}.arrow")
        compare(job)
        found.append(job.output)
    numbers = {number * 0x9E3779B97F4A7C15 % 2**64: number for number in range(len(vectors))}
    pairs = {}
    for pair in read_verified(found).to_pylist():
        one, other = sorted((numbers[pair["left"]], numbers[pair["right"]]))
        pairs[one, other] = pair["similarity"]
    return pairs


def unit(vectors: Vectors) -> Vectors:
    found: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return found


def noise(count: int, dimensions: int = 24, seed: int = 1) -> Vectors:
    return unit(np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32))


def test_equal_vectors_are_found_at_any_threshold_and_far_ones_are_not(tmp_path: Path) -> None:
    vectors = noise(300)
    vectors[200:250] = vectors[:50]
    assert set(pairs_of(tmp_path, vectors, 1.0)) == {(number, number + 200) for number in range(50)}


def test_near_vectors_are_found_with_their_similarity(tmp_path: Path) -> None:
    vectors = noise(100)
    vectors[60:80] = unit(vectors[:20] + 0.1 * noise(20, seed=2))
    exact = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    expected = {(a, b): float(exact[a, b]) for a, b in np.argwhere(exact >= 0.9).tolist() if a < b}
    assert pairs_of(tmp_path, vectors, 0.9) == pytest.approx(expected, abs=1e-5)
    assert len(expected) >= 20


def test_the_number_of_buckets_decides_nothing(tmp_path: Path) -> None:
    vectors = noise(3500, 8)
    found = [pairs_of(tmp_path / str(buckets), vectors, 0.95, buckets) for buckets in (1, 2, 16)]
    assert set(found[0]) == set(found[1]) == set(found[2])
    assert len(found[0]) > 50
    assert len(list((tmp_path / "1").glob("alike-*.arrow"))) == 4


def test_pairs_on_the_border_of_two_clusters_are_found(tmp_path: Path) -> None:
    # Rows are compared in the clusters of both of their nearest centres; without that, hundreds are missed.
    vectors = noise(3000, 6, seed=4)
    vectors[1500:] = unit(vectors[:1500] + 0.02 * noise(1500, 6, seed=5))
    found = pairs_of(tmp_path, vectors, 0.99)
    missed = [number for number in range(1500) if (number, number + 1500) not in found]
    assert len(missed) < 8


def test_centres_are_rows_chosen_by_their_ids_one_for_a_thousand(tmp_path: Path) -> None:
    vectors = noise(2500, 4)
    one = centres(write_vectors(tmp_path, vectors, 1))
    assert one.shape == (3, 4)
    assert {tuple(each) for each in one.tolist()} <= {tuple(each) for each in vectors.tolist()}
    # New files under the same names are read again.
    assert centres(write_vectors(tmp_path, noise(2500, 4, seed=9), 1)).tolist() != one.tolist()
    (tmp_path / "more").mkdir()
    assert centres(write_vectors(tmp_path / "more", vectors, 8)).tolist() == one.tolist()


def test_a_row_goes_to_its_two_nearest_centres(tmp_path: Path) -> None:
    vectors, found = noise(3000, 5), noise(9, 5, seed=3)
    nearest = semantic._nearest(vectors, found)
    expected = np.argsort(-(vectors @ found.T), axis=1, kind="stable")[:, :2]
    assert nearest.tolist() == expected.tolist()
    assert semantic._nearest(vectors, found[:1]).tolist() == [[0]] * 3000


def test_a_bucket_or_a_cluster_without_rows_is_no_trouble(tmp_path: Path) -> None:
    assert pairs_of(tmp_path, noise(1), 0.5, buckets=4) == {}
    job = Comparing((tmp_path / "missing.arrow",), 0, 1, 0.5, tmp_path / "empty.arrow")
    assert compare(job) == {"alike": 0}
    assert [batch.num_rows for batch in read_batches(job.output)] == []
    assert VERIFIED.names == read_verified([job.output]).schema.names


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(saved_model(tmp_path_factory.mktemp("model")))


def by_meaning(
    directory: Path, texts: Sequence[str], model: str, threshold: float, buckets: int
) -> set[frozenset[str]]:
    uniques = unique_of(directory, [(0, [row(text) for text in texts])], buckets)
    config = SemanticDuplicatesConfig(model=model, threshold=threshold)
    found: Clusters = Alike(do, directory, uniques).by_meaning(config)
    asked = questions(kept(uniques))
    return {
        frozenset(asked[each] for each in (cluster.representative, *cluster.members))
        for cluster in found.clusters
    }


def test_rows_are_compared_by_the_vectors_of_a_real_model(tmp_path: Path, model: str) -> None:
    # A model without training tells texts apart by their tokens; one more mark at the end of many is little.
    long = "Please see Respiratory Medicine, a cough of three weeks needs a look, and so does a fever" * 2
    texts = [long, f"{long}!", "我咳嗽三周了，该看哪个科？", "🙂", "What is the capital of France?"]
    found = [by_meaning(tmp_path / str(buckets), texts, model, 0.99, buckets) for buckets in (1, 4)]
    assert found[0] == found[1] == {frozenset((long, f"{long}!"))}


def test_vectors_stand_with_the_columns_that_clusters_ask_for(tmp_path: Path, model: str) -> None:
    (unique,) = unique_of(tmp_path, [(1, [row("one"), row("two", group="mine")])], 1)
    job = Embedding(unique.file("rows"), model, tmp_path / "vectors.arrow")
    assert embed(job) == {"rows": 2}
    (batch,) = read_batches(job.output)
    rows = kept([unique])
    for name in ("id", "group", "size", "source"):
        assert batch.column(name).to_pylist() == [each[name] for each in rows]
    assert np.linalg.norm(batch.column("vector").to_pylist(), axis=1) == pytest.approx([1, 1], abs=1e-6)

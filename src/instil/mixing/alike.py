"""Looks for rows that are alike across all buckets, by their words and by their meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from instil.mixing.clusters import Clusters, find_clusters
from instil.mixing.config import SemanticDuplicatesConfig
from instil.mixing.near import (
    Banding,
    Pairing,
    Sending,
    Verifying,
    find_candidates,
    read_verified,
    send_shingles,
    verify,
)
from instil.mixing.semantic import Assigning, Comparing, Embedding, assign, compare, embed
from instil.mixing.unique import Unique
from instil.mixing.work import Result


class Do(Protocol):
    """Runs named calls of a function, each once, and returns their results in order."""

    def __call__(
        self, what: str, function: Callable[..., Result], calls: Sequence[tuple[str, tuple[Any, ...]]]
    ) -> list[Result]:
        """Run what is not done yet."""
        ...


@dataclass(frozen=True)
class Alike:
    """The rows of all buckets, and who does the work."""

    do: Do
    work: Path
    uniques: Sequence[Unique]

    def by_words(self, banding: Banding, threshold: float) -> Clusters:
        """Return clusters of rows whose shingles have at least this Jaccard similarity with another's."""
        buckets = len(self.uniques)
        bands = tuple(each.file("bands") for each in self.uniques)
        pairs = [
            Pairing(bands, each.number, buckets, self.work / f"near-{each.number:05}")
            for each in self.uniques
        ]
        looking, comparing = "looking for near duplicates", "comparing near duplicates"
        self.do(looking, find_candidates, _calls("pairs", pairs))
        remove(bands)
        wanted = tuple(each.output.with_suffix(".wanted") for each in pairs)
        sent = [
            Sending(
                wanted,
                each.file("rows"),
                each.number,
                buckets,
                banding,
                self.work / f"shingles-{each.number:05}.arrow",
            )
            for each in self.uniques
        ]
        self.do(comparing, send_shingles, _calls("sent", sent))
        candidates = tuple(each.output.with_suffix(".pairs") for each in pairs)
        shingles = tuple(each.output for each in sent)
        verified = [
            Verifying(
                candidates,
                shingles,
                each.number,
                buckets,
                threshold,
                self.work / f"verified-{each.number:05}.arrow",
            )
            for each in self.uniques
        ]
        self.do(comparing, verify, _calls("verified", verified))
        remove(shingles)
        return find_clusters(read_verified(each.output for each in verified))

    def by_meaning(self, config: SemanticDuplicatesConfig) -> Clusters:
        """Return clusters of rows whose vectors have at least this cosine similarity with another's."""
        vectors = [
            Embedding(each.file("rows"), config.model, self.work / f"vectors-{each.number:05}.arrow")
            for each in self.uniques
        ]
        self.do("embedding", embed, [(each.output.stem, (each,)) for each in vectors])
        paths = tuple(each.output for each in vectors)
        assigned = [
            Assigning(paths, each.number, self.work / f"meaning-{each.number:05}.arrow")
            for each in self.uniques
        ]
        (clusters, *_) = (
            each["clusters"] for each in self.do("comparing meanings", assign, _calls("assigned", assigned))
        )
        compared = [
            Comparing(
                tuple(each.output for each in assigned),
                number,
                clusters,
                config.threshold,
                self.work / f"alike-{number:05}.arrow",
            )
            for number in range(clusters)
        ]
        self.do("comparing meanings", compare, _calls("alike", compared))
        remove(paths)
        return find_clusters(read_verified(each.output for each in compared))


def _calls(name: str, jobs: Sequence[Any]) -> list[tuple[str, tuple[Any, ...]]]:
    return [(f"{name}-{job.number:05}", (job,)) for job in jobs]


def remove(paths: Iterable[Path]) -> None:
    """Remove what no later step reads."""
    for path in paths:
        path.unlink(missing_ok=True)

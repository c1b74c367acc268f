"""The whole way from sources to a mixture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from instil.data.progress import Progress
from instil.data.shards import INDEX
from instil.errors import StageError
from instil.mixing import listing
from instil.mixing.alike import Alike, remove
from instil.mixing.clusters import Clusters, join_groups
from instil.mixing.counts import count_sources
from instil.mixing.index import Ids, Index, read_index
from instil.mixing.plan import Mixed, Outputs, Plan
from instil.mixing.reading import Reading, read_part
from instil.mixing.selection import select
from instil.mixing.split import held_out
from instil.mixing.tally import Tally, merged
from instil.mixing.unique import Unique, keep_different
from instil.mixing.work import Job, Result, Workers
from instil.mixing.writing import Ordering, Shard, order_rows, write_shard
from instil.store.atomic import atomic_write

_BUCKET = 32 << 20  # bytes of input for each bucket, which is what a step holds in memory
_MOST_BUCKETS = 1024
_SHARD = 12 << 20  # characters of a shard of the output

Mask = npt.NDArray[np.bool_]
NEAR, SEMANTIC = "near_duplicate", "semantic_duplicate"


class Mixing:
    """Carries a plan out in a directory; what was finished before is not done again.

    Args:
        plan: what to mix.
        read: directory for what is read and compared, which does not depend on what is drawn of it.
        work: directory for what is drawn. Both can be removed at the end.
        outputs: where the result goes.
        workers: who does the work.
        progress: where it is told how far it is.
    """

    def __init__(
        self, plan: Plan, read: Path, work: Path, outputs: Outputs, workers: Workers, progress: Progress
    ) -> None:
        self._plan, self._read, self._work, self._outputs = plan, read, work, outputs
        self._workers, self._progress = workers, progress

    def run(self, *, dry: bool = False) -> Mixed:
        """Return what was mixed; with `dry`, what would be, without writing it.

        Raises:
            StageError: a source cannot be read or give its share.
            StoreError: something cannot be written.
        """
        plan = self._plan
        readings = self._readings()
        read = self._do("reading", read_part, [(each.output.name, (each,)) for each in readings])
        self._refuse_empty(readings, read)
        uniques = self._uniques(readings)
        unique = self._do(
            "removing duplicates", keep_different, [(f"unique-{each.number:05}", (each,)) for each in uniques]
        )
        remove(each.output.with_suffix(".arrow") for each in readings)
        alike = self._alike(uniques)
        index = read_index([each.file("index") for each in uniques])
        removed = self._removed(alike, index)
        index.group = join_groups(alike.values(), index.group)
        keep = ~np.logical_or.reduce(list(removed.values())) if removed else np.ones(len(index), bool)
        copies = np.zeros(len(index), np.uint16)
        copies[keep] = select(index.of(keep), plan.wish, plan.seed)
        sides = self._sides(index, copies)
        before = listing.lines_before(readings, read)
        tallies = [listing.steps_of(result, lines) for result, lines in zip(read, before, strict=True)]
        steps = merged([*tallies, *(each["steps"] for each in unique)])
        gone = {kind: index.id[rows] for kind, rows in removed.items()}
        self._tally(alike, gone, steps)
        mixed = Mixed(
            sources=count_sources(plan, readings, read, unique, index, removed, copies),
            steps=steps,
            changed=merged(each["changed"] for each in read),
            rows=int(copies.sum(dtype=np.int64)),
            train=int(copies[~sides].sum(dtype=np.int64)),
            validation=int(sides.sum()),
            clusters=sum(len(clusters.clusters) for clusters in alike.values()),
        )
        if not dry:
            if not mixed.train:
                raise StageError(
                    "the mixture has no training row", hint="raise num_examples or lower validation_fraction"
                )
            self._list(readings, before, uniques, alike, gone)
            self._write(uniques, index, copies, sides)
        return mixed

    def _do(
        self, what: str, function: Callable[..., Result], calls: Sequence[tuple[str, tuple[Any, ...]]]
    ) -> list[Result]:
        return self._run(self._read, what, function, calls)

    def _run(
        self,
        directory: Path,
        what: str,
        function: Callable[..., Result],
        calls: Sequence[tuple[str, tuple[Any, ...]]],
    ) -> list[Result]:
        done = directory / "done"
        done.mkdir(parents=True, exist_ok=True)
        jobs = [Job(done / f"{name}.json", function, arguments) for name, arguments in calls]
        with self._progress.task(what, total=len(jobs), unit="shards") as task:
            return self._workers.run(jobs, task.advance)

    def _readings(self) -> list[Reading]:
        plan = self._plan
        parts = [
            (number, part) for number, source in enumerate(plan.sources) for part in source.corpus.parts()
        ]
        size = sum(part.size for _, part in parts)
        buckets = min(_MOST_BUCKETS, 1 << max(0, math.ceil(math.log2(max(1, size / _BUCKET)))))
        return [
            Reading(
                source=number,
                corpus=plan.sources[number].corpus,
                part=part,
                seed=plan.seed,
                buckets=buckets,
                clean=plan.clean,
                screen=plan.sources[number].screen,
                task=plan.sources[number].task,
                output=self._read / f"read-{place:05}",
            )
            for place, (number, part) in enumerate(parts)
        ]

    def _refuse_empty(self, readings: Sequence[Reading], read: Sequence[Result]) -> None:
        for number, name in enumerate(self._plan.names):
            mine = [
                (reading, result)
                for reading, result in zip(readings, read, strict=True)
                if reading.source == number
            ]
            if any(result["kept"] for _, result in mine):
                continue
            failed, rejected = (sum(result[key] for _, result in mine) for key in ("failed", "rejected"))
            said = f"; {failed:,} could not be read" if failed else ""
            said += f"; {rejected:,} were rejected" if rejected else ""
            parts = [reading for reading, _ in mine]
            hint = listing.first_loss(parts, listing.lines_before(parts, [result for _, result in mine]))
            raise StageError(f"the source {name!r} has no rows{said}", hint=hint)

    def _uniques(self, readings: Sequence[Reading]) -> list[Unique]:
        inputs = tuple(each.output.with_suffix(".arrow") for each in readings)
        buckets = readings[0].buckets
        return [
            Unique(inputs, number, buckets, self._plan.names, self._plan.banding, self._read)
            for number in range(buckets)
        ]

    def _alike(self, uniques: Sequence[Unique]) -> dict[str, Clusters]:
        """Return the clusters of rows that are alike, by the kind of likeness."""
        plan, found = self._plan, {}
        alike = Alike(self._do, self._read, uniques)
        if plan.banding is not None:
            found[NEAR] = alike.by_words(plan.banding, plan.threshold)
        if plan.semantic is not None:
            found[SEMANTIC] = alike.by_meaning(plan.semantic)
        return found

    def _removed(self, alike: dict[str, Clusters], index: Index) -> dict[str, Mask]:
        """Return for each kind of likeness which rows it removes; a row is removed once."""
        found: dict[str, Mask] = {}
        for kind, clusters in alike.items():
            if kind == NEAR and not self._plan.remove_near:
                continue
            rows = np.isin(index.id, clusters.removed)
            for earlier in found.values():
                rows &= ~earlier
            found[kind] = rows
        return found

    def _tally(self, alike: dict[str, Clusters], removed: dict[str, Ids], steps: Tally) -> None:
        reasons = {NEAR: f"Jaccard similarity of {self._plan.threshold:g} or more"}
        if self._plan.semantic:
            reasons[SEMANTIC] = f"cosine similarity of {self._plan.semantic.threshold:g} or more"
        for row in self._alike_rows(alike, removed):
            kind = row["filter"]
            example = {name: row[name] for name in ("source", "kept", "score")}
            steps.add(kind, reasons[kind], row["id"], example)

    def _alike_rows(self, alike: dict[str, Clusters], removed: dict[str, Ids]) -> Iterator[dict[str, Any]]:
        """Yield every row that is removed for its likeness, once."""
        for kind, ids in removed.items():
            gone = set(ids.tolist())
            for row in listing.removed(alike[kind].clusters, kind, self._plan.names):
                if int(row["id"], 16) in gone:
                    yield row

    def _sides(self, index: Index, copies: npt.NDArray[np.uint16]) -> Mask:
        drawn = copies > 0
        sides = np.zeros(len(copies), bool)
        fraction = self._plan.validation_fraction
        sides[drawn] = held_out(index.group[drawn], index.source[drawn], fraction, self._plan.seed)
        return sides

    def _list(
        self,
        readings: Sequence[Reading],
        before: Sequence[int],
        uniques: Sequence[Unique],
        alike: dict[str, Clusters],
        removed: dict[str, Ids],
    ) -> None:
        """Write down what is not in the mixture, and why."""
        names, outputs = self._plan.names, self._outputs

        def rejected() -> Iterator[dict[str, Any]]:
            yield from listing.lost(readings, before, "rejected")
            yield from listing.rejected(each.file("duplicates") for each in uniques)
            yield from self._alike_rows(alike, removed)

        listing.write_fresh(outputs.failures, listing.lost(readings, before, "failures"))
        listing.write_fresh(outputs.rejected, rejected())
        if alike:
            rows = (
                row for kind, each in alike.items() for row in listing.described(each.clusters, kind, names)
            )
            listing.write_fresh(outputs.clusters, rows)

    def _write(
        self, uniques: Sequence[Unique], index: Index, copies: npt.NDArray[np.uint16], sides: Mask
    ) -> None:
        sizes = np.where(sides, np.minimum(copies, 1), copies) * index.size.astype(np.int64)
        shards = {
            "train": max(1, math.ceil(int(sizes[~sides].sum()) / _SHARD)),
            "validation": max(1, math.ceil(int(sizes[sides].sum()) / _SHARD)),
        }
        self._work.mkdir(parents=True, exist_ok=True)
        orderings = []
        start = 0
        for each, rows in zip(uniques, index.buckets, strict=True):
            chosen = self._work / f"chosen-{each.number:05}.npz"
            with atomic_write(chosen) as file:
                np.savez(file, copies=copies[start : start + rows], held_out=sides[start : start + rows])
            start += rows
            output = self._work / f"ordered-{each.number:05}.arrow"
            orderings.append(
                Ordering(
                    each.file("rows"), chosen, self._plan.seed, shards["train"], shards["validation"], output
                )
            )
        self._run(self._work, "shuffling", order_rows, [(each.output.stem, (each,)) for each in orderings])
        inputs = tuple(each.output for each in orderings)
        origins = tuple(source.corpus.origin for source in self._plan.sources)
        jobs: dict[str, list[Shard]] = {side: [] for side in shards}
        for side, first in (("train", 0), ("validation", shards["train"])):
            directory = self._outputs.directory / side
            directory.mkdir(parents=True, exist_ok=True)
            for number in range(shards[side]):
                for kind in self._plan.formats:
                    path = directory / f"{number:05}.{kind}"
                    jobs[side].append(
                        Shard(inputs, first + number, sum(shards.values()), origins, kind, path)
                    )
        calls = [(f"{side}-{job.output.name}", (job,)) for side, mine in jobs.items() for job in mine]
        written = dict(
            zip(
                (name for name, _ in calls), self._run(self._work, "writing", write_shard, calls), strict=True
            )
        )
        for side, mine in jobs.items():
            entries = [
                written[f"{side}-{job.output.name}"] for job in mine if job.format == self._plan.formats[0]
            ]
            _write_index(self._outputs.directory / side, entries)


def _write_index(directory: Path, entries: Sequence[Result]) -> None:
    index = {"version": 1, "rows": sum(entry["rows"] for entry in entries), "shards": list(entries)}
    with atomic_write(directory / INDEX) as file:
        file.write(orjson.dumps(index, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))

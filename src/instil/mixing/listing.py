"""What is not in a mixture and why, written down row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from instil.data.jsonl import JsonlWriter, read_jsonl
from instil.mixing.clusters import Cluster
from instil.mixing.reading import Reading
from instil.mixing.work import Result


def beside(reading: Reading, kind: str) -> Path:
    """Return the file of `failures` or `rejected` rows of a part."""
    return reading.output.with_name(f"{reading.output.name}.{kind}.jsonl")


def write_fresh(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows to a file; what a run that was cut off has left of it goes."""
    path.unlink(missing_ok=True)
    with JsonlWriter(path) as writer:
        for row in rows:
            writer.append(row)


def lines_before(readings: Sequence[Reading], read: Sequence[Result]) -> list[int]:
    """Return for each part how many lines of its file other parts have before it."""
    seen: dict[Path, int] = {}
    found = []
    for reading, result in zip(readings, read, strict=True):
        found.append(seen.get(reading.part.path, 0))
        seen[reading.part.path] = found[-1] + result["lines"]
    return found


def lost(readings: Sequence[Reading], before: Sequence[int], kind: str) -> Iterator[dict[str, Any]]:
    """Yield the `failures` or `rejected` rows of parts, with lines counted from the beginning of files."""
    for reading, lines in zip(readings, before, strict=True):
        for _, row in read_jsonl(beside(reading, kind)):
            yield placed(row, "place", lines)


def steps_of(result: Result, lines: int) -> dict[str, Any]:
    """Return the tally of a part, whose examples name lines counted from the beginning of the file."""
    return {
        step: {
            reason: {**found, "examples": [placed(each, "id", lines) for each in found["examples"]]}
            for reason, found in reasons.items()
        }
        for step, reasons in result["steps"].items()
    }


def placed(row: Mapping[str, Any], key: str, lines: int) -> dict[str, Any]:
    """Return a row whose place says its line, if it has one, after that many lines of earlier parts."""
    rest = {name: value for name, value in row.items() if name != "line"}
    return {**rest, key: f"{row[key]}:line {row['line'] + lines}"} if "line" in row else rest


def rejected(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield what steps rejected."""
    return (row for path in paths for _, row in read_jsonl(path))


def removed(clusters: Sequence[Cluster], kind: str, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows that are not representative of their cluster."""
    for cluster in clusters:
        for member, source, similarity in zip(
            cluster.members, cluster.sources, cluster.similarities, strict=True
        ):
            yield {
                "source": names[source],
                "id": f"{member:016x}",
                "filter": kind,
                "kept": f"{cluster.representative:016x}",
                "score": round(similarity, 4),
            }


def described(clusters: Sequence[Cluster], kind: str, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield clusters as they are written down: the representative, why it is, and the others."""
    for cluster in clusters:
        others = zip(cluster.members, cluster.sources, cluster.similarities, strict=True)
        yield {
            "kind": kind,
            "representative": f"{cluster.representative:016x}",
            "why": f"the longest of {len(cluster.members) + 1}",
            "members": [
                {"id": f"{member:016x}", "source": names[source], "similarity": round(similarity, 4)}
                for member, source, similarity in others
            ],
        }


def first_loss(readings: Sequence[Reading], before: Sequence[int]) -> str:
    """Return what became of the first row of a source that has no rows, in words."""
    for row in lost(readings, before, "failures"):
        return f"the first: {row['place']}: {row['reason']}"
    for row in lost(readings, before, "rejected"):
        reason = f": {row['reason']}" if "reason" in row else ""
        return f"the first: {row.get('place') or row['id']}: {row['filter']}{reason}"
    return "its files hold no record"

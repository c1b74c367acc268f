"""Everything that a report shows, read from a run's directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from instil.data.jsonl import read_jsonl
from instil.data.text import with_error
from instil.models.card import read_card
from instil.pipeline import STAGES
from instil.report.grid import Grid, read_grids
from instil.stages.base import REJECTED_FILE
from instil.stages.evaluate import SCORES_FILE, TRANSCRIPTS_FILE
from instil.store.lineage import Link, lineage

_EXAMPLES_PER_REASON = 2


@dataclass(frozen=True)
class Comparison:
    """One metric of one benchmark for every model, on the same rows."""

    benchmark: str
    metric: str
    rows: int
    values: dict[str, str]
    """By model: value ± standard error."""


@dataclass(frozen=True)
class Answers:
    """One question and what every model answered."""

    question: str
    expect: tuple[str, ...]
    answers: dict[str, tuple[str, bool]]
    """By model: the answer, and whether it was right."""


@dataclass(frozen=True)
class Facts:
    """A finished run."""

    name: str
    links: tuple[Link, ...]
    notice: str | None
    comparisons: tuple[Comparison, ...]
    subjects: tuple[str, ...]
    answers: tuple[Answers, ...]
    curve: tuple[dict[str, Any], ...]
    """Rows of metrics.jsonl that have a validation loss; about a dozen of them."""
    rejected: tuple[tuple[str, str], ...]
    """Reason and text of some rejected rows."""
    grids: tuple[Grid, ...]
    """What the generated examples cover."""


def gather(run: Path) -> Facts:
    """Return what there is to say about a run.

    Raises:
        RequestError: the directory is not a run.
    """
    links = lineage(run, [stage.name for stage in STAGES])
    scores = _json(run / "evaluate" / SCORES_FILE)
    metrics = [row for _, row in read_jsonl(run / "train" / "metrics.jsonl")]
    return Facts(
        name=run.resolve().name,
        links=links,
        notice=read_card(run / "train" / "model").get("notice"),
        comparisons=_comparisons(scores),
        subjects=tuple(dict.fromkeys(score["subject"] for score in scores)),
        answers=_answers(run / "evaluate" / TRANSCRIPTS_FILE),
        curve=_thinned([row for row in metrics if "validation_loss" in row]),
        rejected=tuple(_rejected(run)),
        grids=read_grids(run),
    )


def _thinned(rows: list[dict[str, Any]], most: int = 12) -> tuple[dict[str, Any], ...]:
    """Return rows at even distances, the last one among them."""
    every = -(-len(rows) // most) or 1
    return tuple(rows[::-every][::-1])


def _json(path: Path) -> list[dict[str, Any]]:
    return list(orjson.loads(path.read_bytes())) if path.exists() else []


def _comparisons(scores: list[dict[str, Any]]) -> tuple[Comparison, ...]:
    found: dict[tuple[str, str], Comparison] = {}
    for score in scores:
        key = (score["benchmark"], score["metric"])
        row = found.setdefault(key, Comparison(*key, rows=score["n"], values={}))
        row.values[score["subject"]] = with_error(score["value"], score["stderr"])
    return tuple(found.values())


def _answers(path: Path) -> tuple[Answers, ...]:
    found: dict[tuple[str, str], Answers] = {}
    for _, row in read_jsonl(path):
        key = (row["benchmark"], row["question"])
        entry = found.setdefault(key, Answers(row["question"], tuple(row["expect"]), {}))
        entry.answers[row["subject"]] = (row["answer"], row["right"])
    return tuple(found.values())


def _rejected(run: Path) -> list[tuple[str, str]]:
    shown: dict[str, int] = {}
    found = []
    for stage in ("generate", "curate"):
        for _, row in read_jsonl(run / stage / REJECTED_FILE):
            reason = f"{row['filter']}: {row['reason']}"
            shown[reason] = shown.get(reason, 0) + 1
            if shown[reason] <= _EXAMPLES_PER_REASON:
                example = row.get("example")
                text = example["messages"][0]["content"] if example else row.get("text", "")
                near = f"  (near: {row['nearest']})" if row.get("nearest") else ""
                found.append((reason, f"{text[:300]}{near}"))
    return found

"""Sources at chosen ratios to a training and a validation file.

Which rows are drawn, which are held out and in which order they stand depends on the seed and on
each row's content, never on the order of the sources, of the files or of the rows in them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from instil.config.base import Config, Items
from instil.corpora import CorpusConfig, GeneratedConfig
from instil.corpora.base import Failure, SourceConfigBase
from instil.data.examples import Counts, Example
from instil.data.fingerprint import canonical_json, fingerprint
from instil.data.jsonl import read_jsonl, write_jsonl
from instil.data.random import rank
from instil.errors import StageError
from instil.stages.base import (
    EXAMPLES_FILE,
    FAILURES_FILE,
    KEPT_FILE,
    REJECTED_FILE,
    TRAIN_FILE,
    VALIDATION_FILE,
    Context,
    Result,
    Stage,
)


class MixConfig(Config):
    """Sources, their weights, and how much is held out."""

    corpora: Annotated[tuple[CorpusConfig, ...], Items] = Field(min_length=1)
    """The sources."""
    num_examples: int | None = Field(default=None, gt=0)
    """Rows in all; by default as many as the weights allow without using up any source's epochs."""
    validation_fraction: float = Field(default=0.05, ge=0, lt=1)
    """Share of the questions that is held out; no question is on both sides."""

    @field_validator("corpora")
    @classmethod
    def _names_differ(cls, corpora: Sequence[SourceConfigBase]) -> Sequence[SourceConfigBase]:
        twice = [name for name, count in Counter(corpus.name for corpus in corpora).items() if count > 1]
        if twice:
            raise ValueError(f"two sources are called {twice[0]!r}; give each a name of its own")
        return corpora


@dataclass
class Source:
    """What was read from one corpus."""

    config: SourceConfigBase
    examples: dict[str, Example] = field(default_factory=dict)
    """Different rows by id."""
    duplicates: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def capacity(self) -> int:
        """Rows that it can give at most."""
        return int(len(self.examples) * self.config.max_epochs)


def allot(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """Return whole numbers in proportion to `weights` that sum to `total`.

    Largest remainder method: each is within one of its exact share; ties go by name.
    """
    return _allot(_parts(weights), total)


def _parts(weights: Mapping[str, float]) -> dict[str, int]:
    # Whole numbers in the ratio of the weights as they are written. A sum of floats depends on their
    # order, and would let the order of the sources decide who gets the last row.
    exact = {name: Fraction(str(weight)) for name, weight in weights.items()}
    scale = math.lcm(*(weight.denominator for weight in exact.values()))
    return {name: int(weight * scale) for name, weight in exact.items()}


def _allot(parts: Mapping[str, int], total: int) -> dict[str, int]:
    whole = sum(parts.values())
    counts = {name: total * part // whole for name, part in parts.items()}
    by_remainder = sorted(parts, key=lambda name: (-(total * parts[name] % whole), name))
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def largest_total(weights: Mapping[str, float], capacities: Mapping[str, int]) -> int:
    """Return the most rows for which `allot` asks no source for more than its capacity."""
    parts = _parts(weights)
    # A source is asked for its share rounded down at least; nothing fits above this bound.
    bound = min((capacities[name] + 1) * sum(parts.values()) // part for name, part in parts.items())
    for candidate in range(bound, 0, -1):
        if all(count <= capacities[name] for name, count in _allot(parts, candidate).items()):
            return candidate
    return 0


def draw(examples: Mapping[str, Example], count: int, seed: int, name: str) -> list[tuple[str, int]]:
    """Return `(id, epoch)` of `count` rows: all of them once before any again."""
    order = sorted(examples, key=lambda each: (rank(seed, "draw", name, each), each))
    return [(order[index % len(order)], index // len(order)) for index in range(count)]


def _run(config: MixConfig, context: Context) -> Result:
    sources = [_read(corpus, context) for corpus in config.corpora]
    drop_shared(sources)
    wanted = _wanted(config, sources)
    rows: list[tuple[int, Example]] = []
    table: dict[str, dict[str, Any]] = {}
    for source in sources:
        name = source.config.name
        drawn = draw(source.examples, wanted[name], context.seed, name)
        rows += [
            (rank(context.seed, "order", name, key, epoch), source.examples[key]) for key, epoch in drawn
        ]
        table[name] = _row(source, wanted[name], len({key for key, _ in drawn}))
    rows.sort(key=lambda row: (row[0], row[1].id))
    train, validation = _split([example for _, example in rows], config.validation_fraction, context.seed)
    if not train:
        raise StageError(
            "the mixture has no training row", hint="raise num_examples or lower validation_fraction"
        )
    write_jsonl(context.work / TRAIN_FILE, (example.row() for example in train))
    write_jsonl(context.work / VALIDATION_FILE, (example.row() for example in validation))
    failures = [failure.row() for source in sources for failure in source.failures]
    write_jsonl(context.work / FAILURES_FILE, failures)
    duplicates = [
        {"source": source.config.name, "id": key, "filter": "duplicate"}
        for source in sources
        for key in source.duplicates
    ]
    write_jsonl(context.work / REJECTED_FILE, duplicates)
    details = {"sources": table, "train": len(train), "validation": len(validation), "rows": len(rows)}
    return Result(_counts(table), details)


def _read(corpus: CorpusConfig, context: Context) -> Source:
    source = Source(corpus)
    with context.progress.task(f"reading {corpus.name}", total=None, unit="rows") as task:
        for each in _generated(context) if isinstance(corpus, GeneratedConfig) else corpus.read():
            task.advance()
            if isinstance(each, Failure):
                source.failures.append(each)
            elif each.id in source.examples:
                source.duplicates.append(each.id)
                # Which of the two stays must not depend on which came first.
                source.examples[each.id] = min(source.examples[each.id], each, key=_text)
            else:
                source.examples[each.id] = each
    if not source.examples:
        failed = f"; {len(source.failures)} could not be read" if source.failures else ""
        first = f"the first: {source.failures[0].place}: {source.failures[0].reason}" if failed else None
        raise StageError(f"the source {corpus.name!r} has no rows{failed}", hint=first)
    return source


def drop_shared(sources: Iterable[Source]) -> None:
    """Keep a conversation that several sources hold only in the first of them by name.

    The order in which the recipe lists the sources does not matter.

    Raises:
        StageError: nothing of a source is left.
    """
    seen: set[str] = set()
    for source in sorted(sources, key=lambda each: each.config.name):
        shared = [key for key in source.examples if key in seen]
        for key in shared:
            del source.examples[key]
        source.duplicates += shared
        if not source.examples:
            raise StageError(
                f"every row of the source {source.config.name!r} is in another source too", hint="remove it"
            )
        seen |= source.examples.keys()


def _text(example: Example) -> str:
    return canonical_json(example.row())


def _generated(context: Context) -> Iterable[Example]:
    path: Path = (
        context.inputs["curate"] / KEPT_FILE
        if "curate" in context.inputs
        else context.inputs["generate"] / EXAMPLES_FILE
    )
    return (Example.model_validate(row) for _, row in read_jsonl(path))


def _wanted(config: MixConfig, sources: Sequence[Source]) -> dict[str, int]:
    """Return the rows of each source.

    Raises:
        StageError: a source cannot give its share.
    """
    weights = {source.config.name: source.config.weight for source in sources}
    capacities = {source.config.name: source.capacity for source in sources}
    most = largest_total(weights, capacities)
    if config.num_examples is None:
        return allot(weights, most)
    wanted = allot(weights, config.num_examples)
    short = [
        f"{name} has {capacities[name]:,} rows to give and {count:,} are asked for"
        for name, count in wanted.items()
        if count > capacities[name]
    ]
    if short:
        raise StageError(
            f"the mixture cannot be met: {'; '.join(short)}",
            hint=f"set mix.num_examples to at most {most:,}, lower the weight, or raise max_epochs",
        )
    return wanted


def _split(rows: Sequence[Example], fraction: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Hold out whole questions, so that a repeated or reworded answer never straddles."""
    questions = {_question(example) for example in rows}
    held_out = sorted(questions, key=lambda each: (rank(seed, "split", each), each))
    chosen = set(held_out[: round(len(questions) * fraction)])
    train = [example for example in rows if _question(example) not in chosen]
    # A row that is repeated for training counts once in the measurement.
    validation = {example.id: example for example in rows if _question(example) in chosen}
    return train, list(validation.values())


def _question(example: Example) -> str:
    return fingerprint(example.conversation.instruction)


def _row(source: Source, drawn: int, different: int) -> dict[str, Any]:
    return {
        "weight": source.config.weight,
        "license": getattr(source.config, "license", None),
        "read": len(source.examples) + len(source.duplicates) + len(source.failures),
        "failed": len(source.failures),
        "duplicates": len(source.duplicates),
        "different": len(source.examples),
        "drawn": drawn,
        "drawn_different": different,
    }


def _counts(table: Mapping[str, Mapping[str, Any]]) -> Counts:
    duplicates = sum(row["duplicates"] for row in table.values())
    failed = sum(row["failed"] for row in table.values())
    unused = sum(row["different"] - row["drawn_different"] for row in table.values())
    reasons = {"duplicate": duplicates, "not drawn: over its share": unused, "unreadable record": failed}
    return Counts(
        asked=sum(row["read"] for row in table.values()),
        kept=sum(row["drawn_different"] for row in table.values()),
        rejected=duplicates + unused,
        failed=failed,
        reasons={reason: count for reason, count in reasons.items() if count},
    )


MIX = Stage[MixConfig](name="mix", version=1, reads=(("curate", "generate"),), run=_run)

"""A finished run with known rows and times, as the pipeline leaves one behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson

from instil.corpora.row_files import open_rows
from instil.data.examples import Counts, Example, Label, Origin
from instil.data.fingerprint import file_sha256
from instil.data.jsonl import write_jsonl
from instil.data.messages import Message, Role
from instil.data.shards import INDEX
from instil.store.manifest import Manifest, record_files, write_manifest

RECIPE = "name: clinic\nseed: 17\nmix:\n  corpora: []\n"

ALPACA = Origin(kind="corpus", name="alpaca", license="CC-BY-NC-4.0")
HUATUO = Origin(kind="corpus", name="huatuo", license="Apache-2.0")
TEACHER = Origin(kind="teacher", name="teacher-large", request="3f2a", attributes={"language": "zh"})


def example(
    *said: str, origin: Origin = HUATUO, system: str | None = None, label: Label | None = None
) -> Example:
    """Return a conversation in which user and assistant take turns."""
    roles: Sequence[Role] = ("user", "assistant")
    turns = [Message(role=roles[at % 2], content=text) for at, text in enumerate(said)]
    lead = [] if system is None else [Message(role="system", content=system)]
    return Example(messages=(*lead, *turns), origin=origin, label=label)


def rows(count: int = 12) -> list[Example]:
    """Return single questions in two languages from three origins."""
    texts = (
        ("Where do I go with a cough?", "Please see Respiratory Medicine."),
        ("咳嗽看哪个科？", "建议挂呼吸内科。"),
    )
    origins = (ALPACA, HUATUO, TEACHER)
    return [
        example(f"{texts[at % 2][0]} {at}", texts[at % 2][1], origin=origins[at % 3]) for at in range(count)
    ]


def write_shards(directory: Path, examples: Iterable[Example]) -> None:
    """Write rows as `mix` does: Parquet with an index."""
    directory.mkdir(parents=True)
    path = directory / "00000.parquet"
    count = 0
    with open_rows(path, "messages") as file:
        for each in examples:
            file.write(each.row())
            count += 1
    shard = {"file": path.name, "rows": count, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
    (directory / INDEX).write_bytes(orjson.dumps({"version": 1, "rows": count, "shards": [shard]}))


def finish(directory: Path, counts: Counts) -> None:
    """Write the manifest of a stage."""
    manifest = Manifest(
        stage=directory.name,
        identity={"stage": directory.name},
        files=record_files(directory),
        counts=counts,
        seconds=1.5,
        finished_at="2026-01-02T03:04:05+00:00",
        instil_version="0.1.0",
        commit="abc1234",
    )
    write_manifest(directory, manifest)


def mixed_run(directory: Path, train: Sequence[Example], validation: Sequence[Example] = ()) -> Path:
    """Write a run whose last rows are a mixture."""
    run = directory / "runs" / "clinic"
    write_shards(run / "mix" / "train", train)
    write_shards(run / "mix" / "validation", validation)
    kept = len(train) + len(validation)
    reasons = {"duplicate": 3, "unreadable record": 1}
    finish(run / "mix", Counts(asked=kept + 4, kept=kept, rejected=3, failed=1, reasons=reasons))
    (run / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    return run


def generated_stage(run: Path, stage: str, file: str, examples: Sequence[Example]) -> None:
    """Write the directory of a stage whose rows are JSON Lines."""
    write_jsonl(run / stage / file, (each.row() for each in examples))
    finish(run / stage, Counts(asked=len(examples), kept=len(examples)))

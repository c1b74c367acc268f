"""The trained model beside what it started from, on the same items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, field_validator

from instil.config.base import Config, InputPath, Items
from instil.data.examples import Counts
from instil.data.jsonl import write_jsonl
from instil.evals import BenchmarkConfig
from instil.evals.base import BenchmarkConfigBase, Score, Subjects
from instil.stages.base import TRAIN_ROWS, VALIDATION_ROWS, Context, Result, Stage
from instil.store.atomic import atomic_write

SCORES_FILE, TRANSCRIPTS_FILE = "scores.json", "transcripts.jsonl"


class EvaluateConfig(Config):
    """Benchmarks, and what the student is compared with."""

    benchmarks: Annotated[tuple[BenchmarkConfig, ...], Items] = Field(min_length=1)
    """What is measured."""
    baseline: Literal["base_model", "none"] = "base_model"
    """Measure what the student started from too."""
    model: InputPath | None = None
    """A model directory to measure, where the recipe does not train."""

    @field_validator("benchmarks")
    @classmethod
    def _names_differ(cls, benchmarks: Sequence[BenchmarkConfigBase]) -> Sequence[BenchmarkConfigBase]:
        names = [benchmark.name for benchmark in benchmarks]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"two benchmarks are called {twice!r}; give each a name of its own")
        return benchmarks


def _run(config: EvaluateConfig, context: Context) -> Result:
    from instil.engines.transformers import TransformersEngine
    from instil.models.load import open_untrained

    path = config.model or context.inputs["train"] / "model"
    tuned = TransformersEngine.open(str(path))
    engines = {"tuned": tuned}
    if config.baseline == "base_model":
        engines = {"base": TransformersEngine(open_untrained(str(path))), **engines}
    subjects = Subjects(engines, _mixed(context, TRAIN_ROWS), _mixed(context, VALIDATION_ROWS))
    scores: list[Score] = []
    transcripts: list[dict[str, Any]] = []
    items = 0
    left_out: Counter[str] = Counter()
    with context.progress.task("measuring", total=len(config.benchmarks), unit="benchmarks") as task:
        for benchmark in config.benchmarks:
            report = benchmark.measure(subjects)
            scores += report.scores
            transcripts += report.transcripts
            items += report.items
            left_out.update(
                {f"{benchmark.name}: {why}": count for why, count in report.left_out.items() if count}
            )
            task.advance(1, benchmark.name)
    rows = [score.model_dump(mode="json") for score in scores]
    with atomic_write(context.work / SCORES_FILE) as file:
        file.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    write_jsonl(context.work / TRANSCRIPTS_FILE, transcripts)
    rejected = left_out.total()
    counts = Counts(
        asked=items + rejected, kept=items, rejected=rejected, reasons=dict(sorted(left_out.items()))
    )
    return Result(counts, {"scores": len(scores), "subjects": list(engines)})


def _mixed(context: Context, name: str) -> Path | None:
    return context.inputs["mix"] / name if "mix" in context.inputs else None


EVALUATE = Stage[EvaluateConfig](name="evaluate", version=1, reads=(("train",), ("mix",)), run=_run)

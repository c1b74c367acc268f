"""Sources at chosen ratios to a training and a validation set.

Which rows are drawn, which are held out and in which order they stand depends on the seed and on
each row's content, never on the order of the sources, of the files or of the rows in them, or on how many
workers did it. The work is in `instil.mixing`.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from instil.config.base import Config, InputPath, Items, RuntimeOnly
from instil.corpora import CorpusConfig, GeneratedConfig
from instil.corpora.base import CorpusConfigBase, SourceConfigBase
from instil.corpora.files import FilesConfig
from instil.data.examples import Counts
from instil.data.fingerprint import file_sha256, fingerprint
from instil.errors import RecipeError, RequestError
from instil.filters import FilterConfig
from instil.mixing.config import (
    CleanConfig,
    DecontaminateConfig,
    NearDuplicatesConfig,
    QuotasConfig,
    SemanticDuplicatesConfig,
)
from instil.stages.base import EXAMPLES_FILE, FAILURES_FILE, KEPT_FILE, REJECTED_FILE, Context, Result, Stage

if TYPE_CHECKING:
    from instil.mixing.mixture import Mixing
    from instil.mixing.plan import Mixed, Plan

CLUSTERS_FILE = "near_duplicates.jsonl"
_SHARDS = "shards"
_READ = ".work/mix-read"
"""Directory of a run for what was read and compared: other weights, totals or quotas need it just so."""
_NOT_READING = ("num_examples", "num_tokens", "temperature", "quotas", "validation_fraction", "output")
_ONE_PROCESS = 16 << 20  # bytes up to which starting more processes takes longer than the work
_ORDERED_FILTERS = ("grounded", "judged", "rouge_l")


class MixConfig(Config):
    """Sources, their weights, what is cleaned and removed, and how much is held out."""

    corpora: Annotated[tuple[CorpusConfig, ...], Items] = Field(min_length=1)
    """The sources."""
    num_examples: int | None = Field(default=None, gt=0)
    """Rows in all; by default as many as the weights allow without using up any source's epochs."""
    num_tokens: int | None = Field(default=None, gt=0)
    """Tokens in all, instead of rows; the weights are shares of tokens then."""
    tokenizer: InputPath | None = None
    """A `tokenizer.json`, or a directory that has one: the base model's. Needed to count tokens."""
    min_tokens: int | None = Field(default=None, gt=0)
    """Rows with fewer tokens of text are rejected."""
    max_tokens: int | None = Field(default=None, gt=0)
    """Rows with more tokens of text are rejected."""
    temperature: float | None = Field(default=None, gt=0)
    """Multiplies the weights by size^(1/temperature): 1 draws in proportion to the sizes, more evens out."""
    quotas: QuotasConfig = QuotasConfig()
    """Shares by language and by task."""
    clean: CleanConfig = CleanConfig()
    """How texts are mended."""
    filters: Annotated[tuple[FilterConfig, ...], Items] = ()
    """Rows that a filter says no to are rejected; the same filters as in `curate`."""
    near_duplicates: NearDuplicatesConfig = NearDuplicatesConfig()
    """What becomes of rows that are almost the same; equal conversations are always one row."""
    semantic_duplicates: SemanticDuplicatesConfig | None = None
    """Whether rows that say the same in other words are removed."""
    decontaminate: DecontaminateConfig | None = DecontaminateConfig()
    """Whether rows that share text with an evaluation set are removed."""
    against: Annotated[tuple[InputPath, ...], Items] = ()
    """Evaluation sets besides those of `evaluate`, which always count: files or directories of rows."""
    validation_fraction: float = Field(default=0.05, ge=0, lt=1)
    """Share of the questions that is held out; no question is on both sides."""
    output: Literal["parquet", "jsonl", "both"] = "parquet"
    """What the shards are; Parquet takes a fifth of the room."""
    workers: Annotated[int | None, RuntimeOnly] = Field(default=None, gt=0)
    """Processes; by default one for each processor. Speed only."""
    cluster: Annotated[str | None, RuntimeOnly] = None
    """A Ray cluster that does the work (`ray://host:10001`, `auto`, or `local` for one on this machine). The
    run and the corpora must lie where all its machines see them. Speed only."""

    @field_validator("corpora")
    @classmethod
    def _names_differ(cls, corpora: Sequence[SourceConfigBase]) -> Sequence[SourceConfigBase]:
        twice = [name for name, count in Counter(corpus.name for corpus in corpora).items() if count > 1]
        if twice:
            raise ValueError(f"two sources are called {twice[0]!r}; give each a name of its own")
        return corpora

    @field_validator("filters")
    @classmethod
    def _need_no_order(cls, filters: Sequence[Any]) -> Sequence[Any]:
        for each in filters:
            if each.kind in _ORDERED_FILTERS:
                raise ValueError(
                    f"{each.kind} looks at more than one row, so that it belongs into `curate`; here "
                    "near_duplicates compares rows"
                )
        return filters

    @model_validator(mode="after")
    def _fits_together(self) -> MixConfig:
        if self.num_examples and self.num_tokens:
            raise ValueError("num_examples and num_tokens are both given; remove one")
        counted = [name for name in ("num_tokens", "min_tokens", "max_tokens") if getattr(self, name)]
        if counted and self.tokenizer is None:
            raise ValueError(f"{counted[0]} needs `tokenizer`, whose tokens are counted")
        if (self.quotas.languages or self.quotas.tasks) and not (self.num_examples or self.num_tokens):
            raise ValueError("quotas are shares of a total; give num_examples or num_tokens")
        return self


def _run(config: MixConfig, context: Context) -> Result:
    mixed = open_mixing(config, context).run()
    shutil.rmtree(context.work / _SHARDS)
    shutil.rmtree(context.shared / _READ)
    return Result(_counts(mixed), details(config, mixed))


def open_mixing(config: MixConfig, context: Context) -> Mixing:
    """Return the mixture of a recipe, ready to run in the stage's directory.

    Raises:
        StageError: a source has no file that can be read.
        RecipeError: the tokenizer is no tokenizer.
    """
    from instil.mixing.mixture import Mixing
    from instil.mixing.plan import Outputs
    from instil.mixing.work import Workers, default_workers

    plan = _plan(config, context)
    size = sum(part.size for source in plan.sources for part in source.corpus.parts())
    count = config.workers or (default_workers() if size > _ONE_PROCESS else 1)
    outputs = Outputs(
        context.work,
        context.work / FAILURES_FILE,
        context.work / REJECTED_FILE,
        context.work / CLUSTERS_FILE,
    )
    workers = Workers(count, config.cluster)
    return Mixing(
        plan,
        _read_directory(config, plan, context),
        context.work / _SHARDS,
        outputs,
        workers,
        context.progress,
    )


def _read_directory(config: MixConfig, plan: Plan, context: Context) -> Path:
    """Return the directory for what is read; what was read for other sources goes."""
    identity = {name: value for name, value in config.identity().items() if name not in _NOT_READING}
    identity["corpora"] = [
        {name: value for name, value in corpus.identity().items() if name not in ("weight", "max_epochs")}
        for corpus in sorted(config.corpora, key=lambda each: each.name)
    ]
    generated = (
        _generated(context) if any(isinstance(each, GeneratedConfig) for each in config.corpora) else None
    )
    more = {
        "version": MIX.version,
        "seed": context.seed,
        "near": plan.banding is not None,
        "languages": sorted(config.quotas.languages or ()),
        "generated": None if generated is None else file_sha256(generated),
    }
    directory = context.shared / _READ
    mine = directory / fingerprint([identity, more])
    for other in directory.glob("*"):
        if other != mine:
            shutil.rmtree(other)
    return mine


def _plan(config: MixConfig, context: Context) -> Plan:
    from instil.mixing.banding import banding_for
    from instil.mixing.plan import Plan, Source
    from instil.mixing.screening import Screen
    from instil.mixing.selection import Wish

    corpora = sorted((_opened(corpus, context) for corpus in config.corpora), key=lambda each: each.name)
    tokenizer = None if config.tokenizer is None else _tokenizer(config.tokenizer)
    sources = tuple(
        Source(
            corpus,
            Screen(
                filters=config.filters,
                tokenizer=tokenizer,
                min_tokens=config.min_tokens,
                max_tokens=config.max_tokens,
                languages=tuple(sorted(config.quotas.languages or ())),
                language=corpus.language,
                against=config.against if config.decontaminate else (),
                decontaminate=config.decontaminate or DecontaminateConfig(),
            ),
            corpus.task_type or "",
        )
        for corpus in corpora
    )
    near = config.near_duplicates
    needed = near.action == "remove" or (near.action == "keep_together" and config.validation_fraction > 0)
    return Plan(
        sources=sources,
        wish=Wish(
            names=tuple(corpus.name for corpus in corpora),
            weights={corpus.name: corpus.weight for corpus in corpora},
            max_epochs={corpus.name: corpus.max_epochs for corpus in corpora},
            total=config.num_tokens or config.num_examples,
            by_tokens=config.num_tokens is not None,
            temperature=config.temperature,
            languages=config.quotas.languages,
            tasks=config.quotas.tasks,
        ),
        seed=context.seed,
        clean=config.clean,
        validation_fraction=config.validation_fraction,
        banding=banding_for(near) if needed else None,
        threshold=near.threshold,
        remove_near=near.action == "remove",
        semantic=config.semantic_duplicates,
        formats=("parquet", "jsonl") if config.output == "both" else (config.output,),
    )


def _opened(corpus: SourceConfigBase, context: Context) -> CorpusConfigBase:
    """Return a source that can be read: the rows that this run generated are files too."""
    if isinstance(corpus, GeneratedConfig):
        path = _generated(context)
        shared = {name: getattr(corpus, name) for name in SourceConfigBase.model_fields}
        return FilesConfig(kind="files", path=path, format="messages", **shared)
    assert isinstance(corpus, CorpusConfigBase)
    return corpus


def _generated(context: Context) -> Path:
    """Return the rows that this run generated, curated if the recipe has `curate`."""
    if "curate" in context.inputs:
        return context.inputs["curate"] / KEPT_FILE
    return context.inputs["generate"] / EXAMPLES_FILE


def _tokenizer(path: Path) -> Path:
    found = path / "tokenizer.json" if path.is_dir() else path
    if not found.is_file():
        raise RecipeError(
            f"mix.tokenizer: {str(path)!r} has no tokenizer.json",
            hint="name the directory of the base model, or a tokenizer.json",
        )
    return found


def _preflight(config: MixConfig) -> None:
    """Say before anything is spent what cannot be met: more rows of a source than its files can hold."""
    from instil.mixing.shares import allot

    if config.tokenizer is not None:
        _tokenizer(config.tokenizer)
    for corpus in config.corpora:
        if isinstance(corpus, CorpusConfigBase):
            corpus.preflight()
    if config.num_examples is None or config.temperature is not None:
        return
    wanted = allot({corpus.name: corpus.weight for corpus in config.corpora}, config.num_examples)
    for corpus in config.corpora:
        if not isinstance(corpus, CorpusConfigBase):
            continue
        most = corpus.count_at_most()
        if most is not None and wanted[corpus.name] > most * corpus.max_epochs:
            raise RequestError(
                f"the mixture cannot be met: {corpus.name} has at most {most:,} rows and "
                f"{wanted[corpus.name]:,} are asked for",
                hint="lower mix.num_examples or the weight, raise max_epochs, or add a source",
            )


def details(config: MixConfig, mixed: Mixed) -> dict[str, Any]:
    """Return what the manifest and `instil mix` say of a mixture."""
    return {
        **_evaluation_sets(config),
        "sources": mixed.sources,
        "train": mixed.train,
        "validation": mixed.validation,
        "rows": mixed.rows,
        "steps": mixed.steps.rows(),
        "cleaned": mixed.changed.rows(),
        "near_duplicate_clusters": mixed.clusters,
    }


def _evaluation_sets(config: MixConfig) -> dict[str, Any]:
    """Return how many evaluation items are too short for a row to be found that has their text."""
    if not config.against or config.decontaminate is None:
        return {}
    from instil.mixing.screening import contamination

    unseen = contamination(config.against, config.decontaminate).unseen
    return {"evaluation_items_too_short": {"count": len(unseen), "first": list(unseen[:3])}}


def _counts(mixed: Mixed) -> Counts:
    table = mixed.sources.values()
    unused = sum(row["different"] - row["drawn_different"] for row in table)
    reasons: Mapping[str, int] = {**mixed.steps.counts(), "not drawn: over its share": unused}
    failed = sum(row["failed"] for row in table)
    asked, kept = sum(row["read"] for row in table), sum(row["drawn_different"] for row in table)
    return Counts(
        asked=asked,
        kept=kept,
        rejected=asked - kept - failed,
        failed=failed,
        reasons={reason: count for reason, count in sorted(reasons.items()) if count},
    )


MIX = Stage[MixConfig](name="mix", version=2, reads=(("curate", "generate"),), run=_run, preflight=_preflight)

"""What a stage is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from instil.config.base import Config
from instil.data.examples import Counts
from instil.data.progress import Progress, Silent

C = TypeVar("C", bound=Config)

# The files by which stages hand on their rows (docs/artifacts.md).
SEEDS_FILE = "seeds.jsonl"
EXAMPLES_FILE = "examples.jsonl"
KEPT_FILE = "kept.jsonl"
REJECTED_FILE = "rejected.jsonl"
FAILURES_FILE = "failures.jsonl"
COVERAGE_FILE = "coverage.jsonl"
TRAIN_ROWS = "train"
VALIDATION_ROWS = "validation"

SEEDS_ANSWERED = "seeds_answered"
"""Key in the details of a manifest: the rows are answers to the seed tasks, and not new beside them."""


@dataclass(frozen=True)
class Context:
    """What a stage may use besides its configuration and its inputs."""

    seed: int
    """The recipe's seed; `instil.data.random` makes a stream of it for each purpose."""
    work: Path
    """Directory that the stage fills; it gets its final name when the stage has finished."""
    inputs: Mapping[str, Path]
    """Finished directories of the stages that this one reads, by stage name."""
    shared: Path
    """Directory of the run that outlives a rebuild: the journal of paid answers lies there."""
    progress: Progress = field(default_factory=Silent)


@dataclass(frozen=True)
class Estimate:
    """What running a stage would take, as far as it can be known before."""

    calls: int = 0
    """Calls to a teacher that are not in the journal yet."""
    paid: bool = False
    """Whether these calls cost something."""
    input_tokens: int = 0
    output_tokens: int = 0
    """At most: every answer as long as it may be."""
    cost_usd: float | None = None
    """At most; None where no price is known."""
    assumptions: tuple[str, ...] = ()
    """What these figures rest on, one sentence each: whose price of which day, how tokens are counted."""

    def __str__(self) -> str:
        if not self.calls:
            return ""
        tokens = f"about {self.input_tokens:,} input and at most {self.output_tokens:,} output tokens"
        cost = "" if self.cost_usd is None else f", at most ${self.cost_usd:,.2f}"
        return f"{self.calls:,} calls, {tokens}{cost}"


@dataclass(frozen=True)
class Result:
    """What a stage says when it has finished."""

    counts: Counts
    details: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else a reader of the manifest would ask for; JSON values."""
    unfinished: str | None = None
    """What failed for a passing reason, so that the next run of the same recipe should try it again."""


@dataclass(frozen=True)
class Stage(Generic[C]):
    """One step of the pipeline: files in, files out."""

    name: str
    version: int
    """Raised by the author when the same configuration should now give another result."""
    reads: tuple[tuple[str, ...], ...]
    """For each input the stages that can provide it; the first one in the recipe does."""
    run: Callable[[C, Context], Result]
    preflight: Callable[[C], None] = lambda _config: None
    """Raises a RequestError for what would stop the stage after others have run."""
    estimate: Callable[[C, Context], Estimate] = lambda _config, _context: Estimate()
    """Says what the run would take; reads inputs where they exist, writes nothing."""
    quick: bool = False
    """Whether it only reads the user's files: a plan does it aside, to estimate with what comes out."""

    def inputs(self, present: set[str]) -> tuple[str, ...]:
        """Return the stages of a recipe that this one reads."""
        chosen = [next((name for name in choice if name in present), None) for choice in self.reads]
        return tuple(dict.fromkeys(name for name in chosen if name))

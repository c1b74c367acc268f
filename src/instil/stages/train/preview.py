"""Training rows as the student would see them, before there is a student."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from instil.data.progress import Progress
from instil.models.base_model import ScratchConfig, TrainedTokenizer
from instil.models.load import open_tokenizer, read_sizes
from instil.models.packing import pack
from instil.models.pieces import Piece, pieces
from instil.models.render import Renderer
from instil.stages.train import TrainConfig
from instil.stages.train.checks import Finding, check_rows, check_sizes
from instil.stages.train.rows import Tally, Tokenized, count_rows, read_examples, tokenize


@dataclass(frozen=True)
class ShownRow:
    """One row, token by token."""

    number: int
    """Which example it is, counted from 1."""
    part: int
    """Which row of this example it is, counted from 1."""
    example: str
    """The example's id."""
    pieces: tuple[Piece, ...]
    reason: str | None = None
    """Why there is no row."""

    @property
    def tokens(self) -> int:
        """How many tokens it has."""
        return sum(len(piece.ids) for piece in self.pieces)

    @property
    def supervised(self) -> int:
        """How many of them are learned."""
        return sum(len(piece.ids) for piece in self.pieces if piece.learned)


@dataclass
class Measured:
    """What the measured rows are like."""

    tally: Tally = field(default_factory=Tally)
    lengths: list[int] = field(default_factory=list)
    supervised: int = 0
    longest: tuple[int, int] = (0, 0)
    """Tokens of the longest conversation, before any of it is left out, and its number from 1."""

    @property
    def tokens(self) -> int:
        """How many tokens all rows have."""
        return sum(self.lengths)

    def add(self, each: Tokenized, config: TrainConfig, end: int | None) -> None:
        """Measure one example."""
        self.tally.add(each, config.too_long, end)
        self.longest = max(self.longest, (each.tokens, each.number + 1), key=lambda found: found[0])
        self.lengths += [len(row.input_ids) for row in each.rows]
        self.supervised += sum(row.supervised for row in each.rows)

    def packed_rows(self, limit: int, seed: int) -> int:
        """Return how many rows of `limit` tokens they fill."""
        import numpy as np

        return len(pack(np.array(self.lengths, dtype=np.int64), limit, seed))


@dataclass(frozen=True)
class Preview:
    """What is shown, and what was found."""

    path: Path
    """Where the rows lie."""
    total: int | None
    """How many there are, where that is written down."""
    rows: list[ShownRow]
    measured: Measured | None
    all_measured: bool
    """Whether no row was left unmeasured."""
    findings: list[Finding]
    end_mark: str
    end_id: int


def look(
    config: TrainConfig,
    path: Path,
    *,
    show: slice,
    measure: int | None,
    progress: Progress,
) -> Preview:
    """Render rows with the tokenizer and the template that the student would have; writes nothing.

    Args:
        config: of the training.
        path: a file of examples, or a directory of shards.
        show: the examples to show, counted from 0.
        measure: how many examples to measure from the first on; None for all, 0 for none.
        progress: where this tells how far it is.

    Raises:
        RecipeError: the tokenizer cannot be opened, or its template is no good for training.
        StoreError: the rows are damaged.
    """
    base = config.base_model
    if isinstance(base, ScratchConfig) and isinstance(base.tokenizer, TrainedTokenizer):
        progress.say("training the tokenizer on the rows, as train does")
    tokenizer: Any = open_tokenizer(
        base,
        chat_template=config.chat_template,
        texts=lambda: (m.content for example in read_examples(path) for m in example.messages),
    )
    renderer = Renderer(tokenizer, config.loss_on)
    findings = check_sizes(config, tokenizer, read_sizes(base))

    def tokenized(first: int, last: int | None) -> Iterable[Tokenized]:
        examples = islice(read_examples(path), first, last)
        for each in tokenize(examples, renderer, config.max_seq_length, config.too_long):
            yield each._replace(number=first + each.number)

    rows = [row for each in tokenized(show.start, show.stop) for row in _shown(each, tokenizer)]
    total, measured = count_rows(path), Measured()
    if measure != 0:
        expected = total if measure is None else min(measure, total or measure)
        with progress.task("rendering", total=expected, unit="rows") as task:
            for each in tokenized(0, measure):
                measured.add(each, config, tokenizer.eos_token_id)
                task.advance()
        findings += check_rows(tokenizer, measured.tally)
    return Preview(
        path=path,
        total=total,
        rows=rows,
        measured=measured if measure != 0 else None,
        all_measured=measure is None or measured.tally.asked < measure or measured.tally.asked == total,
        findings=findings,
        end_mark=tokenizer.eos_token,
        end_id=tokenizer.eos_token_id,
    )


def _shown(each: Tokenized, tokenizer: Any) -> list[ShownRow]:
    number, name = each.number + 1, each.example.id
    if each.reason is not None:
        return [ShownRow(number, 1, name, (), each.reason)]
    return [
        ShownRow(number, part, name, tuple(pieces(tokenizer, row)))
        for part, row in enumerate(each.rows, start=1)
    ]

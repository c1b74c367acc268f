"""Held-out loss of the answers, beside the untrained model and a unigram model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Literal

from instil.config.base import InputFile
from instil.errors import StageError
from instil.evals.base import TOO_LONG, BenchmarkConfigBase, Item, Report, Score, Subjects, ratio, read_items

if TYPE_CHECKING:
    from instil.models.render import Rendered


class LossConfig(BenchmarkConfigBase):
    """Loss on held-out answers, in bits per byte of their text and in nats per token."""

    kind: Literal["loss"]
    path: InputFile | None = None
    """Rows with `messages`; by default the validation rows of the mixture."""

    def measure(self, subjects: Subjects) -> Report:
        """Return the loss of every subject, and that of a unigram model of the training answers."""
        # Imports torch, which reading a recipe must not.
        from instil.models.render import Renderer
        from instil.models.score import answer_losses

        path = self.path or subjects.validation
        if path is None:
            raise StageError(
                f"the benchmark {self.name!r} has no rows",
                hint="give it a `path`, or the recipe a `mix` stage",
            )
        items = list(read_items(path))
        if not items:
            raise StageError(
                f"{str(path)!r} has no rows", hint="raise mix.validation_fraction or name another file"
            )
        rendered = {
            subject: [Renderer(engine.language_model.tokenizer).render(item.messages) for item in items]
            for subject, engine in subjects.engines.items()
        }
        fits = _fitting(rendered, subjects.max_positions)
        report = Report(items=sum(fits), left_out=Counter({TOO_LONG: len(items) - sum(fits)}))
        sizes = [_answer_bytes(item) for item in compress(items, fits)]
        for subject, engine in subjects.engines.items():
            rows = rendered[subject] = list(compress(rendered[subject], fits))
            losses = answer_losses(engine.language_model, rows, subjects.batch_size)
            report.scores += self._scores(subject, losses, rows, sizes)
        if subjects.train:
            # Any subject's tokens would do; the last one is the tuned model, whose tokenizer we ship.
            subject, engine = list(subjects.engines.items())[-1]
            renderer = Renderer(engine.language_model.tokenizer)
            rows = rendered[subject]
            losses = unigram_losses(
                _answers(renderer.render(i.messages) for i in read_items(subjects.train)), rows
            )
            report.scores += self._scores("unigram", losses, rows, sizes)
        return report

    def _scores(
        self, subject: str, losses: Sequence[float], rows: Sequence[Rendered], sizes: Sequence[int]
    ) -> list[Score]:
        scores = []
        bits = [loss / math.log(2) for loss in losses]
        for metric, above, below in (
            ("bits per byte", bits, [float(size) for size in sizes]),
            ("nats per token", list(losses), [float(row.supervised) for row in rows]),
        ):
            value, stderr = ratio(above, below)
            scores.append(
                Score(
                    benchmark=self.name,
                    metric=metric,
                    subject=subject,
                    value=value,
                    stderr=stderr,
                    n=len(rows),
                )
            )
        return scores


def _fitting(rendered: Mapping[str, Sequence[Rendered]], limit: int | None) -> list[bool]:
    """Return which rows every subject can read.

    Raises:
        StageError: there is none.
    """
    lengths = zip(*([len(row.input_ids) for row in rows] for rows in rendered.values()), strict=True)
    fits = [limit is None or max(each) <= limit for each in lengths]
    if not any(fits):
        raise StageError(f"every row has more than the {limit} tokens that the model can read")
    return fits


def unigram_losses(training_tokens: Counter[int], rows: Sequence[Rendered]) -> list[float]:
    """Return the loss in nats of each row's answers under the token frequencies of the training answers.

    One is added to every count that is met (Laplace), so that an unseen token has a price.
    """
    vocabulary = {
        *training_tokens,
        *(t for row in rows for t, m in zip(row.input_ids, row.mask, strict=True) if m),
    }
    total = training_tokens.total() + len(vocabulary)
    return [
        math.fsum(
            math.log(total / (training_tokens[token] + 1))
            for token, learned in zip(row.input_ids, row.mask, strict=True)
            if learned
        )
        for row in rows
    ]


def _answers(rows: Iterable[Rendered]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for row in rows:
        counts.update(token for token, learned in zip(row.input_ids, row.mask, strict=True) if learned)
    return counts


def _answer_bytes(item: Item) -> int:
    return sum(len(message.content.encode()) for message in item.messages if message.role == "assistant")

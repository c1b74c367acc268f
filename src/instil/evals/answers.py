"""Greedy answers to a set of prompts: does each contain what it should?"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import Field

from instil.config.base import InputFile
from instil.errors import StageError
from instil.evals.base import TOO_LONG, BenchmarkConfigBase, Report, Score, Subjects, mean, read_items


class AnswersConfig(BenchmarkConfigBase):
    """Share of greedy answers that contain one of the row's expected words."""

    kind: Literal["answers"]
    path: InputFile
    """Rows with `messages` and `expect`; capitals do not matter."""
    max_tokens: int = Field(default=160, gt=0)
    """Most tokens of an answer."""

    def measure(self, subjects: Subjects) -> Report:
        """Return the share of right answers of every subject, in all and by task, and all answers."""
        items = list(read_items(self.path))
        without = next((number for number, item in enumerate(items, start=1) if not item.expect), None)
        if not items or without:
            what = f"row {without} has no `expect`" if without else "there are no rows"
            raise StageError(f"{str(self.path)!r}: {what}", hint='add for example "expect": ["cardiology"]')
        limit = subjects.max_positions
        fitting = [
            item
            for item in items
            if limit is None
            or all(engine.prompt_tokens(item.messages[:-1]) < limit for engine in subjects.engines.values())
        ]
        if not fitting:
            raise StageError(f"every question has more than the {limit} tokens that the model can read")
        report = Report(items=len(fitting), left_out=Counter({TOO_LONG: len(items) - len(fitting)}))
        items = fitting
        prompts = [item.messages[:-1] for item in items]
        for subject, engine in subjects.engines.items():
            right: dict[str, list[float]] = {}
            for item, answer in zip(items, engine.greedy(prompts, self.max_tokens), strict=True):
                hit = any(word.lower() in answer.lower() for word in item.expect)
                right.setdefault("", []).append(float(hit))
                if item.task:
                    right.setdefault(item.task, []).append(float(hit))
                report.transcripts.append(
                    {
                        "benchmark": self.name,
                        "subject": subject,
                        "task": item.task,
                        "question": item.messages[-2].content,
                        "answer": answer,
                        "expect": list(item.expect),
                        "right": hit,
                    }
                )
            for task, hits in right.items():
                value, stderr = mean(hits)
                metric = f"expected words, {task}" if task else "expected words"
                report.scores.append(
                    Score(
                        benchmark=self.name,
                        metric=metric,
                        subject=subject,
                        value=value,
                        stderr=stderr,
                        n=len(hits),
                    )
                )
        return report

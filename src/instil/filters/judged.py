"""A teacher as judge: reject what it scores low, and keep its scores with what it lets pass.

Single answers are graded against a rubric, as in L. Zheng et al., Judging LLM-as-a-Judge (arXiv
2306.05685), section 3.1, with the reason before the score. The judge's answers are in the journal of
the run, so that other thresholds or filters cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from instil.config.base import InputFile
from instil.data.examples import Example, Rejection
from instil.data.messages import ask
from instil.data.text import read_text
from instil.filters.base import FilterConfigBase
from instil.filters.verdicts import HIGHEST, LOWEST, read_scores
from instil.teachers import TeacherConfig
from instil.teachers.base import Completion, Request

_PROMPTS = Path(__file__).parents[1] / "prompts"
_TEMPLATES = {"en": "judge.j2", "zh": "judge_zh.j2"}
_CRITERIA = {"correctness": 2.0, "helpfulness": 1.0, "clarity": 1.0}

Answers = Callable[[Request], Completion | None]
"""Gives the judge's answer to a request, or None where it was not asked yet."""


class JudgedConfig(FilterConfigBase):
    """Reject examples that a teacher scores below a threshold, from 1 to 5.

    Put it after the cheap filters: only what they let pass is judged. The scores stand under `scores` in
    kept.jsonl: the weighted mean under `name`, each criterion under `name.criterion`. An answer of the
    judge that holds no scores rejects the example, for nothing is known about it.
    """

    kind: Literal["judged"]
    teacher: TeacherConfig
    """Who judges; a temperature of 0 makes its scores repeatable."""
    name: str = Field(default="judge", pattern=r"^\w+$")
    """What the scores are called; two judges need two names."""
    min_score: float = Field(default=3.5, ge=LOWEST, le=HIGHEST)
    """Reject an example whose weighted mean is lower."""
    criteria: dict[str, float] = Field(default=_CRITERIA, min_length=1)
    """Weight of each criterion that the rubric explains; 0 only notes its score."""
    rubric: str | None = None
    """What each criterion means and which scores to give; ours explains correctness, helpfulness, clarity."""
    rubric_file: InputFile | None = None
    """A file with the rubric, instead of `rubric`."""
    language: Literal["en", "zh"] = "en"
    """Language in which the judge is asked."""

    @model_validator(mode="after")
    def _rubric_fits(self) -> JudgedConfig:
        if self.rubric is not None and self.rubric_file is not None:
            raise ValueError("both `rubric` and `rubric_file` are given; remove one")
        if self.criteria != _CRITERIA and set(self.criteria) - set(_CRITERIA) and not self.given_rubric:
            unknown = ", ".join(sorted(set(self.criteria) - set(_CRITERIA)))
            raise ValueError(f"our rubric does not explain {unknown}; give `rubric` or `rubric_file`")
        if min(self.criteria.values()) < 0 or not sum(self.criteria.values()):
            raise ValueError("weights of `criteria` are 0 or more, and one of them is more than 0")
        return self

    @property
    def given_rubric(self) -> str:
        """The rubric of the recipe, or the empty string for ours."""
        return read_text(self.rubric_file) if self.rubric_file else self.rubric or ""

    def build(self) -> JudgedFilter:
        """Return a filter that knows no answer yet."""
        return JudgedFilter(self)


class AnswerNeeded(Exception):
    """A filter cannot decide before a teacher has answered `request`."""

    def __init__(self, request: Request) -> None:
        super().__init__("a judge's answer is needed")
        self.request = request


class JudgedFilter:
    """Decides by the answers that it is given; it asks nobody itself.

    Args:
        config: the rubric and the threshold.

    Attributes:
        answers: where the judge's answers are; at first there are none.
    """

    def __init__(self, config: JudgedConfig) -> None:
        self.config = config
        self.answers: Answers = lambda _request: None
        self._rubric = config.given_rubric.strip()
        self._schema = config.teacher.schema_for(_schema(tuple(config.criteria)))

    def request(self, example: Example) -> Request:
        """Return what the judge is asked about an example; the same for the same conversation."""
        prompt = _template(_TEMPLATES[self.config.language]).render(
            # No text can hold the hash of itself, so none can feign the end of the example.
            mark=f"=== {example.id}",
            messages=[message.model_dump() for message in example.messages],
            evidence=example.origin.evidence.text if example.origin.evidence else "",
            rubric=self._rubric,
            criteria=list(self.config.criteria),
        )
        return Request(
            messages=ask(prompt), sampling=self.config.teacher.sampling, response_schema=self._schema
        )

    def check(self, example: Example) -> Rejection | None:
        """Return why the judge does not let the example pass, or None.

        Raises:
            AnswerNeeded: the judge was not asked about it yet.
        """
        request = self.request(example)
        answer = self.answers(request)
        if answer is None:
            raise AnswerNeeded(request)
        scores = read_scores(answer.text, tuple(self.config.criteria))
        if scores is None:
            cut = answer.finish_reason == "length"
            reason = (
                "the judge's answer is cut off at max_tokens" if cut else "no scores in the judge's answer"
            )
            return self._rejection(example, reason, request, answer)
        mean = self._mean(scores)
        if mean < self.config.min_score:
            reason = f"{self.config.name} below {self.config.min_score:g}"
            return self._rejection(example, reason, request, answer, mean)
        return None

    def annotate(self, example: Example) -> Example:
        """Return the example with the judge's scores."""
        answer = self.answers(self.request(example))
        scores = read_scores(answer.text, tuple(self.config.criteria)) if answer else None
        if scores is None:
            return example
        name = self.config.name
        found = {name: self._mean(scores)} | {f"{name}.{each}": score for each, score in scores.items()}
        return example.model_copy(update={"scores": {**example.scores, **found}})

    def accept(self, example: Example) -> None:
        """Remember nothing."""

    def _mean(self, scores: dict[str, float]) -> float:
        weights = self.config.criteria
        return round(sum(weights[each] * scores[each] for each in scores) / sum(weights.values()), 4)

    def _rejection(
        self, example: Example, reason: str, request: Request, answer: Completion, score: float | None = None
    ) -> Rejection:
        return Rejection(
            filter="judged",
            reason=reason,
            example=example,
            text=answer.text,
            request=request.key,
            score=score,
        )


def _schema(criteria: tuple[str, ...]) -> dict[str, Any]:
    score = {"type": "integer", "enum": [1, 2, 3, 4, 5]}
    scores = {
        "type": "object",
        "properties": dict.fromkeys(criteria, score),
        "required": list(criteria),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"reason": {"type": "string"}, "scores": scores},
        "required": ["reason", "scores"],
        "additionalProperties": False,
    }


@cache
def _template(name: str) -> Any:
    # Costs a tenth of a second to import; only recipes that use it pay.
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(read_text(_PROMPTS / name))

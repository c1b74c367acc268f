"""Read the scores in what a judge wrote: JSON where it is JSON, else "correctness: 4/5" in any prose."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LOWEST, HIGHEST = 1.0, 5.0

# What judges call the criteria of the packaged rubric when they are asked in Chinese.
_NAMES = {
    "correctness": ("accuracy", "正确性", "准确性"),
    "helpfulness": ("有用性", "有帮助", "帮助性"),
    "clarity": ("清晰度", "清晰性", "清楚"),
}
_SCORE = r"(\d+(?:\.\d+)?)\s*(?:/\s*5(?![\d.])|分|out of 5\b)?(?!\s*/|[\d.]*\d)"
_DECODER = json.JSONDecoder(strict=False)


def read_scores(text: str, criteria: Sequence[str]) -> dict[str, float] | None:
    """Return the score of every criterion, or None if one is missing, doubtful or off the scale of 1 to 5."""
    # What a model thought before it answered may hold other numbers.
    answer = unicodedata.normalize("NFKC", text.rpartition("</think>")[2])
    objects = list(_objects(answer))
    for found in reversed(objects):
        scores = _of_object(found, criteria)
        if scores:
            return scores
    return None if objects else _of_prose(answer, criteria)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    position = text.find("{")
    while position >= 0:
        try:
            value, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            if isinstance(value, dict):
                yield value
        position = text.find("{", end)


def _of_object(value: Mapping[str, Any], criteria: Sequence[str]) -> dict[str, float] | None:
    inner = next((each for each in value.values() if isinstance(each, dict)), value)
    given = {str(key).strip().casefold(): each for key, each in inner.items()}
    scores = {}
    for criterion in criteria:
        raw = next((given[name] for name in _names(criterion) if name in given), None)
        score = _number(raw.get("score") if isinstance(raw, dict) else raw)
        if score is None:
            return None
        scores[criterion] = score
    return scores


def _of_prose(text: str, criteria: Sequence[str]) -> dict[str, float] | None:
    scores = {}
    for criterion in criteria:
        names = "|".join(re.escape(name) for name in _names(criterion))
        found = {match[1] for match in re.finditer(rf"(?:{names})[^\w\n]{{0,12}}{_SCORE}", text.casefold())}
        # Two different scores for one criterion are none.
        score = _number(found.pop()) if len(found) == 1 else None
        if score is None:
            return None
        scores[criterion] = score
    return scores


def _names(criterion: str) -> tuple[str, ...]:
    return (criterion.casefold(), *_NAMES.get(criterion.casefold(), ()))


def _number(value: object) -> float | None:
    if isinstance(value, str):
        match = re.fullmatch(_SCORE, value.strip())
        value = float(match[1]) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if LOWEST <= value <= HIGHEST else None

"""Novelty by comparing every pair, as a program of its own: the reference, or rapidfuzz.

    python -m benchmarks.peers.novelty_pairs rouge_score|rapidfuzz IN.jsonl REJECTED.jsonl TOKENIZATION

`rouge_score` does what Self-Instruct and Alpaca do: it tokenizes once and runs `_score_lcs` against all kept
instructions. It has no other tokenization than its own. `rapidfuzz` is what instil does without its kernel.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

Decision = tuple[int, float, str]
"""Line of a rejected row, its score, its nearest instruction."""


def rouge_score(texts: list[str]) -> Iterator[Decision]:
    from rouge_score.rouge_scorer import _score_lcs
    from rouge_score.tokenize import tokenize

    kept: list[tuple[list[str], str]] = []
    for line, text in enumerate(texts, start=1):
        tokens = tokenize(text, None)
        scores = [_score_lcs(other, tokens).fmeasure for other, _ in kept]
        best = max(scores, default=0.0)
        if best > 0.7:
            yield line, round(best, 4), kept[scores.index(best)][1]
        else:
            kept.append((tokens, text))


def rapidfuzz(texts: list[str], tokenization: str) -> Iterator[Decision]:
    from instil.novelty import AcceptedTexts, Tokenization
    from instil.novelty.plain import PlainIndex

    accepted = AcceptedTexts(0.7, cast("Tokenization", tokenization), PlainIndex(0.7))
    for line, nearest in enumerate(accepted.filter(texts), start=1):
        if nearest:
            yield line, round(nearest.score, 4), nearest.text


def rows_of(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main() -> None:
    way, source, rejected, tokenization = sys.argv[1:]
    texts = [row["instruction"] for row in rows_of(Path(source))]
    found = rouge_score(texts) if way == "rouge_score" else rapidfuzz(texts, tokenization)
    with Path(rejected).open("w", encoding="utf-8") as file:
        for line, score, nearest in found:
            row = {"place": f"{Path(source).name}:line {line}", "score": score, "nearest": nearest}
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()

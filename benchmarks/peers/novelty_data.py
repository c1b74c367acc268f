"""Instructions for the benchmark of novelty, written by a process of its own.

    python -m benchmarks.peers.novelty_data DATA OUT

Large English sets are recombined: the words of one Alpaca instruction up to a random one, then those of
another from a random one on (seeded). Their lengths and frequencies of words are those of real instructions,
and two of five are too much like an earlier one. The dense set is made of the first 40 instructions only, so
that many of a small sample are. The Chinese ones are as people wrote them: Alpaca-zh,
Huatuo, and what clients say in Smile's dialogues.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from instil.corpora.base import Failure
from instil.corpora.containers import read_records

ENGLISH = 1_000_000
CHINESE = 45_000
DENSE = 4_000


def instructions(path: Path) -> Iterator[str]:
    for each in read_records(path):
        if not isinstance(each, Failure):
            yield str(each.value["instruction"])


def recombined(texts: list[str], count: int) -> Iterator[str]:
    rng = random.Random(7)
    split = [text.split() for text in texts]
    for _ in range(count):
        head, tail = rng.choice(split), rng.choice(split)
        yield " ".join(
            head[: rng.randint(1, max(1, len(head) - 1))] + tail[rng.randint(0, max(0, len(tail) - 1)) :]
        )


def chinese(data: Path) -> Iterator[str]:
    for path in (*sorted((data / "alpaca_zh").glob("*.json")), data / "huatuo" / "llama_data.json"):
        yield from instructions(path)
    for each in read_records(data / "smile" / "smilechat_4000.jsonl"):
        if not isinstance(each, Failure):
            yield from (turn["content"] for turn in each.value["messages"] if turn["role"] == "client")


def write(path: Path, texts: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps({"instruction": text}, ensure_ascii=False) + "\n")


def main() -> None:
    data, out = map(Path, sys.argv[1:])
    alpaca = list(instructions(data / "alpaca" / "alpaca_data.json"))
    write(out / "alpaca.jsonl", alpaca)
    write(out / "english.jsonl", recombined(alpaca, ENGLISH))
    write(out / "dense.jsonl", recombined(alpaca[:40], DENSE))
    write(out / "chinese.jsonl", islice(chinese(data), CHINESE))


if __name__ == "__main__":
    main()

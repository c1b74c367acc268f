"""Conversations for the benchmark of packing, written by a process of its own.

    python -m benchmarks.peers.pack_data DATA OUT.jsonl COUNT

Rows of Alpaca, ChatDoctor and GSM8K in English, of Alpaca-zh and Huatuo in Chinese, as their authors
published them, without those of more than 480 of GPT-2's tokens. Each is written once; then, until there are
enough, two that are drawn at random (seeded) become one conversation of two turns. So the text is people's,
no row has more than 1,024 tokens, and what one tool cuts cannot blur the comparison.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer

from instil.corpora.base import Failure
from instil.corpora.containers import read_records

MOST_TOKENS = 480
TOKENIZER = "tokenizers/gpt2/tokenizer.json"

Turn = tuple[str, str]


def turns(data: Path) -> Iterator[Turn]:
    for path in (
        data / "alpaca" / "alpaca_data.json",
        data / "chatdoctor" / "chatdoctor5k.json",
        data / "gsm8k" / "train.jsonl",
        *sorted((data / "alpaca_zh").glob("*.json")),
        data / "huatuo" / "llama_data.json",
    ):
        for each in read_records(path):
            if isinstance(each, Failure):
                continue
            record = each.value
            question = record.get("instruction") or record.get("question")
            answer = record.get("output") or record.get("answer")
            if question and answer:
                yield "\n\n".join(filter(None, [question, record.get("input")])), str(answer)


def short(found: list[Turn]) -> list[Turn]:
    tokenizer = Tokenizer.from_file(str(Path(sys.argv[1]) / TOKENIZER))
    kept: list[Turn] = []
    for start in range(0, len(found), 1000):
        some = found[start : start + 1000]
        sizes = [len(each) for each in tokenizer.encode_batch_fast([q + a for q, a in some])]
        kept += [turn for turn, size in zip(some, sizes, strict=True) if size <= MOST_TOKENS]
    return kept


def main() -> None:
    data, out, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    found = short(list(turns(data)))
    rng = random.Random(7)
    rng.shuffle(found)
    with out.open("w", encoding="utf-8") as file:
        for number in range(count):
            chosen = [found[number]] if number < len(found) else rng.sample(found, 2)
            messages = [
                {"role": role, "content": text}
                for turn in chosen
                for role, text in zip(("user", "assistant"), turn, strict=True)
            ]
            origin = {"kind": "corpus", "name": "bench"}
            file.write(json.dumps({"messages": messages, "origin": origin}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

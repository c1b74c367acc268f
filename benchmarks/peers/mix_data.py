"""Corpora of any size for the benchmark of mixing, in their several formats, with known duplicates.

    python -m benchmarks.peers.mix_data DATA OUT BYTES

Eight sources of JSON Lines in two files each, OUT/SOURCE/part-0.jsonl and part-1.jsonl. Their rows are
sentences of the real corpora, recombined (seeded), with a number in the first question and in the last
answer; they are about 1.4 KB long. Of all lines, about

- 5% are exact copies of an earlier row, one in ten of them from another source and in another format, one in
  ten soiled (a control character, HTML entities) so that it is the same only after cleaning;
- 5% are near copies: the question is the same, and one to three words of the last answer are other ones; the
  Jaccard similarity of the 5-grams of words is at least 0.9;
- 2% ask the question of an earlier row and answer something else: they must not be parted by a split;
- 1% hold a sentence to be cleaned (decomposed accents, HTML entities, mojibake);
- 0.1% are broken: cut off, not UTF-8, without an answer, of no format.

OUT/known.jsonl has each copy with the row that it was made of, OUT/summary.json what there is of each source.
Any two other rows are far from each other: see `similarities` in `mix_check.py`.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from benchmarks.peers.mix_text import SOILED, Language, Pool, Turns, pairs, pool, records, reworded, soil

EXACT, NEAR, SAME_QUESTION, DIRTY, BROKEN = 0.05, 0.05, 0.02, 0.01, 0.001
_ANSWER_BYTES = 900
_REMEMBERED = 4_000


@dataclass(frozen=True)
class Source:
    """Where the texts of a source come from, and how its records look."""

    name: str
    files: str
    """Below DATA."""
    language: Language
    shape: Callable[[Turns], dict[str, Any]]
    share: int
    """Of the bytes, relative to the others."""
    turns: tuple[int, int] = (1, 1)


def alpaca(turns: Turns) -> dict[str, Any]:
    instruction, _, context = turns[0].partition("\n")
    return {"instruction": instruction, "input": context, "output": turns[1]}


def huatuo(turns: Turns) -> dict[str, Any]:
    return {"query": turns[0], "answer": turns[1]}


def sharegpt(turns: Turns) -> dict[str, Any]:
    who = ("human", "gpt")
    return {"conversations": [{"from": who[at % 2], "value": text} for at, text in enumerate(turns)]}


def messages(turns: Turns) -> dict[str, Any]:
    who = ("client", "counselor")
    return {"messages": [{"role": who[at % 2], "content": text} for at, text in enumerate(turns)]}


SOURCES = (
    Source("alpaca", "alpaca/*.json", "en", alpaca, 28),
    Source("alpaca_zh", "alpaca_zh/*.json", "zh", alpaca, 16),
    Source("belle", "medicalgpt/Belle*.json", "zh", alpaca, 10),
    Source("chatdoctor", "chatdoctor/*.json", "en", alpaca, 12),
    Source("huatuo", "huatuo/*.json", "zh", huatuo, 10),
    Source("medical", "medicalgpt/medical*.jsonl", "zh", sharegpt, 6),
    Source("sharegpt", "medicalgpt/sharegpt*.jsonl", "zh", sharegpt, 10, (1, 4)),
    Source("smile", "smile/*.jsonl", "zh", messages, 8, (2, 5)),
)


@dataclass
class Row:
    """A row that later ones may be made of."""

    source: str
    line: int
    """From 0 over both files of the source."""
    turns: Turns
    language: Language


@dataclass
class Writer:
    """Writes sources one after the other, and what is known of them."""

    known: IO[bytes]
    earlier: list[Row] = field(default_factory=list)
    """Rows of the sources before this one that may be copied."""
    own: list[Row] = field(default_factory=list)
    """Rows of this source that may be copied; one that was copied nearly is forgotten."""
    number: int = 0

    def write(self, source: Source, texts: Pool, directory: Path, size: int) -> dict[str, int]:
        """Write a source of about `size` bytes in two files; return what its lines are."""
        directory.mkdir(parents=True)
        rng = random.Random(f"mix {source.name}")
        mean = _ANSWER_BYTES / texts.sentence_bytes
        counts: Counter[str] = Counter()
        for part in range(2):
            with (directory / f"part-{part}.jsonl").open("wb", buffering=1 << 20) as file:
                written = 0
                while written < size // 2:
                    kind, line = self._line(source, texts, mean, rng, counts.total())
                    counts[kind] += 1
                    written += file.write(line + b"\n")
        self.earlier = rng.sample(both := self.earlier + self.own, min(_REMEMBERED, len(both)))
        self.own = []
        return dict(counts)

    def _line(
        self, source: Source, texts: Pool, mean: float, rng: random.Random, at: int
    ) -> tuple[str, bytes]:
        chance = rng.random()
        if chance < BROKEN:
            return "broken", broken(source.shape(texts.conversation(rng, 0, 1, mean)), rng)
        for kind, share in (("exact", EXACT), ("near", NEAR), ("same question", SAME_QUESTION)):
            chance -= share
            if chance < BROKEN:
                turns = self._copy(kind, source, texts, mean, rng, at)
                if turns:
                    return kind, orjson.dumps(source.shape(turns))
                break
        self.number += 1
        turns = texts.conversation(rng, self.number, rng.randint(*source.turns), mean)
        if chance > 1 - DIRTY - EXACT - NEAR - SAME_QUESTION:
            turns[-1] = rng.choice(SOILED[source.language]) + texts.gap + turns[-1]
            return "dirty", orjson.dumps(source.shape(turns))
        row = Row(source.name, at, turns, source.language)
        if len(self.own) < _REMEMBERED:
            self.own.append(row)
        elif rng.random() < 0.25:
            self.own[rng.randrange(_REMEMBERED)] = row
        return "plain", orjson.dumps(source.shape(turns))

    def _copy(
        self, kind: str, source: Source, texts: Pool, mean: float, rng: random.Random, at: int
    ) -> Turns | None:
        rows = self.earlier if self.earlier and rng.random() < 0.1 else self.own
        for _ in range(min(5, len(rows))):
            index = rng.randrange(len(rows))
            row = rows[index]
            if len(row.turns) > 2 * source.turns[1]:
                continue
            if kind == "same question":
                self.number += 1
                turns = texts.conversation(rng, self.number, len(row.turns) // 2, mean)
                return [row.turns[0], *turns[1:]]
            facts = {"source": source.name, "line": at, "of": [row.source, row.line], "kind": kind}
            if kind == "exact":
                dirty = rng.random() < 0.1
                self.known.write(orjson.dumps({**facts, "dirty": dirty}) + b"\n")
                return [*row.turns[:-1], soil(row.turns[-1], rng)] if dirty else row.turns
            if changed := reworded(row.turns, row.language, rng):
                # A second near copy might be near to the first one or not; there is none.
                rows[index] = rows[-1]
                rows.pop()
                self.known.write(orjson.dumps({**facts, "jaccard": changed[1]}) + b"\n")
                return changed[0]
        return None


def broken(record: dict[str, Any], rng: random.Random) -> bytes:
    """Return a line that no reader may take for a row."""
    line = orjson.dumps(record)
    match rng.randrange(4):
        case 0:
            return line[: len(line) // 2]
        case 1:
            return line[:-10] + b"\xff\xfe" + line[-10:]
        case 2:
            key = next(reversed(record))
            return orjson.dumps({**record, key: [] if isinstance(record[key], list) else ""})
        case _:
            return orjson.dumps({"id": rng.randrange(1_000_000), "body": str(record)[:200]})


def main() -> None:
    data, out, size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    whole = sum(source.share for source in SOURCES)
    with (out / "known.jsonl").open("wb") as known:
        writer = Writer(known)
        found = {}
        for source in SOURCES:
            read = (record for path in sorted(data.glob(source.files)) for record in records(path))
            texts = pool(source.language, (pair for record in read for pair in pairs(record)))
            counts = writer.write(source, texts, out / source.name, size * source.share // whole)
            written = sum(path.stat().st_size for path in (out / source.name).iterdir())
            found[source.name] = {**counts, "lines": sum(counts.values()), "bytes": written}
    (out / "summary.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))


if __name__ == "__main__":
    main()

"""Whether a mixture is what was asked for, whoever made it.

    python -m benchmarks.peers.mix_check mixture WORK.json OUT      what is in OUT/train and OUT/validation
    python -m benchmarks.peers.mix_check near DATA REMOVED.jsonl    what of the known near copies was found
    python -m benchmarks.peers.mix_check similarities DATA          how near rows are that are no copies

A program of its own, so that its memory is nobody else's.
"""

from __future__ import annotations

import random
import sys
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.peers.mix_text import pairs, shingles
from instil.data.fingerprint import fingerprint

# What cleaning leaves nothing of; `&` alone is text.
_DIRT = "[\\x{0}-\\x{8}\\x{b}-\\x{1f}\\x{7f}]|&#39;|&amp;|&quot;|&lt;|&gt;|&#x27;|â€|Ã©|[a-zA-Z]\\x{301}"
_SAMPLE = 20_000
_NEAR = "near_duplicate"
"""What instil calls the reason, among the other rows that it rejects."""

Place = tuple[str, int]
"""A source, and a line from 0 over its files."""


def batches(directory: Path) -> Iterator[Any]:
    """Yield the record batches of the Parquet files of a directory."""
    import pyarrow.parquet as pq

    for path in sorted(directory.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(8192)


def number(*texts: str) -> int:
    return int.from_bytes(blake2b("\x1f".join(texts).encode(), digest_size=8).digest(), "little")


def mixture(work: dict[str, Any], out: Path) -> dict[str, Any]:
    """Return counts, and how often what must not be is: all but `rows` and `sides` should be nothing."""
    import pyarrow.compute as pc

    rows, sides, questions = Counter[str](), {}, {}
    whole: list[int] = []
    dirty = 0
    for side in ("train", "validation"):
        asked: list[int] = []
        for batch in batches(out / side):
            columns = set(batch.schema.names)
            source = batch["source"] if "source" in columns else pc.struct_field(batch["origin"], "name")
            rows.update({each["values"]: each["counts"] for each in pc.value_counts(source).to_pylist()})
            contents = pc.struct_field(pc.list_flatten(batch["messages"]), "content")
            dirty += pc.sum(pc.match_substring_regex(contents, _DIRT)).as_py() or 0
            texts, ends = contents.to_pylist(), batch["messages"].offsets.to_numpy()
            ends = ends - ends[0]
            for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
                asked.append(number(texts[start]))
                whole.append(number(*texts[start:end]))
        sides[side] = len(asked)
        questions[side] = np.unique(np.array(asked, np.uint64))
    shares = sum(work["weights"].values())
    off = [abs(rows[name] - work["num_examples"] * part / shares) for name, part in work["weights"].items()]
    return {
        "rows": sum(sides.values()),
        "sides": sides,
        "rows_off_their_share": max(off),
        "rows_twice": len(whole) - len(np.unique(np.array(whole, np.uint64))),
        "questions_on_both_sides": len(np.intersect1d(questions["train"], questions["validation"])),
        "dirty_texts": dirty,
    }


def near(data: Path, removed: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return how many known near copies are gone, and how many rows are that nothing was near to.

    Which of the two is kept is free, and either may be there by an exact copy of it.

    Args:
        data: what `mix_data.py` wrote.
        removed: rows by `source` and `line`, or by instil's `id` of a conversation.
    """
    group: dict[Place, int] = {}
    original: dict[Place, Place] = {}
    for line in (data / "known.jsonl").open("rb"):
        fact = orjson.loads(line)
        row, of = (fact["source"], fact["line"]), (fact["of"][0], fact["of"][1])
        if fact["kind"] == "exact":
            original[row] = of
        else:
            group[row] = group[of] = len(group) // 2
    known = len(group) // 2
    ids: dict[str, int] = {}
    found, false = set(), 0
    for gone in removed:
        if "id" in gone:
            ids = ids or {name: group[place] for place, name in names(data, group)}
            pair = ids.get(gone["id"])
        else:
            place = (gone["source"], gone["line"])
            pair = group.get(original.get(place, place))
        if pair is None:
            false += 1
        else:
            found.add(pair)
    return {"known": known, "found": len(found), "recall": round(len(found) / known, 4), "false": false}


def names(data: Path, places: Container[Place]) -> Iterator[tuple[Place, str]]:
    """Yield the places of rows with instil's ids of the conversations that stand there."""
    for directory in sorted(path for path in data.iterdir() if path.is_dir()):
        files = (path.open("rb") for path in sorted(directory.glob("*.jsonl")))
        for at, line in enumerate(chain.from_iterable(files)):
            if (directory.name, at) in places:
                messages = [
                    {"role": ("user", "assistant")[turn % 2], "content": text}
                    for turn, text in enumerate(turns(line))
                ]
                yield (directory.name, at), fingerprint(messages)


def similarities(data: Path) -> dict[str, Any]:
    """Return the largest Jaccard similarities of rows of a sample that are no copies of each other.

    Of each row every 5-gram of words; pairs are looked at that share any that is not frequent. All lines of
    a source are held at once, so that this is for small data.
    """
    known = [orjson.loads(line) for line in (data / "known.jsonl").open("rb")]
    copies = {(fact["source"], fact["line"]) for fact in known}
    rows = []
    rng = random.Random(1)
    for directory in sorted(path for path in data.iterdir() if path.is_dir()):
        lines = [line for path in sorted(directory.glob("*.jsonl")) for line in path.open("rb")]
        for at in rng.sample(range(len(lines)), min(len(lines), _SAMPLE // 8)):
            texts = [] if (directory.name, at) in copies else turns(lines[at])
            rows += [shingles(texts)] if texts else []
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        for shingle in row:
            places[shingle].append(index)
    shared: Counter[tuple[int, int]] = Counter()
    for found in places.values():
        if 1 < len(found) <= 50:
            shared.update((a, b) for at, a in enumerate(found) for b in found[at + 1 :])
    near = [both / (len(rows[a]) + len(rows[b]) - both) for (a, b), both in shared.items()]
    return {"rows": len(rows), "pairs": len(near), "highest": [round(each, 3) for each in sorted(near)[-5:]]}


def turns(line: bytes) -> list[str]:
    """Return the texts of a line, or nothing of a broken one."""
    try:
        record = orjson.loads(line)
        if "query" in record:
            return [record["query"], record["answer"]]
        return [text for pair in pairs(record) for text in pair]
    except (KeyError, ValueError):
        return []


def main() -> None:
    match sys.argv[1:]:
        case ["mixture", work, out]:
            found = mixture(orjson.loads(Path(work).read_bytes()), Path(out))
        case ["near", data, file]:
            with Path(file).open("rb") as lines:
                rows = map(orjson.loads, lines)
                found = near(Path(data), (row for row in rows if row.get("filter", _NEAR) == _NEAR))
        case ["similarities", data]:
            found = similarities(Path(data))
        case _:
            sys.exit(__doc__)
    print(orjson.dumps(found).decode())


if __name__ == "__main__":
    main()

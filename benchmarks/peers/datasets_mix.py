"""The work of `benchmarks/mix.py` with Hugging Face `datasets`, as a program of its own.

    python -m benchmarks.peers.datasets_mix WORK.json OUT [none|rensa|datasketch]

What somebody who knows the library writes: every step that can be is a batched `map` in two processes over
Arrow files, decisions about all rows are numpy over one column of hashes, and rows are only moved once, at
the end. Lines are read as text, since the JSON reader of `datasets` gives up a file at its first broken line.
Near duplicates by `rensa`, in Rust, with the bands of `datasketch`, clusters joined over bands as
`text-dedup` does; or by `datasketch` alone, a query and an insertion for each row.
"""

from __future__ import annotations

import html
import re
import sys
import tempfile
from functools import partial
from itertools import islice
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import datasets
import ftfy
import numpy as np
import orjson
import xxhash

PROCESSES = 2
SHARDS = 8
Positions = np.ndarray[Any, Any]
ROLES = {"human": "user", "client": "user", "gpt": "assistant", "counselor": "assistant"}
FEATURES = datasets.Features(
    {
        "messages": [{"role": datasets.Value("string"), "content": datasets.Value("string")}],
        "source": datasets.Value("string"),
        "line": datasets.Value("uint32"),
        "key": datasets.Value("int64"),
        "question": datasets.Value("int64"),
    }
)
# ftfy alone would also straighten quotation marks and narrow full-width letters.
FIX = ftfy.TextFixerConfig(
    unescape_html=False, uncurl_quotes=False, fix_character_width=False, fix_latin_ligatures=False
)
SUSPECT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f&]")
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\W\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
PERMUTATIONS, BANDS, ROWS = 128, 9, 13
"""Bands for a threshold of 0.8, as `datasketch` chooses them."""


def turns(record: dict[str, Any], *, mend: bool) -> list[dict[str, str]]:
    """Return the messages of a record in any of the formats; a KeyError or ValueError for none."""
    if "instruction" in record:
        asked = record["instruction"] + ("\n" + record["input"] if record.get("input") else "")
        found = [("user", asked), ("assistant", record["output"])]
    elif "query" in record:
        found = [("user", record["query"]), ("assistant", record["answer"])]
    elif "conversations" in record:
        found = [(ROLES[turn["from"]], turn["value"]) for turn in record["conversations"]]
    else:
        found = [(ROLES[turn["role"]], turn["content"]) for turn in record["messages"]]
    if not found or not all(text.strip() for _, text in found):
        raise ValueError("an empty turn")
    return [{"role": role, "content": clean(text) if mend else text} for role, text in found]


def number(content: bytes) -> int:
    """Return a hash that fits into an int64, the widest that `map` takes as Python's int."""
    return xxhash.xxh3_64_intdigest(content) >> 1


def clean(text: str) -> str:
    if text.isascii() and not SUSPECT.search(text):
        return text
    return ftfy.fix_text(html.unescape(text), FIX)


def convert(
    batch: dict[str, list[Any]], indices: list[int], source: str, *, mend: bool
) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name in FEATURES}
    for line, text in zip(indices, batch["text"], strict=True):
        try:
            messages = turns(orjson.loads(text), mend=mend) if "\ufffd" not in text else []
        except (KeyError, ValueError, TypeError):
            messages = []
        if messages:
            whole = "\x1e".join(f"{each['role']}\x1f{each['content']}" for each in messages)
            found["messages"].append(messages)
            found["source"].append(source)
            found["line"].append(line)
            found["key"].append(number(whole.encode()))
            found["question"].append(number(messages[0]["content"].encode()))
    return found


def load(work: dict[str, Any], cache: str, *, mend: bool) -> dict[str, datasets.Dataset]:
    files = {name: sorted(map(str, (Path(work["data"]) / name).glob("*.jsonl"))) for name in work["weights"]}
    raw = datasets.load_dataset(
        "text", data_files=files, encoding_errors="replace", cache_dir=cache, num_proc=PROCESSES
    )
    return {
        name: raw[name].map(
            partial(convert, source=name, mend=mend),
            batched=True,
            with_indices=True,
            remove_columns=["text"],
            features=FEATURES,
            num_proc=PROCESSES,
        )
        for name in files
    }


def column(rows: datasets.Dataset, name: str) -> Positions:
    found: Positions = rows.data.column(name).to_numpy()
    return found


def shingles(messages: list[dict[str, str]]) -> list[str]:
    words = WORD.findall("\n".join(each["content"] for each in messages).lower())
    return [" ".join(each) for each in zip(*(islice(words, at, None) for at in range(5)), strict=False)]


def signatures(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    from rensa import RMinHash

    found = RMinHash.digests_from_token_sets(
        [shingles(messages) for messages in batch["messages"]], PERMUTATIONS, 42
    )
    rows = np.asarray(found, dtype=np.uint32)[:, : BANDS * ROWS]
    bands = np.ascontiguousarray(rows.reshape(len(rows), BANDS, ROWS)).view(f"V{4 * ROWS}")[:, :, 0]
    return {"bands": [[number(band.tobytes()) for band in row] for row in bands]}


def near_by_rensa(rows: datasets.Dataset) -> Positions:
    """Return the positions that stay: the first of every cluster."""
    features = datasets.Features({"bands": datasets.List(datasets.Value("int64"), length=BANDS)})
    found = rows.map(
        signatures, batched=True, remove_columns=rows.column_names, features=features, num_proc=PROCESSES
    )
    chunks = found.data.column("bands").chunks
    bands = np.concatenate([chunk.flatten().to_numpy().reshape(-1, BANDS) for chunk in chunks])
    parent = np.arange(len(bands))

    def find(at: int) -> int:
        while parent[at] != at:
            parent[at] = at = parent[parent[at]]
        return at

    for band in range(BANDS):
        _, first, group = np.unique(bands[:, band], return_index=True, return_inverse=True)
        for at in np.flatnonzero(first[group] != np.arange(len(bands))).tolist():
            one, other = find(at), find(int(first[group[at]]))
            parent[max(one, other)] = min(one, other)
    return np.flatnonzero(parent == np.arange(len(parent)))


def near_by_datasketch(rows: datasets.Dataset) -> Positions:
    """Return the positions that stay: those that nothing before them is near to."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.8, num_perm=PERMUTATIONS)
    kept = []
    for at, messages in enumerate(rows["messages"]):
        minhash = MinHash(num_perm=PERMUTATIONS)
        minhash.update_batch([each.encode() for each in shingles(messages)])
        if not index.query(minhash):
            index.insert(at, minhash, check_duplication=False)
            kept.append(at)
    return np.array(kept)


def allot(weights: dict[str, float], total: int) -> dict[str, int]:
    """Return the rows of each source by the method of the largest remainder."""
    whole = sum(weights.values())
    counts = {name: int(total * weight // whole) for name, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda name: -(total * weights[name] / whole % 1))
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def split(
    kept: Positions, source: Positions, question: Positions, work: dict[str, Any]
) -> tuple[Positions, Positions]:
    """Draw the rows of each source, shuffle all, and hold out whole questions; return positions."""
    random = np.random.default_rng(work["seed"])
    counts = allot(work["weights"], work["num_examples"])
    drawn = [random.permutation(kept[source[kept] == at])[:count] for at, count in enumerate(counts.values())]
    order = random.permutation(np.concatenate(drawn))
    different, which = np.unique(question[order], return_inverse=True)
    held_out = random.random(len(different)) < work["validation_fraction"]
    return order[~held_out[which]], order[held_out[which]]


def write(rows: datasets.Dataset, sides: tuple[Positions, Positions], out: Path) -> None:
    """Write the rows at the positions of each side, in this order, as Parquet."""
    jobs = []
    for side, order, count in zip(("train", "validation"), sides, (SHARDS, 1), strict=True):
        (out / side).mkdir()
        chosen = rows.select(order)
        jobs += [
            (chosen.shard(count, at, contiguous=True), out / side / f"{at}.parquet") for at in range(count)
        ]
    with Pool(PROCESSES) as pool:
        pool.starmap(datasets.Dataset.to_parquet, jobs, chunksize=1)


def main() -> None:
    work, out = orjson.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory(dir=out.parent) as cache:
        # What `map` makes lies beside what it was made of.
        parts = load(work, cache, mend=work["clean"])
        rows = datasets.concatenate_datasets(list(parts.values()))
        source = np.repeat(np.arange(len(parts)), [len(part) for part in parts.values()])
        kept = np.sort(np.unique(column(rows, "key"), return_index=True)[1])
        facts = {"read": len(rows), "exact": len(rows) - len(kept), "near": 0}
        if sys.argv[3] != "none":
            stays = {"rensa": near_by_rensa, "datasketch": near_by_datasketch}[sys.argv[3]](rows.select(kept))
            gone = rows.select_columns(["source", "line"]).select(np.delete(kept, stays))
            kept = kept[stays]
            facts["near"] = len(gone)
            (out / "near.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in gone))
        sides = split(kept, source, column(rows, "question"), work)
        write(rows.select_columns(["messages", "source"]), sides, out)
    (out / "facts.json").write_bytes(orjson.dumps(facts))


if __name__ == "__main__":
    main()

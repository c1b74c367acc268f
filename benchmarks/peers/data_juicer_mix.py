"""The work of `benchmarks/mix.py` with the operators of `py-data-juicer`, as a program of its own.

    python -m benchmarks.peers.data_juicer_mix WORK.json OUT [none|minhash]

Cleaning and both kinds of deduplication are data-juicer's (`fix_unicode_mapper`, `document_deduplicator`,
`document_minhash_deduplicator`), in two processes. It has no operator for the other steps; they are those of
`datasets_mix.py`, on whose library it stands. Its operators read one text, so a conversation becomes one and
is taken apart again. Text in two languages is cut into characters, as it advises for Chinese; its cutter for
several languages needs a model.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import orjson
from data_juicer.core.data import NestedDataset
from data_juicer.ops.deduplicator.document_deduplicator import DocumentDeduplicator
from data_juicer.ops.deduplicator.document_minhash_deduplicator import DocumentMinhashDeduplicator
from data_juicer.ops.mapper.fix_unicode_mapper import FixUnicodeMapper

from benchmarks.peers.datasets_mix import PERMUTATIONS, PROCESSES, column, load, number, split, write

_MARK = re.compile(r"\[\[(user|assistant)\]\]\n")


def join(batch: dict[str, list[Any]]) -> dict[str, list[str]]:
    return {
        "text": [
            "".join(f"[[{turn['role']}]]\n{turn['content']}" for turn in row) for row in batch["messages"]
        ]
    }


def part(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {"messages": [], "question": []}
    for text in batch["text"]:
        pieces = _MARK.split(text)
        found["messages"].append(
            [{"role": role, "content": said} for role, said in zip(pieces[1::2], pieces[2::2], strict=True)]
        )
        found["question"].append(number(pieces[2].encode()))
    return found


def main() -> None:
    work, out = orjson.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory(dir=out.parent) as cache:
        names = list(work["weights"])
        parts = load(work, cache, mend=False)
        whole = datasets.concatenate_datasets(list(parts.values()))
        read = len(whole)
        unused = ["messages", "key", "question"]
        rows = NestedDataset(whole.map(join, batched=True, remove_columns=unused, num_proc=PROCESSES))
        mend = [FixUnicodeMapper(num_proc=PROCESSES)] if work["clean"] else []
        rows = rows.process([*mend, DocumentDeduplicator(num_proc=PROCESSES)], open_monitor=False)
        facts = {"read": read, "exact": read - len(rows), "near": 0}
        if sys.argv[3] != "none":
            before = rows.select_columns(["source", "line"])
            near = DocumentMinhashDeduplicator(
                tokenization="character",
                num_permutations=PERMUTATIONS,
                jaccard_threshold=0.8,
                num_proc=PROCESSES,
            )
            rows = rows.process([near], open_monitor=False)
            stays = {(row["source"], row["line"]) for row in rows.select_columns(["source", "line"])}
            gone = [row for row in before if (row["source"], row["line"]) not in stays]
            facts["near"] = len(gone)
            (out / "near.jsonl").write_bytes(b"".join(orjson.dumps(dict(row)) + b"\n" for row in gone))
        rows = rows.flatten_indices().map(part, batched=True, remove_columns=["text"], num_proc=PROCESSES)
        source = np.array([names.index(name) for name in rows["source"]])
        sides = split(np.arange(len(rows)), source, column(rows, "question"), work)
        write(rows.select_columns(["messages", "source"]), sides, out)
    (out / "facts.json").write_bytes(orjson.dumps(facts))


if __name__ == "__main__":
    main()

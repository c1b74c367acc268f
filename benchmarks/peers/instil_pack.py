"""Rows to packed tokens by instil, as a program of its own: what `train` does before its first step.

    python -m benchmarks.peers.instil_pack ROWS.jsonl TOKENIZER STORE FIGURES.json
    python -m benchmarks.peers.instil_pack batch STORE FIGURES.json

The second form times batches of 8 packed rows as the trainer gets them; it loads torch, which the first
need not.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

MAX_LENGTH = 1024


def store(rows: Path, tokenizer_path: Path, directory: Path) -> dict[str, float]:
    from transformers import PreTrainedTokenizerFast

    from instil.data.progress import Silent
    from instil.models.render import Renderer
    from instil.models.tokenizer import give_template
    from instil.stages.train import TrainConfig
    from instil.stages.train.rows import store_rows

    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(tokenizer_path), eos_token="<|endoftext|>"
    )
    give_template(tokenizer, "chatml")
    written, tally = store_rows(
        rows,
        directory,
        Renderer(tokenizer),
        TrainConfig.model_validate({"base_model": "tiny", "max_seq_length": MAX_LENGTH}),
        end=tokenizer.eos_token_id,
        seed=17,
        progress=Silent(),
    )
    header = written.header
    return {
        "examples": tally.asked,
        "tokens": header.tokens,
        "supervised": header.supervised,
        "rows": header.rows,
        "fill": round(header.tokens / header.rows / MAX_LENGTH, 4),
        "disk_mb": round(sum(header.files.values()) / 1e6, 1),
    }


def batch(directory: Path) -> dict[str, float]:
    from instil.models.token_store import TokenStore
    from instil.stages.train.batches import collate

    rows = TokenStore(directory).rows
    took = []
    for first in range(0, len(rows) - 8, 8):
        started = time.perf_counter()
        chosen = rows[first : first + 8]
        collate(chosen, 0)
        [row.position_ids for row in chosen]
        took.append(time.perf_counter() - started)
    return {"batch_ms": round(sorted(took)[len(took) // 2] * 1e3, 3)}


def main() -> None:
    gc.set_threshold(10_000, 20, 20)  # as the command line does (cli/__init__.py)
    *arguments, out = map(Path, sys.argv[1:])
    figures = batch(arguments[1]) if arguments[0].name == "batch" else store(*arguments)
    out.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()

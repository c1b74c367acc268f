"""Rows to packed tokens by TRL's SFTTrainer, as a program of its own.

    python -m benchmarks.peers.trl_pack WAY ROWS.jsonl TOKENIZER TEMPLATE CACHE FIGURES.json

All of it is TRL's own preparation: `datasets` reads the file, SFTTrainer applies the chat template,
tokenizes, builds labels and packs by best-fit-decreasing, in one process. WAY says what is learned: with
`assistant_mask` what the template marks; with `prompt_completion` what follows a row's prompt, where the
division of the rows is made first and not counted. The model is a GPT-2 of two layers of width 8, because the
trainer wants one; nothing is trained.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

MAX_LENGTH = 1024


def cpu_seconds() -> float:
    return sum(os.times()[:4])


def divided(rows: Path, directory: Path) -> Path:
    """Write rows as prompt and completion, and return where."""
    directory.mkdir(parents=True)
    path = directory / "divided.jsonl"
    with rows.open(encoding="utf-8") as source, path.open("w", encoding="utf-8") as file:
        for line in source:
            messages = json.loads(line)["messages"]
            row = {"prompt": messages[:-1], "completion": messages[-1:]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def main() -> None:
    way = sys.argv[1]
    rows, tokenizer_path, template, cache, out = map(Path, sys.argv[2:])
    os.environ |= {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"}
    before = cpu_seconds()
    if way == "prompt_completion":
        rows = divided(rows, cache)
    dividing = cpu_seconds() - before

    from datasets import load_dataset
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(tokenizer_path), eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.add_tokens(["<|im_start|>", "<|im_end|>"], special_tokens=True)
    tokenizer.chat_template = template.read_text(encoding="utf-8")
    tiny = GPT2Config(n_embd=8, n_layer=2, n_head=1, n_positions=MAX_LENGTH, vocab_size=len(tokenizer))
    trainer: Any = SFTTrainer(
        model=GPT2LMHeadModel(tiny),
        args=SFTConfig(
            output_dir=str(cache / "out"),
            max_length=MAX_LENGTH,
            packing=True,
            packing_strategy="bfd",
            assistant_only_loss=way == "assistant_mask",
            use_cpu=True,
            bf16=False,
            report_to="none",
        ),
        train_dataset=load_dataset("json", data_files=str(rows), split="train"),
        processing_class=tokenizer,
    )
    packed = trainer.train_dataset
    packing_done = cpu_seconds()
    examples = tokens = supervised = 0
    for some in packed.with_format("numpy").iter(1000):
        examples += sum(len(lengths) for lengths in some["seq_lengths"])
        tokens += sum(len(ids) for ids in some["input_ids"])
        # The first token of a document is nobody's label.
        supervised += sum(int((labels != -100).sum()) for labels in some["labels"])
    took = []
    for first in range(0, min(len(packed) - 8, 800), 8):
        started = time.perf_counter()
        trainer.data_collator([packed[first + index] for index in range(8)])
        took.append(time.perf_counter() - started)
    figures = {
        "examples": examples,
        "tokens": tokens,
        "supervised": supervised,
        "rows": len(packed),
        "fill": round(tokens / len(packed) / MAX_LENGTH, 4),
        "disk_mb": round(
            sum(f.stat().st_size for f in cache.rglob("*") if f.is_file() and f != rows) / 1e6, 1
        ),
        "batch_ms": round(sorted(took)[len(took) // 2] * 1e3, 3),
        "not_packing_cpu_s": round(dividing + cpu_seconds() - packing_done, 2),
    }
    out.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()

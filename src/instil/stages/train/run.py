"""From the mixture's rows to a saved model: what stands around the loop."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from instil.data.examples import Counts, Example
from instil.data.jsonl import read_jsonl, write_jsonl
from instil.errors import StageError, TrainingError
from instil.models.card import write_card
from instil.models.load import LanguageModel, default_device, open_base, save
from instil.models.render import Rendered, Renderer
from instil.stages.base import (
    EXAMPLES_FILE,
    KEPT_FILE,
    REJECTED_FILE,
    TRAIN_FILE,
    VALIDATION_FILE,
    Context,
    Progress,
    Result,
)
from instil.stages.train import LoraConfig, TrainConfig
from instil.stages.train.batches import micro_batches
from instil.stages.train.checkpoint import remove_checkpoints
from instil.stages.train.loop import train

MODEL_DIR = "model"


def run(config: TrainConfig, context: Context) -> Result:
    """Train and save; the model lies in `model/` with its tokenizer, template and card."""
    train_path, validation_path = _paths(config, context)
    examples = _examples(train_path)
    base = open_base(
        config.base_model,
        chat_template=config.chat_template,
        texts=lambda: (message.content for example in examples for message in example.messages),
        seed=context.seed,
    )
    limit = _limit(config, base)
    rows, too_long = _render(base, examples, limit, context.progress, "rendering")
    held_out, _ = _render(
        base, _examples(validation_path), limit, context.progress, "rendering validation rows"
    )
    if not rows:
        raise StageError(
            f"none of {len(examples)} training rows has at most {limit} tokens",
            hint="raise train.max_seq_length",
        )
    write_jsonl(context.work / REJECTED_FILE, too_long)
    model: Any = base.model.to(default_device())  # type: ignore[arg-type]
    if config.adapter:
        model = _with_adapter(model, config.adapter)
    total = _total_steps(config, [len(row.input_ids) for row in rows], context.seed)
    with context.progress.task("training", total=total, unit="steps") as task:
        last = train(
            model,
            rows,
            held_out,
            config,
            total_steps=total,
            pad_token_id=int(base.tokenizer.pad_token_id),
            seed=context.seed,
            work=context.work,
            task=task,
        )
    directory = context.work / MODEL_DIR
    save(LanguageModel(model, base.tokenizer), directory)
    details = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "steps": total,
        "supervised_tokens_per_epoch": sum(row.supervised for row in rows),
        "tokens_per_epoch": sum(len(row.input_ids) for row in rows),
        **{name: round(value, 6) for name, value in last.items()},
    }
    write_card(directory, _card(config, details, examples, context.seed))
    remove_checkpoints(context.work)
    reasons = {f"more than {limit} tokens": len(too_long)} if too_long else {}
    counts = Counts(asked=len(examples), kept=len(rows), rejected=len(too_long), reasons=reasons)
    return Result(counts, details)


def _paths(config: TrainConfig, context: Context) -> tuple[Path, Path | None]:
    """Return the training rows, and the validation rows if there are any."""
    if config.examples:
        return config.examples, config.validation
    for stage, file in (("mix", TRAIN_FILE), ("curate", KEPT_FILE), ("generate", EXAMPLES_FILE)):
        if stage in context.inputs:
            held_out = context.inputs[stage] / VALIDATION_FILE if stage == "mix" else config.validation
            return context.inputs[stage] / file, held_out
    raise StageError("there is nothing to train on")


def _examples(path: Path | None) -> list[Example]:
    return [Example.model_validate(row) for _, row in read_jsonl(path)] if path else []


def _limit(config: TrainConfig, base: LanguageModel) -> int:
    positions = base.max_positions
    if positions and config.max_seq_length > positions:
        raise StageError(
            f"train.max_seq_length is {config.max_seq_length} and the model has only {positions} positions",
            hint=f"set train.max_seq_length to at most {positions}",
        )
    return config.max_seq_length


def _render(
    base: LanguageModel, examples: list[Example], limit: int, progress: Progress, what: str
) -> tuple[list[Rendered], list[dict[str, Any]]]:
    renderer = Renderer(base.tokenizer)
    end = base.tokenizer.eos_token_id
    rows: list[Rendered] = []
    too_long: list[dict[str, Any]] = []
    with progress.task(what, total=len(examples), unit="rows") as task:
        for example in examples:
            row = renderer.render(example.messages)
            if len(row.input_ids) > limit:
                too_long.append({"id": example.id, "filter": "max_seq_length", "tokens": len(row.input_ids)})
            else:
                rows.append(row)
            task.advance()
    if rows and not any(
        token == end and learned for token, learned in zip(rows[0].input_ids, rows[0].mask, strict=True)
    ):
        raise TrainingError(
            "the chat template does not let the model learn its end mark, so that it could never stop",
            hint="name another with train.chat_template",
        )
    return rows, too_long


def _with_adapter(model: Any, adapter: LoraConfig) -> Any:
    from peft import LoraConfig as PeftLoraConfig
    from peft import get_peft_model

    targets = adapter.target_modules
    try:
        return get_peft_model(
            model,
            PeftLoraConfig(
                r=adapter.r,
                lora_alpha=adapter.lora_alpha,
                lora_dropout=adapter.lora_dropout,
                target_modules=targets if isinstance(targets, str) else list(targets),
                task_type="CAUSAL_LM",
            ),
        )
    except ValueError as error:
        raise TrainingError(f"train.adapter: {error}") from error


def _total_steps(config: TrainConfig, lengths: list[int], seed: int) -> int:
    per_epoch = len(micro_batches(lengths, config.per_device_batch_size, seed, 0))
    steps = math.ceil(per_epoch * config.num_epochs / config.gradient_accumulation_steps)
    return max(1, min(steps, config.max_steps or steps))


def _card(config: TrainConfig, details: dict[str, Any], examples: list[Example], seed: int) -> dict[str, Any]:
    base = config.base_model.model_dump(mode="json") | {"seed": seed}
    return {"notice": config.notice, "base": base, "training": details, "sources": _sources(examples)}


def _sources(examples: list[Example]) -> list[dict[str, Any]]:
    """Return where the rows came from, with how many and their licence."""
    found: dict[tuple[str, str, str | None], int] = {}
    for example in examples:
        key = (example.origin.kind, example.origin.name, example.origin.license)
        found[key] = found.get(key, 0) + 1
    return [
        {"kind": kind, "name": name, "license": license_, "rows": rows}
        for (kind, name, license_), rows in sorted(found.items(), key=lambda item: str(item[0]))
    ]

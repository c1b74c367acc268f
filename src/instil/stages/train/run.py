"""From the mixture's rows to a saved model: what stands around the loop."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from functools import partial
from typing import Any

from instil.data.progress import Progress
from instil.errors import StageError, TrainingError
from instil.models.card import write_card
from instil.models.load import LanguageModel, default_device, open_base, read_sizes, save
from instil.models.render import Renderer
from instil.models.token_store import Tokens
from instil.stages.base import Context, Result
from instil.stages.train import LoraConfig, TrainConfig
from instil.stages.train.batches import micro_batches
from instil.stages.train.checkpoint import remove_checkpoints
from instil.stages.train.checks import Finding, check_rows, check_sizes
from instil.stages.train.loop import train
from instil.stages.train.rows import Tally, read_examples, row_paths, store_rows

MODEL_DIR = "model"
TOKENS_DIR = "tokens"


def run(config: TrainConfig, context: Context) -> Result:
    """Train and save; the model lies in `model/` with its tokenizer, template and card."""
    train_path, validation_path = row_paths(config, context.inputs)
    base = open_base(
        config.base_model,
        chat_template=config.chat_template,
        texts=lambda: (m.content for example in read_examples(train_path) for m in example.messages),
        seed=context.seed,
    )
    sizes = read_sizes(config.base_model)
    _stop_or_say(check_sizes(config, base.tokenizer, sizes), context.progress)
    renderer = Renderer(base.tokenizer, config.loss_on)
    store = partial(
        store_rows,
        renderer=renderer,
        config=config,
        end=base.tokenizer.eos_token_id,
        seed=context.seed,
        progress=context.progress,
    )
    rows, tally = store(train_path, context.work / TOKENS_DIR / "train", lists=context.work)
    if not rows:
        raise StageError(
            f"none of {tally.asked} training rows can be used: "
            + "; ".join(f"{number} × {reason}" for reason, number in tally.reasons.most_common()),
            hint="raise train.max_seq_length, or look at the rows with `instil preview`",
        )
    _stop_or_say([each for each in check_rows(base.tokenizer, tally) if each.fatal], context.progress)
    held_out: Sequence[Tokens] = ()
    held_out_tally = Tally()
    if validation_path:
        held_out, held_out_tally = store(validation_path, context.work / TOKENS_DIR / "validation")
    model: Any = base.model.to(default_device())  # type: ignore[arg-type]
    if config.adapter:
        model = _with_adapter(model, config.adapter)
    total = _total_steps(config, rows.lengths, context.seed)
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
        "supervised_tokens_per_epoch": rows.header.supervised,
        "tokens_per_epoch": rows.header.tokens,
        **_left_out(tally, held_out_tally),
        **{name: round(value, 6) for name, value in last.items()},
    }
    write_card(directory, _card(config, details, tally, context.seed))
    remove_checkpoints(context.work)
    shutil.rmtree(context.work / TOKENS_DIR)
    return Result(tally.counts, details)


def _left_out(tally: Tally, held_out: Tally) -> dict[str, int]:
    """Return what is not told by the counts of training rows, where there is anything."""
    found = {
        "cut_rows": tally.cut,
        "split_rows": tally.split,
        "messages_left_out": tally.messages_left_out,
        "validation_rows_left_out": held_out.reasons.total(),
        "validation_rows_shortened": held_out.cut + held_out.split,
    }
    return {name: number for name, number in found.items() if number}


def _stop_or_say(findings: Sequence[Finding], progress: Progress) -> None:
    """Tell what was found.

    Raises:
        TrainingError: training would come to nothing.
    """
    for finding in findings:
        if finding.fatal:
            raise TrainingError(finding.text, hint=finding.hint)
        progress.say(f"train: {finding.text}" + (f" ({finding.hint})" if finding.hint else ""))


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


def _card(config: TrainConfig, details: dict[str, Any], tally: Tally, seed: int) -> dict[str, Any]:
    base = config.base_model.model_dump(mode="json") | {"seed": seed}
    sources = [
        {"kind": kind, "name": name, "license": license_, "rows": rows}
        for (kind, name, license_), rows in sorted(tally.sources.items(), key=str)
    ]
    return {"notice": config.notice, "base": base, "training": details, "sources": sources}

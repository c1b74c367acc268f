"""The training loop, top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from instil.data.jsonl import JsonlWriter, read_jsonl, write_jsonl
from instil.data.progress import Task
from instil.errors import TrainingError
from instil.models.token_store import Tokens, TokenStore
from instil.stages.train import TrainConfig
from instil.stages.train.batches import IGNORED, Batch, collate, steps
from instil.stages.train.checkpoint import Position, load_checkpoint, save_checkpoint

METRICS_FILE = "metrics.jsonl"


def train(
    model: nn.Module,
    rows: TokenStore,
    validation: Sequence[Tokens],
    config: TrainConfig,
    *,
    total_steps: int,
    pad_token_id: int,
    seed: int,
    work: Path,
    task: Task,
) -> dict[str, float]:
    """Train `model` in place and return the last measurements.

    Continues from the checkpoint in `work` if there is one; the result is the same as without the
    interruption. Losses are nats per learned token.

    Raises:
        TrainingError: the loss or gradient is not finite.
    """
    device = next(model.parameters()).device
    torch.manual_seed(seed)
    optimizer = make_optimizer(model, config)
    position = load_checkpoint(work, model, optimizer)
    done = position.step
    metrics_path = work / METRICS_FILE
    write_jsonl(metrics_path, [row for _, row in list(read_jsonl(metrics_path)) if row["step"] <= done])
    task.advance(done)
    model.train()
    loss_sum, token_sum, last = position.loss_sum, position.token_sum, dict[str, float]()
    started, tokens_seen = time.monotonic(), 0
    plan = steps(
        rows.lengths,
        size=config.per_device_batch_size,
        accumulate=config.gradient_accumulation_steps,
        seed=seed,
        total=total_steps,
    )
    with JsonlWriter(metrics_path) as metrics:
        for step, step_batches in enumerate(plan, start=1):
            if step <= done:
                continue
            batches = [collate([rows[index] for index in indices], pad_token_id) for indices in step_batches]
            supervised = sum(batch.supervised for batch in batches)
            learning_rate = scheduled(config, step, total_steps)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            step_loss = 0.0
            for batch in batches:
                loss = batch_loss(model, batch, device)
                # The mean over the tokens of all batches of the step, however they are divided.
                (loss / max(1, supervised)).backward()  # type: ignore[no-untyped-call]
                step_loss += float(loss.detach())
            grad_norm = clip_grad_norm_(model.parameters(), config.max_grad_norm)
            if not (math.isfinite(step_loss) and bool(grad_norm.isfinite())):
                raise TrainingError(
                    f"loss or gradient is not finite at step {step}",
                    hint="the last checkpoint is kept; lower train.learning_rate",
                )
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

            loss_sum, token_sum = loss_sum + step_loss, token_sum + supervised
            tokens_seen += sum(int(batch.attention_mask.sum()) for batch in batches)
            measures = bool(validation) and (step % config.eval_every == 0 or step == total_steps)
            if measures or step % config.log_every == 0 or step == total_steps:
                last["loss"] = loss_sum / max(1, token_sum)
                loss_sum, token_sum = 0.0, 0
                row = {
                    "step": step,
                    "loss": last["loss"],
                    "grad_norm": float(grad_norm),
                    "learning_rate": learning_rate,
                }
                if measures:
                    last["validation_loss"] = mean_loss(
                        model, validation, config.per_device_batch_size, pad_token_id
                    )
                    row["validation_loss"] = last["validation_loss"]
                metrics.append(row)
            if step % config.checkpoint_every == 0 and step < total_steps:
                metrics.sync()
                save_checkpoint(work, Position(step, loss_sum, token_sum), model, optimizer)
            task.advance(1, _line(last, tokens_seen / (time.monotonic() - started)))
        metrics.sync()
    return last


def batch_loss(model: nn.Module, batch: Batch, device: torch.device) -> torch.Tensor:
    """Return the sum of the losses of a batch's learned tokens, in nats.

    The output head is computed only at columns where some row has something to learn.
    """
    labels = batch.labels.to(device)
    columns = (labels != IGNORED).any(0).nonzero().squeeze(1)
    output: Any = model(
        input_ids=batch.input_ids.to(device),
        attention_mask=batch.attention_mask.to(device),
        use_cache=False,
        logits_to_keep=columns,
    )
    return cross_entropy(
        output.logits.float().flatten(0, 1),
        labels[:, columns].flatten(),
        ignore_index=IGNORED,
        reduction="sum",
    )


@torch.no_grad()
def mean_loss(model: nn.Module, rows: Sequence[Tokens], size: int, pad_token_id: int) -> float:
    """Return the loss per learned token over all rows, in nats; the model trains on afterwards."""
    device = next(model.parameters()).device
    model.eval()
    total, tokens = 0.0, 0
    order = sorted(rows, key=lambda row: len(row.input_ids))
    for start in range(0, len(order), size):
        batch = collate(order[start : start + size], pad_token_id)
        total += float(batch_loss(model, batch, device))
        tokens += batch.supervised
    model.train()
    return total / max(1, tokens)


def scheduled(config: TrainConfig, step: int, total: int) -> float:
    """Return the learning rate of a step, counted from 1."""
    warmup = math.ceil(total * config.warmup_ratio)
    if step <= warmup:
        return config.learning_rate * step / warmup
    progress = (step - warmup) / max(1, total - warmup)
    match config.lr_scheduler:
        case "linear":
            return config.learning_rate * (1 - progress)
        case "cosine":
            return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
    return config.learning_rate


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW over what is trainable, with weight decay on matrices only."""
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [p for p in trainable if p.ndim >= 2 and id(p) not in embeddings]
    others = [p for p in trainable if p.ndim < 2 or id(p) in embeddings]
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        betas=(0.9, config.adam_beta2),
        fused=True,
    )


def _line(last: dict[str, float], tokens_per_second: float) -> str:
    parts = [f"{name.replace('_', ' ')} {value:.3f}" for name, value in last.items()]
    return ", ".join([*parts, f"{tokens_per_second:,.0f} tokens/s"])

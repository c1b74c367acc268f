"""How likely a model finds given answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from instil.models.load import LanguageModel
from instil.models.render import Rendered


@torch.inference_mode()
def answer_losses(language_model: LanguageModel, rows: Sequence[Rendered], batch_size: int) -> list[float]:
    """Return the summed loss of each row's learned tokens in nats, in the order of `rows`."""
    model: Any = language_model.model
    device = next(model.parameters()).device
    pad = language_model.tokenizer.pad_token_id
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].input_ids))
    losses = [0.0] * len(rows)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        width = max(len(rows[index].input_ids) for index in chosen)
        ids = torch.tensor([[*rows[i].input_ids, *[pad] * (width - len(rows[i].input_ids))] for i in chosen])
        real = torch.tensor(
            [[1] * len(rows[i].input_ids) + [0] * (width - len(rows[i].input_ids)) for i in chosen]
        )
        learned = torch.tensor([[*rows[i].mask, *[False] * (width - len(rows[i].mask))] for i in chosen])
        ids, learned = ids.to(device), learned[:, 1:].to(device)
        logits = model(input_ids=ids, attention_mask=real.to(device), use_cache=False).logits[:, :-1]
        per_token = cross_entropy(logits.float().transpose(1, 2), ids[:, 1:], reduction="none")
        for index, total in zip(chosen, (per_token * learned).sum(1).tolist(), strict=True):
            losses[index] = total
    return losses

"""Rows of tokens to batches of tensors, in an order that depends on the seed and the epoch only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from instil.data.random import stream
from instil.models.render import Rendered

IGNORED = -100
_BUCKET = 8  # batches whose rows are sorted by length together; more saves padding and mixes less


@dataclass(frozen=True)
class Batch:
    """Padded rows on the right; all tensors have shape (rows, longest row)."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor
    """The next token where it is learned, else IGNORED; so labels[:, i] belongs to logits[:, i]."""
    supervised: int
    """How many tokens are learned."""


def collate(rows: Sequence[Rendered], pad_token_id: int) -> Batch:
    """Return rows as one batch."""
    width = max(len(row.input_ids) for row in rows)
    input_ids = torch.full((len(rows), width), pad_token_id)
    attention = torch.zeros((len(rows), width), dtype=torch.long)
    labels = torch.full((len(rows), width), IGNORED)
    for index, row in enumerate(rows):
        ids, mask = torch.tensor(row.input_ids), torch.tensor(row.mask)
        input_ids[index, : len(ids)] = ids
        attention[index, : len(ids)] = 1
        labels[index, : len(ids) - 1] = torch.where(mask[1:], ids[1:], IGNORED)
    return Batch(input_ids, attention, labels, int((labels != IGNORED).sum()))


def micro_batches(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[list[int]]:
    """Return the row indices of every batch of one epoch: shuffled, and rows of like length together."""
    rng = stream(seed, "batches", epoch)
    order = rng.sample(range(len(lengths)), len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(order), size * _BUCKET):
        bucket = sorted(order[start : start + size * _BUCKET], key=lambda index: lengths[index])
        batches += [bucket[first : first + size] for first in range(0, len(bucket), size)]
    rng.shuffle(batches)
    return batches


def steps(
    lengths: Sequence[int], *, size: int, accumulate: int, seed: int, total: int
) -> Iterator[list[list[int]]]:
    """Yield for each of `total` optimizer steps the row indices of its batches; epochs follow each other."""
    epoch, done = 0, 0
    waiting: list[list[int]] = []
    while done < total:
        waiting += micro_batches(lengths, size, seed, epoch)
        epoch += 1
        while len(waiting) >= accumulate and done < total:
            yield waiting[:accumulate]
            waiting = waiting[accumulate:]
            done += 1

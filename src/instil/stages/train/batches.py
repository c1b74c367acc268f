"""Rows of tokens to batches of tensors, in an order that depends on the seed and the epoch only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from instil.data.random import stream
from instil.models.render import Rendered
from instil.models.token_store import Tokens

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


def collate(rows: Sequence[Rendered | Tokens], pad_token_id: int) -> Batch:
    """Return rows as one batch."""
    shape = len(rows), max(len(row.input_ids) for row in rows)
    input_ids = np.full(shape, pad_token_id)
    attention = np.zeros(shape, dtype=np.int64)
    learned = np.zeros(shape, dtype=np.bool_)
    for index, row in enumerate(rows):
        size = len(row.input_ids)
        input_ids[index, :size] = row.input_ids
        attention[index, :size] = 1
        learned[index, :size] = row.mask
    labels = np.full(shape, IGNORED)
    np.copyto(labels[:, :-1], input_ids[:, 1:], where=learned[:, 1:])
    return Batch(
        torch.from_numpy(input_ids),
        torch.from_numpy(attention),
        torch.from_numpy(labels),
        int(learned[:, 1:].sum()),
    )


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

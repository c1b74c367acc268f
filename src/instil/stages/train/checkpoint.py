"""Save and continue training, whole or not at all, in safetensors and JSON.

A continued run is the same run: weights, both moments of the optimizer, the state of the random
numbers, the step and what is not logged yet are kept; the data position follows from the step.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from instil.store.atomic import atomic_write, sync_directory, writing

CHECKPOINTS = "checkpoints"
_TENSORS, _STATE = "state.safetensors", "state.json"


@dataclass(frozen=True)
class Position:
    """How far training has come."""

    step: int = 0
    loss_sum: float = 0.0
    """Nats since the last row of metrics.jsonl …"""
    token_sum: int = 0
    """… and the learned tokens that they belong to."""


def save_checkpoint(
    work: Path, position: Position, model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write a checkpoint and remove older ones."""
    directory = work / CHECKPOINTS
    final, temporary = directory / f"step-{position.step:08d}", directory / "writing"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    tensors: dict[str, torch.Tensor] = {f"model.{name}": p for name, p in _trainable(model).items()}
    tensors["random"] = torch.get_rng_state()
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    # Tied weights share storage, which the format refuses; a copy is what is written anyway.
    copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    with writing(temporary, SafetensorError):
        save_file(copies, temporary / _TENSORS)
    with atomic_write(temporary / _STATE) as file:
        file.write(json.dumps(asdict(position)).encode())
    shutil.rmtree(final, ignore_errors=True)
    temporary.rename(final)
    sync_directory(directory)
    for older in directory.glob("step-*"):
        if older != final:
            shutil.rmtree(older)


def load_checkpoint(work: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Position:
    """Restore the last whole checkpoint and return where it was; the start if there is none."""
    found = sorted((work / CHECKPOINTS).glob(f"step-*/{_STATE}"))
    if not found:
        return Position()
    directory = found[-1].parent
    tensors = load_file(directory / _TENSORS)
    with torch.no_grad():
        for name, parameter in _trainable(model).items():
            parameter.copy_(tensors[f"model.{name}"])
    torch.set_rng_state(tensors["random"])
    _restore(optimizer, tensors)
    return Position(**json.loads(found[-1].read_text(encoding="utf-8")))


def remove_checkpoints(work: Path) -> None:
    """Remove all checkpoints; the finished model stands for them."""
    shutil.rmtree(work / CHECKPOINTS, ignore_errors=True)


def _trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _restore(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    full = optimizer.state_dict()
    states: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            states.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": states, "param_groups": full["param_groups"]})

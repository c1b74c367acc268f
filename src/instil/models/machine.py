"""What this machine has to compute with."""

from __future__ import annotations

import torch


def gpu() -> str:
    """Return the GPUs that torch can use, in words."""
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name(0)}, {memory:,.0f} GiB"
    return "Apple (mps)" if torch.backends.mps.is_available() else "none; training runs on the CPU"

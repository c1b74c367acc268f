"""The settings with which an answer is drawn. Reading this file loads no framework."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Decoding:
    """How an answer is drawn."""

    temperature: float = 0.0
    """0 takes the likeliest token each time (greedy)."""
    top_k: int = 0
    """Draw among the `top_k` likeliest tokens; 0 for all."""
    top_p: float = 1.0
    """Draw among the likeliest tokens that together have this probability."""
    repetition_penalty: float = 1.0
    """Divide the logits of tokens that were seen by this (CTRL, arXiv 1909.05858); 1 for none."""
    max_tokens: int = 256
    seed: int | None = None


@dataclass(frozen=True)
class BatchDecoding(Decoding):
    """How the answers of one batch are drawn; `seed` is not used, each row has its own."""

    stop: tuple[str, ...] = ()
    """Texts that end an answer; they are cut off with what follows."""
    frequency_penalty: float = 0.0
    """Lower a token's logit by this for each time it stands in the answer."""
    presence_penalty: float = 0.0
    """Lower a token's logit by this if it stands in the answer at all."""

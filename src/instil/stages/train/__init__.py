"""Fine-tune a causal language model on the mixture. Reading this file loads no framework."""

from __future__ import annotations

import importlib.util
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from instil.config.base import Config, InputFile, Items, RuntimeOnly
from instil.errors import MissingPackage
from instil.models.base_model import BaseModelConfig, ScratchConfig
from instil.models.fit import TooLong
from instil.models.render import LossOn
from instil.models.templates import TEMPLATES
from instil.stages.base import Context, Result, Stage


class LoraConfig(Config):
    """Low-rank adapters (LoRA, arXiv 2106.09685); the base stays as it is."""

    kind: Literal["lora"]
    r: int = Field(default=16, gt=0)
    """Rank of the update."""
    lora_alpha: int = Field(default=16, gt=0)
    """The update is scaled by lora_alpha / r."""
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the adapter."""
    target_modules: Literal["all-linear"] | Annotated[tuple[str, ...], Items] = "all-linear"
    """Names of the layers that get an adapter, or all linear ones but the output head."""


class TrainConfig(Config):
    """Supervised fine-tuning; the loss is taken on the assistant's words and end marks."""

    base_model: BaseModelConfig
    """What the student starts from: a directory, a hub id, `tiny`, or an architecture from scratch."""
    chat_template: str | None = None
    """chatml, hugchat or alpaca; by default the model's own, and chatml for a model from scratch."""
    adapter: LoraConfig | None = None
    """Train adapters instead of all weights."""
    examples: InputFile | None = None
    """Training rows, where the recipe has no stage that makes them."""
    validation: InputFile | None = None
    """Validation rows, where the recipe has no `mix`."""
    learning_rate: float = Field(default=2e-5, gt=0)
    """Highest learning rate."""
    lr_scheduler: Literal["constant", "linear", "cosine"] = "cosine"
    """How the learning rate falls after the warm-up; linear and cosine end at zero."""
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1)
    """Share of the steps in which the learning rate rises from zero."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay of matrices; not of biases, norms and embeddings."""
    adam_beta2: float = Field(default=0.999, gt=0, lt=1)
    """Decay of the second moment of AdamW."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are clipped to this norm."""
    num_epochs: float = Field(default=3.0, gt=0)
    """Passes over the training rows."""
    max_steps: int | None = Field(default=None, gt=0)
    """Stop after this many steps, if the epochs are not over before."""
    per_device_batch_size: int = Field(default=8, gt=0)
    """Rows in one forward pass."""
    gradient_accumulation_steps: int = Field(default=1, gt=0)
    """Forward passes in one step; the loss is the mean over the tokens of all of them."""
    max_seq_length: int = Field(default=1024, gt=1)
    """Tokens that a row may have."""
    too_long: TooLong = "cut"
    """What becomes of a row with more tokens: `cut` leaves out its last turns, so that it ends with the last
    answer that fits; `split` makes several rows of it, each with the system prompt; `reject` leaves it out. A
    row of which no whole turn fits is left out. All are counted, and listed in rejected.jsonl and
    shortened.jsonl."""
    loss_on: LossOn = "assistant"
    """What is learned: every answer of the assistant with its end mark, only the last one, or every token, as
    in pretraining."""
    eval_every: int = Field(default=100, gt=0)
    """Steps between measurements of the validation loss."""
    log_every: int = Field(default=10, gt=0)
    """Steps between rows of metrics.jsonl."""
    checkpoint_every: Annotated[int, RuntimeOnly] = Field(default=100, gt=0)
    """Steps between checkpoints, from which an interrupted run goes on."""
    notice: str | None = None
    """A sentence for the model card and the chat banner: what this model is, and what it is not."""

    @field_validator("chat_template")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in TEMPLATES:
            raise ValueError(f"{value!r} is not one of {', '.join(TEMPLATES)}")
        return value

    @model_validator(mode="after")
    def _adapter_has_a_base(self) -> TrainConfig:
        if self.adapter and isinstance(self.base_model, ScratchConfig):
            raise ValueError(
                "an adapter needs a pretrained base_model; random weights have to be trained in full"
            )
        return self


def _run(config: TrainConfig, context: Context) -> Result:
    from instil.stages.train.run import run  # imports torch

    return run(config, context)


def _preflight(config: TrainConfig) -> None:
    for package in ("torch", "transformers", "safetensors", *(["peft"] if config.adapter else [])):
        if importlib.util.find_spec(package) is None:
            raise MissingPackage("train", package, "train")


TRAIN = Stage[TrainConfig](
    name="train", version=2, reads=(("mix", "curate", "generate"),), run=_run, preflight=_preflight
)

"""What is wrong with tokenizer, template and rows, found before the first step of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instil.stages.train import TrainConfig
from instil.stages.train.rows import Tally

if TYPE_CHECKING:
    from instil.models.load import Sizes


@dataclass(frozen=True)
class Finding:
    """Something that a user should know before training."""

    text: str
    hint: str | None = None
    fatal: bool = False
    """Whether training is refused."""


def check_sizes(config: TrainConfig, tokenizer: Any, sizes: Sizes) -> list[Finding]:
    """Return what does not fit: rows and the model's positions, token ids and its embeddings.

    Args:
        config: says how long rows are, and what is trained.
        tokenizer: as the student will have it.
        sizes: of the base, before its embeddings are made to fit.
    """
    found = []
    if sizes.positions and config.max_seq_length > sizes.positions:
        found.append(
            Finding(
                f"train.max_seq_length is {config.max_seq_length} and the model has only "
                f"{sizes.positions} positions",
                f"set train.max_seq_length to at most {sizes.positions}",
                fatal=True,
            )
        )
    if sizes.embeddings is None:
        return found
    highest = max(tokenizer.get_vocab().values())
    if highest >= max(sizes.embeddings, len(tokenizer)):
        found.append(
            Finding(
                f"the tokenizer has token ids up to {highest:,}, and the model embeddings for "
                f"{sizes.embeddings:,} tokens",
                "the tokenizer does not belong to the model; name another base_model",
                fatal=True,
            )
        )
    elif len(tokenizer) > sizes.embeddings:
        new = len(tokenizer) - sizes.embeddings
        text = f"{new} tokens are new to the model and begin with the mean of its embeddings"
        if config.adapter:
            text += "; an adapter leaves embeddings as they are, so they will not be learned"
        hint = "train without an adapter, or keep the model's own chat template" if config.adapter else None
        found.append(Finding(text, hint))
    return found


def check_rows(tokenizer: Any, tally: Tally) -> list[Finding]:
    """Return what the rendered rows do not let the model learn."""
    found = []
    if tally.rows and not tally.ends:
        found.append(
            Finding(
                "the chat template does not let the model learn its end mark "
                f"{tokenizer.eos_token}, so that it could never stop",
                "name another with train.chat_template",
                fatal=True,
            )
        )
    elif tally.ends < tally.rows:
        found.append(Finding(f"in {tally.rows - tally.ends:,} of {tally.rows:,} rows no end mark is learned"))
    if tally.rows and tokenizer.pad_token_id == tokenizer.eos_token_id:
        found.append(
            Finding(
                f"{tokenizer.eos_token} is the end mark and also fills up batches; it is learned all the "
                "same, because the mask decides and not the token"
            )
        )
    return found

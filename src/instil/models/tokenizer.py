"""Train a tokenizer, and give one a chat template with its end mark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from instil.errors import RecipeError
from instil.models.templates import TEMPLATES, ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

END_OF_TEXT = "<|endoftext|>"


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerBase:
    """Return a byte-level BPE tokenizer (as GPT-2's) with at most `vocab_size` entries.

    Bytes are the alphabet, so any text of any language can be written; entries for Chinese are
    learned from runs of characters between punctuation.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            # Punctuation ends a word in Chinese too; digits stand alone; a space leads its word.
            pre_tokenizers.Split(Regex(r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        min_frequency=2,
    )
    tokenizer.train_from_iterator(_pieces(texts), trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=END_OF_TEXT, pad_token=END_OF_TEXT
    )


def give_template(tokenizer: PreTrainedTokenizerBase, name: str | None) -> None:
    """Set the named chat template, its special tokens and its end mark; None keeps the tokenizer's own.

    Raises:
        RecipeError: the tokenizer has no template and none is named.
    """
    if name is None:
        if not tokenizer.chat_template:
            raise RecipeError(
                "train.chat_template: the base model has no chat template of its own",
                hint=f"name one: {', '.join(TEMPLATES)}",
            )
    else:
        _set(tokenizer, TEMPLATES[name])
    if tokenizer.eos_token is None:
        raise RecipeError("the tokenizer has no end-of-text token; the model could never end an answer")
    if tokenizer.pad_token is None:
        # Only fills batches; what is learned is decided by the mask, so this hides nothing.
        tokenizer.pad_token = tokenizer.eos_token


def _set(tokenizer: PreTrainedTokenizerBase, template: ChatTemplate) -> None:
    new = [token for token in template.special_tokens if token not in tokenizer.get_vocab()]
    if new:
        tokenizer.add_tokens(new, special_tokens=True)
    if template.end_of_turn:
        tokenizer.eos_token = template.end_of_turn
    tokenizer.chat_template = template.source


def _pieces(texts: Iterable[str], size: int = 1000) -> Iterator[list[str]]:
    """Yield the texts in lists, which the trainer reads faster."""
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == size:
            yield batch
            batch = []
    yield batch

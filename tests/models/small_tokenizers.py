"""Small real tokenizers of the kinds that models have, each trained in a moment."""

from __future__ import annotations

from functools import cache
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import ByT5Tokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from instil.models.tokenizer import give_template, train_tokenizer
from tests.tiny import TEXTS

ENGLISH = (
    "Yes, the answer is 42. No, it isn't; we'll see what they've said. Where do I go with a cough? "
    'Please see Respiratory Medicine.\n\nA cough of three weeks needs a look.\n\nHe said: "I\'m here".\n\n'
)
SPLITS = {
    "gpt2": None,
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
}
"""How byte-level tokenizers find words; None: as `ByteLevel` does."""
KINDS = (*SPLITS, "instil", "llama2", "byt5")


@cache
def small_tokenizer(kind: str, template: str = "chatml") -> PreTrainedTokenizerBase:
    """Return a tokenizer of a kind with a packaged chat template; no test may change it."""
    found = _tokenizer(kind)
    give_template(found, template)
    return found


def _tokenizer(kind: str) -> PreTrainedTokenizerBase:
    if kind == "instil":
        return train_tokenizer([*TEXTS, ENGLISH] * 20, 700)
    if kind == "byt5":
        slow: PreTrainedTokenizerBase = ByT5Tokenizer(extra_ids=0)
        return slow
    backend = _like_llama2() if kind == "llama2" else _byte_level(SPLITS[kind])
    if kind == "qwen2":
        backend.normalizer = normalizers.NFC()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, eos_token="<|endoftext|>", unk_token="<unk>" if kind == "llama2" else None
    )


def _byte_level(split: str | None) -> Tokenizer:
    backend = Tokenizer(models.BPE())
    if split is None:
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        parts: list[Any] = [
            pre_tokenizers.Split(Regex(split), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
        backend.pre_tokenizer = pre_tokenizers.Sequence(parts)
    backend.decoder = decoders.ByteLevel()
    _train(backend, pre_tokenizers.ByteLevel.alphabet(), ["<|endoftext|>"])
    return backend


def _like_llama2() -> Tokenizer:
    """Return one that writes spaces as ▁, and one more before every text."""
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    # Without a pre-tokenizer every text is one word, from which nothing could be learned.
    backend.pre_tokenizer = pre_tokenizers.Split(Regex("▁?[^▁]+|▁"), behavior="isolated")
    _train(backend, [chr(code) for code in (10, *range(33, 127))], ["<unk>", "<|endoftext|>"])
    backend.pre_tokenizer = None
    return backend


def _train(backend: Tokenizer, alphabet: list[str], special: list[str]) -> None:
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator([*TEXTS, ENGLISH] * 20, trainer)

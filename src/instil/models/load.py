"""Open a base model, a trained model or an adapter; save one so that other tools can open it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from instil.errors import RecipeError, RequestError
from instil.models.base_model import BaseModelConfig, ScratchConfig, TokenizerFiles
from instil.models.card import read_card
from instil.models.tokenizer import give_template, train_tokenizer
from instil.store.atomic import writing

transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]

ADAPTER_CONFIG = "adapter_config.json"
Texts = Callable[[], Iterable[str]]


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model with its tokenizer and chat template."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def max_positions(self) -> int | None:
        """The longest sequence of tokens that the model can read, if it has a limit."""
        return getattr(self.model.config, "max_position_embeddings", None)


def open_base(
    config: BaseModelConfig, *, chat_template: str | None, texts: Texts, seed: int
) -> LanguageModel:
    """Return the model that a student starts from.

    Args:
        config: a pretrained model, or an architecture for random weights.
        chat_template: name of a template, or None for the model's own.
        texts: the training text, for a tokenizer that is trained on it.
        seed: decides random weights, also those of new tokens.

    Raises:
        RecipeError: the model cannot be opened; says where it was looked for.
    """
    torch.manual_seed(seed)
    tokenizer = open_tokenizer(config, chat_template=chat_template, texts=texts)
    if isinstance(config, ScratchConfig):
        return LanguageModel(_random(config, tokenizer), tokenizer)
    model = _pretrained(config.path, config.revision)
    _fit_vocabulary(model, tokenizer)
    _set_end(model, tokenizer)
    return LanguageModel(model, tokenizer)


def open_tokenizer(
    config: BaseModelConfig, *, chat_template: str | None, texts: Texts
) -> PreTrainedTokenizerBase:
    """Return the tokenizer of the model that a student starts from, with the chat template it will have.

    Takes what `open_base` takes, and loads no weights.

    Raises:
        RecipeError: the tokenizer cannot be opened, or has no chat template and none is named.
    """
    if isinstance(config, ScratchConfig):
        tokenizer = _tokenizer(config, texts)
        give_template(tokenizer, chat_template or "chatml")
        return tokenizer
    with _explained(config.path):
        tokenizer = AutoTokenizer.from_pretrained(config.path, revision=config.revision)
    give_template(tokenizer, chat_template)
    return tokenizer


@dataclass(frozen=True)
class Sizes:
    """What a model can read; None where there is no limit."""

    positions: int | None
    """Tokens in a row."""
    embeddings: int | None
    """Token ids, of which the highest is one less."""


def read_sizes(config: BaseModelConfig) -> Sizes:
    """Return what a student's base can read before its tokenizer is fitted to it; loads no weights.

    Raises:
        RecipeError: its configuration cannot be read.
    """
    if isinstance(config, ScratchConfig):
        full = _architecture(config, {})
        return Sizes(getattr(full, "max_position_embeddings", None), None)
    with _explained(config.path):
        full = AutoConfig.from_pretrained(config.path, revision=config.revision)
    return Sizes(getattr(full, "max_position_embeddings", None), getattr(full, "vocab_size", None))


def open_untrained(path: str) -> LanguageModel:
    """Return the model that the one in `path` started from, for comparison.

    A pretrained base is opened; random weights are drawn again with the same seed. Either reads the
    tuned model's tokens and chat template, as the student did at its first step.

    Raises:
        RequestError: `path` does not say what it started from, or that is gone.
    """
    base = read_card(Path(path)).get("base")
    if not base:
        raise RequestError(
            f"{path!r} does not say which model it started from", hint="set evaluate.baseline: none"
        )
    tokenizer = AutoTokenizer.from_pretrained(path)
    torch.manual_seed(base["seed"])
    model: Any
    if base["kind"] == "pretrained":
        model = _pretrained(base["path"], base["revision"])
        _fit_vocabulary(model, tokenizer)
        _set_end(model, tokenizer)
    else:
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(path))  # type: ignore[no-untyped-call]
    return LanguageModel(model.eval(), tokenizer)


def open_trained(path: str, *, revision: str = "main", dtype: str = "auto") -> LanguageModel:
    """Return a model from a directory or the hub; an adapter is merged into its base.

    Args:
        path: a directory or a hub id.
        revision: of a hub model.
        dtype: name of a floating-point type of torch, or `auto` for the one in which it was saved.

    Raises:
        RequestError: it is no model, or its weights are pickled.
    """
    directory = Path(path)
    if directory.exists() and not directory.is_dir():
        raise RequestError(f"{path!r} is a file; a model is a directory")
    adapter = directory / ADAPTER_CONFIG
    model: Any
    with _explained(path):
        tokenizer = AutoTokenizer.from_pretrained(path, revision=revision)
        if adapter.is_file():
            from peft import PeftModel

            base = str(json.loads(adapter.read_text(encoding="utf-8"))["base_model_name_or_path"])
            model = AutoModelForCausalLM.from_pretrained(
                _beside(directory, base), use_safetensors=True, dtype=dtype
            )
            _fit_vocabulary(model, tokenizer)
            model = PeftModel.from_pretrained(model, path).merge_and_unload()
        else:
            model = AutoModelForCausalLM.from_pretrained(
                path, revision=revision, use_safetensors=True, dtype=dtype
            )
    model.eval()
    return LanguageModel(model, tokenizer)


def save(language_model: LanguageModel, directory: Path) -> None:
    """Write weights as safetensors, the tokenizer and its chat template into a directory.

    Raises:
        StoreError: the disk is full or the place cannot be written.
    """
    with writing(directory, SafetensorError):
        directory.mkdir(parents=True, exist_ok=True)
        language_model.model.save_pretrained(directory)
        language_model.tokenizer.save_pretrained(directory)


def default_device() -> torch.device:
    """Return the fastest device there is: CUDA, Apple's GPU, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def find_device(name: str) -> torch.device:
    """Return the device of that name; `auto` is the fastest there is.

    Raises:
        RequestError: this machine has no such device.
    """
    if name == "auto":
        return default_device()
    device = torch.device(name)
    here = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= here.get(device.type, 0):
        there = ", ".join(kind for kind, count in here.items() if count)
        raise RequestError(f"there is no device {name!r} here", hint=f"devices: auto, {there}")
    return device


def _tokenizer(config: ScratchConfig, texts: Texts) -> PreTrainedTokenizerBase:
    if isinstance(config.tokenizer, TokenizerFiles):
        with _explained(str(config.tokenizer.path)):
            return _from_files(config.tokenizer.path)
    return train_tokenizer(texts(), config.tokenizer.vocab_size)


def _from_files(path: Path) -> PreTrainedTokenizerBase:
    """Open a tokenizer directory; one with only `tokenizer.json` gets its end mark by its usual names."""
    if (path / "tokenizer_config.json").is_file():
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(path)
        return tokenizer
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path / "tokenizer.json"))  # type: ignore[no-untyped-call]
    vocabulary = tokenizer.get_vocab()
    tokenizer.eos_token = next((t for t in ("<|endoftext|>", "</s>", "<eos>") if t in vocabulary), None)
    return tokenizer


def _random(config: ScratchConfig, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    ends = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    full = _architecture(config, ends, vocab_size=len(tokenizer))
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_config(full)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, KeyError) as error:
        raise RecipeError(f"train.base_model.architecture: {error}") from error
    _set_end(model, tokenizer)
    return model


def _architecture(config: ScratchConfig, defaults: dict[str, Any], **fixed: Any) -> Any:
    """Return the configuration of a model with random weights; `fixed` is nothing a recipe can change."""
    options = {key: value for key, value in config.architecture.items() if key != "model_type"}
    try:
        return AutoConfig.for_model(config.architecture["model_type"], **{**defaults, **options, **fixed})
    except (ValueError, TypeError, KeyError) as error:
        raise RecipeError(f"train.base_model.architecture: {error}") from error


def _pretrained(path: str, revision: str) -> PreTrainedModel:
    with _explained(path):
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            path, revision=revision, use_safetensors=True, dtype=torch.float32
        )
    return model


def _fit_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give new tokens an embedding; they start at the mean of the others (transformers' default)."""
    embeddings: Any = model.get_input_embeddings()
    if len(tokenizer) > embeddings.num_embeddings:
        model.resize_token_embeddings(len(tokenizer))


def _set_end(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Have every tool end generation at the end-of-turn mark that was learned."""
    for config in (model.config, model.generation_config):
        if config is not None:
            config.eos_token_id = tokenizer.eos_token_id
            config.pad_token_id = tokenizer.pad_token_id


def _beside(adapter: Path, base: str) -> str:
    """Return the base of an adapter; a relative path starts at the adapter."""
    return str(adapter / base) if (adapter / base).is_dir() else base


@contextmanager
def _explained(path: str) -> Any:
    try:
        yield
    except (OSError, ValueError) as error:
        first = str(error).strip().split("\n")[0]
        where = "in the directory" if Path(path).is_dir() else "as a directory or on the hub"
        raise RequestError(
            f"cannot open the model {path!r} {where}: {first}",
            hint="name a directory with config.json, tokenizer.json and *.safetensors; pickled weights "
            "(.bin, .pt) are refused; for a hub model check the name and the network",
        ) from error

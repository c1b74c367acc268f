"""Which model a student starts from. Reading this file loads no framework."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from instil.config.base import Config, InputPath, PlacedText, path_identity

TINY: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
}
"""A Llama shape that learns a demo in about two minutes on two cores."""


def find_model(value: object, files: tuple[str, ...] = ("config.json",)) -> object:
    """Return the directory that a recipe's text names, relative to the recipe, or else the text as a hub id.

    Args:
        value: what stands in the recipe; what is no text is left to others to refuse.
        files: one of these must lie in a directory for it to be a model.

    Raises:
        ValueError: it is neither.
    """
    if not isinstance(value, str):
        return value
    here = value.directory if isinstance(value, PlacedText) else Path()
    directory = here / Path(value).expanduser()
    if directory.is_dir():
        if not any((directory / name).is_file() for name in files):
            raise ValueError(f"{str(directory)!r} is no model: there is no {' or '.join(files)} in it")
        return str(directory.resolve())
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", value):
        raise ValueError(f"no such model directory: {str(directory)!r}")
    return str(value)


class PretrainedConfig(Config):
    """A model of the `transformers` kind: a directory, or a name on the hub."""

    kind: Literal["pretrained"]
    path: str
    """A directory, relative to the recipe, or a hub id such as Qwen/Qwen3-0.6B."""
    revision: str = "main"
    """Branch, tag or commit on the hub; not used for a directory."""

    @field_validator("path", mode="before")
    @classmethod
    def _find(cls, value: object) -> object:
        """Prefer a directory beside the recipe; else take the text for a hub id."""
        return find_model(value)

    def identity(self) -> dict[str, Any]:
        """A directory counts by its content, a hub model by its name and revision."""
        path = Path(self.path)
        if path.is_dir():
            return {"kind": self.kind, "content": path_identity(path)}
        return super().identity()


class TrainedTokenizer(Config):
    """A byte-level BPE tokenizer, trained on the mixture's training rows."""

    kind: Literal["trained"]
    vocab_size: int = Field(default=1500, ge=300)
    """Entries, the 256 bytes and the special tokens included."""


class TokenizerFiles(Config):
    """A tokenizer in files."""

    kind: Literal["files"]
    path: InputPath
    """A directory with `tokenizer.json`, as `transformers` saves it."""


class ScratchConfig(Config):
    """A model with random weights, of any architecture that `transformers` has."""

    kind: Literal["scratch"]
    architecture: dict[str, Any] = Field(default_factory=lambda: dict(TINY))
    """`model_type` and the other keys of a `config.json`; the vocabulary follows the tokenizer."""
    tokenizer: Annotated[TrainedTokenizer | TokenizerFiles, Field(discriminator="kind")] = TrainedTokenizer(
        kind="trained"
    )
    """Where the tokenizer comes from."""

    @field_validator("architecture")
    @classmethod
    def _has_type(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(value.get("model_type"), str):
            raise ValueError("the key 'model_type' is required, for example gpt2 or llama")
        return value


def _expand(value: object) -> object:
    """Let a name stand for a model: `tiny`, or a directory or hub id."""
    if not isinstance(value, str):
        return value
    return {"kind": "scratch"} if value == "tiny" else {"kind": "pretrained", "path": value}


BaseModelConfig = Annotated[
    Annotated[PretrainedConfig | ScratchConfig, Field(discriminator="kind")], BeforeValidator(_expand)
]

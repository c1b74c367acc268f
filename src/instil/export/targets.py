"""The formats that a data set can be exported in, and how other tools are told of them.

To add one, give its `Format` a writer and put it into `TARGETS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from instil.corpora.formats import FORMATS
from instil.data.examples import Example
from instil.data.shards import split_row
from instil.errors import RequestError

Record = Mapping[str, Any]
Feature = dict[str, Any]
"""A column, as the head of a dataset card describes it."""

MODELS = ("gguf", "merged", "ollama")
"""What only a model can be exported to, which is not possible yet."""


@dataclass(frozen=True)
class Target:
    """How a data set of one format looks from outside."""

    name: str
    features: tuple[Feature, ...]
    """Its columns; a reader that only looks at the first rows would miss what later ones have."""
    loads: str
    """What reads it as it is, in a sentence for the card."""
    format: str = ""
    """The format of `corpora/formats` that writes it; empty: the one of the same name."""
    suffix: str = ".jsonl"
    llama_factory: Mapping[str, Any] | None = None
    """What its `dataset_info.json` says besides the file; None: it cannot read this format."""
    builder: Mapping[str, str] = field(default_factory=dict)
    """What `datasets` must know to open the file."""
    tells: Callable[[Record], bool] = lambda _record: True
    """Whether a record shows the type of every column."""

    @property
    def writer(self) -> str:
        """The name of the format that writes it."""
        return self.format or self.name

    def record(self, example: Example) -> Record:
        """Return an example as a record of this format.

        Raises:
            BadRecord: the format cannot say it.
        """
        write = FORMATS[self.writer].write
        assert write is not None
        record = write(example)
        return _flat(record) if self.writer == "messages" and self.suffix == ".jsonl" else record


def target(name: str) -> Target:
    """Return the target of a name.

    Raises:
        RequestError: there is none, or it is one for models.
    """
    if name in MODELS:
        raise RequestError(
            f"{name!r} is for models, and instil exports only data so far",
            hint=f"data can be exported to {', '.join(TARGETS)}; a trained model in RUN/train/model is a "
            "directory that transformers opens as it is",
        )
    if name not in TARGETS:
        raise RequestError(f"{name!r} is no format", hint=f"choose one of {', '.join(TARGETS)}")
    return TARGETS[name]


def _flat(row: Record) -> Record:
    """Return one of our rows with the columns that a mixture's shards have, every one of them text.

    Readers tell the type of a column from the first rows: what few rows have would stop them later.
    """
    origin, details = split_row(dict(row))
    return {
        "messages": row["messages"],
        "origin": {key: value or "" for key, value in origin.items()},
        "details": details.decode() if details else "",
    }


def _text(*names: str) -> tuple[Feature, ...]:
    return tuple({"name": name, "dtype": "string"} for name in names)


def _structs(name: str, *keys: str) -> Feature:
    return {"name": name, "list": list(_text(*keys))}


_MESSAGES = (
    _structs("messages", "role", "content"),
    {"name": "origin", "struct": list(_text("kind", "name", "license"))},
    *_text("details"),
)
_OPENAI_TAGS = {
    "formatting": "sharegpt",
    "columns": {"messages": "messages"},
    "tags": {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "observation_tag": "tool",
        "system_tag": "system",
    },
}
_MESSAGES_LOAD = (
    "TRL's SFTTrainer and LLaMA-Factory train on it as it is; so does whatever takes OpenAI's chats."
)

TARGETS: dict[str, Target] = {
    each.name: each
    for each in (
        Target(
            "messages",
            features=_MESSAGES,
            loads=_MESSAGES_LOAD,
            llama_factory=_OPENAI_TAGS,
        ),
        Target(
            "parquet",
            features=_MESSAGES,
            loads=_MESSAGES_LOAD,
            format="messages",
            suffix=".parquet",
            llama_factory=_OPENAI_TAGS,
        ),
        Target(
            "alpaca",
            features=(
                *_text("instruction", "input", "output", "system"),
                {"name": "history", "list": {"list": "string"}},
            ),
            loads="LLaMA-Factory trains on it as it is.",
            llama_factory={
                "formatting": "alpaca",
                "columns": {
                    "prompt": "instruction",
                    "query": "input",
                    "response": "output",
                    "system": "system",
                    "history": "history",
                },
            },
            tells=lambda record: bool(record["history"]),
        ),
        Target(
            "sharegpt",
            features=(_structs("conversations", "from", "value"), *_text("system")),
            loads="LLaMA-Factory and FastChat train on it as it is.",
            llama_factory={
                "formatting": "sharegpt",
                "columns": {"messages": "conversations", "system": "system"},
                "tags": {
                    "role_tag": "from",
                    "content_tag": "value",
                    "user_tag": "human",
                    "assistant_tag": "gpt",
                    "observation_tag": "observation",
                    "system_tag": "system",
                },
            },
        ),
        Target(
            "prompt_completion",
            features=_text("prompt", "completion"),
            loads="TRL's SFTTrainer and LLaMA-Factory train on it as it is.",
            llama_factory={
                "formatting": "alpaca",
                "columns": {"prompt": "prompt", "response": "completion"},
            },
        ),
        Target(
            "hugchat",
            features=_text("text", "prefix"),
            loads="TRL's SFTTrainer trains on it as plain text, the questions too.",
        ),
        Target(
            "self_instruct",
            features=(
                *_text("id", "name", "instruction"),
                _structs("instances", "input", "output"),
                {"name": "is_classification", "dtype": "bool"},
            ),
            loads="instil takes it as seed tasks; so does Self-Instruct.",
        ),
        Target(
            "lmflow",
            features=(*_text("system"), _structs("messages", "role", "content")),
            loads="LMFlow reads the directory; TRL's SFTTrainer the messages.",
            suffix=".json",
            builder={"field": "instances"},
        ),
        Target(
            "lmflow_text2text",
            features=_text("input", "output"),
            loads="LMFlow reads the directory.",
            suffix=".json",
            builder={"field": "instances"},
        ),
    )
}
"""By name, as `--to` takes it."""

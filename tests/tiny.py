"""A tiny real model, its tokenizer and a few rows, for tests that load, render and train."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from instil.data.examples import Example, Origin
from instil.data.jsonl import write_jsonl
from instil.data.messages import Message
from instil.models.base_model import ScratchConfig
from instil.models.load import LanguageModel, open_base, save

ARCHITECTURE: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}
TEXTS = (
    "Where do I go with a cough?",
    "Please see Respiratory Medicine. A cough of three weeks needs a look.",
    "我咳嗽三周了，该看哪个科？",
    "建议您挂呼吸内科。咳嗽超过三周需要检查🙂。",
)


def example(question: str, answer: str, *, system: str | None = None) -> Example:
    """Return one row of a made-up corpus."""
    lead = () if system is None else (Message(role="system", content=system),)
    messages = (*lead, Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(messages=messages, origin=Origin(kind="corpus", name="tests"))


def rows(count: int = 12) -> list[Example]:
    """Return rows of different lengths in two languages."""
    return [
        example(f"{TEXTS[i % 2 * 2]} {i}", f"{TEXTS[1 + i % 2 * 2]} {'more ' * (i % 5)}")
        for i in range(count)
    ]


def write_rows(path: Path, examples: list[Example]) -> Path:
    """Write rows to a file and return its path."""
    write_jsonl(path, (each.row() for each in examples))
    return path


def fresh_model(template: str = "chatml", *, architecture: dict[str, Any] = ARCHITECTURE) -> LanguageModel:
    """Return a new model with random weights and the named chat template."""
    config = ScratchConfig.model_validate(
        {
            "kind": "scratch",
            "architecture": architecture,
            "tokenizer": {"kind": "trained", "vocab_size": 400},
        }
    )
    return open_base(config, chat_template=template, texts=lambda: TEXTS, seed=1)


@cache
def shared_model(template: str = "chatml") -> LanguageModel:
    """Return a model that no test changes."""
    return fresh_model(template)


def saved_model(directory: Path) -> Path:
    """Write a model as `transformers` does, and return its directory."""
    save(shared_model(), directory)
    return directory

"""What a model says of itself: a card for people and the same facts for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instil.store.atomic import atomic_write

FACTS, CARD = "instil.json", "README.md"


def write_card(directory: Path, facts: Mapping[str, Any]) -> None:
    """Write the facts as JSON and as the README.md that hubs show as the model card."""
    with atomic_write(directory / FACTS) as file:
        file.write(json.dumps(facts, ensure_ascii=False, indent=2).encode() + b"\n")
    with atomic_write(directory / CARD) as file:
        file.write(_markdown(facts).encode())


def read_card(directory: Path) -> dict[str, Any]:
    """Return the facts that a training run wrote down, or nothing for a stranger's model."""
    try:
        facts: dict[str, Any] = json.loads((directory / FACTS).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return facts


def _markdown(facts: Mapping[str, Any]) -> str:
    base, training = facts["base"], facts["training"]
    start = (
        f"random weights of a {base['architecture']['model_type']} architecture"
        if base["kind"] == "scratch"
        else f"`{base['path']}`"
    )
    rows = [
        f"| {source['name']} | {source['kind']} | {source['rows']:,} | {source['license'] or 'not stated'} |"
        for source in facts["sources"]
    ]
    losses = [
        f"- {name.replace('_', ' ')} at the end: {training[name]:.3f} nats per token"
        for name in ("loss", "validation_loss")
        if name in training
    ]
    lines = [
        "---",
        "library_name: transformers",
        "tags: [instil]",
        "---",
        "",
        "# Model card",
        "",
        *([f"**{facts['notice']}**", ""] if facts.get("notice") else []),
        f"Started from {start}; {training['trained_parameters']:,} of {training['parameters']:,} parameters "
        f"were trained for {training['steps']:,} steps with instil.",
        "",
        *losses,
        "",
        "## Training data",
        "",
        "| source | kind | rows | licence |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
        "## Limits",
        "",
        "The model repeats patterns of its training data and can be wrong with confidence. Measure it on "
        "your own task before anybody relies on it. What the licences of the sources forbid, they forbid "
        "here too.",
        "",
    ]
    return "\n".join(lines)

"""The entry of a recipe that reads a file, and the columns of a file in no known format."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from instil.corpora.containers import SUFFIXES

# What corpora call the question, the answer and the system prompt; the first that is there counts.
_NAMES = {
    "user": "question query prompt instruction input user human ask problem text context title "
    "问题 提问 指令 输入 问",
    "assistant": "answer response completion output assistant reply target solution summary label "
    "回答 答案 回复 输出 答",
    "system": "system system_prompt role_prompt 系统",
}
_NO_QUESTION = (
    "id",
    "idx",
    "index",
    "key",
    "hash",
    "url",
    "link",
    "source",
    "file",
    "date",
    "lang",
    "language",
)
"""Columns that no one asks or answers, or that end so after `_`."""
_PLAIN = re.compile(r"[^\W\d][\w./-]*|/[\w./-]+")
_NO_TEXT = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
"""What YAML does not read as text, though it is a plain word."""
_PLAIN_NAMES = ["train", "training", "test", "dev", "valid", "validation", "data", "dataset"]
_TEXT_SHARE = 0.5
"""A column is a text that is asked or answered if at least this share of the records says something in it."""


def guess_fields(columns: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return which columns are probably the question and the answer; empty where nothing speaks for it.

    Names decide, the whole of them before a part; then the first two columns of text.
    """
    texts = [
        column["field"]
        for column in columns
        if column["types"][0] == "text" and column["filled"] >= _TEXT_SHARE and _says(column["field"])
    ]
    found: dict[str, str] = {}
    for role, names in _NAMES.items():
        column = _named(names.split(), [each for each in texts if each not in found.values()])
        if column is not None:
            found[role] = column
    for role in ("user", "assistant"):
        left = [each for each in texts if each not in found.values()]
        if role not in found and left:
            found[role] = left[0]
    if not {"user", "assistant"} <= found.keys():
        return {}
    return {role: found[role] for role in ("system", "user", "assistant") if role in found}


def _says(column: str) -> bool:
    return column.strip().lower().rpartition("_")[2] not in _NO_QUESTION


def _named(names: Sequence[str], columns: Sequence[str]) -> str | None:
    plain = {column.strip().lower(): column for column in reversed(columns)}
    for name in names:
        if name in plain:
            return plain[name]
    return next((plain[each] for name in names for each in plain if name in each), None)


def recipe_entry(path: Path, format_name: str | None, fields: Mapping[str, str]) -> str:
    """Return the lines of a recipe's `mix.corpora` that read a path."""
    lines = [f"name: {_yaml(_plain_name(path))}", "kind: files", f"path: {_yaml(str(path))}"]
    if format_name is not None:
        lines.append(f"format: {format_name}")
    elif fields:
        pairs = ", ".join(f"{role}: {_yaml(column)}" for role, column in fields.items())
        lines.append(f"fields: {{{pairs}}}")
    first, *rest = lines
    return "\n".join([f"- {first}", *(f"  {line}" for line in rest)])


def _plain_name(path: Path) -> str:
    name, directory = path.name, path.parent.name
    suffix = max((each for each in SUFFIXES if name.endswith(each)), key=len, default="")
    name = name.removesuffix(suffix)
    if glob.has_magic(name) or name.lower() in _PLAIN_NAMES:
        # Every corpus has a train.jsonl; a pattern is no name.
        name = "" if glob.has_magic(name) else name
        plain = "" if glob.has_magic(directory) else directory
        name = "-".join(each for each in (plain, name) if each)
    return name or "corpus"


def _yaml(text: str) -> str:
    """Return a text as YAML reads it back: bare where it is a plain word or path, else as JSON says it."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NO_TEXT:
        return text
    return orjson.dumps(text).decode()

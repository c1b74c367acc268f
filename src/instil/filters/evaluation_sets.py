"""What an evaluation set says: the texts of its items, and which of them is the question.

A set is read here as JSON Lines, as a JSON list, or as one JSON object of records (PubMedQA). Who reads other
containers hands their records to `evaluation_item`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple

import orjson

from instil.errors import RecipeError

_QUESTION_KEYS = ("question", "prompt", "instruction", "query", "problem")
_DIALOGUE_KEYS = ("messages", "conversations", "conversation", "turns")
_USER_ROLES = ("user", "human", "client", "prompter")


class EvaluationItem(NamedTuple):
    """One item of an evaluation set."""

    place: str
    """`file:line` in JSON Lines, `file:record N` in a list, `file:KEY` in an object."""
    texts: tuple[str, ...]
    """Every piece of text in it, wherever it stands; and the question with its lettered choices, as they are
    usually put together."""
    question: str | None
    """What a model is asked first, where that can be told."""


def evaluation_item(place: str, record: Any) -> EvaluationItem:
    """Return a record, which is any JSON value, as an item."""
    question = _question(record)
    choices = _choices(record) if question else []
    texts = [*_texts(record), *(["\n".join([question or "", *choices])] if choices else [])]
    return EvaluationItem(place, tuple(texts), question)


def read_evaluation_set(path: Path) -> Iterator[EvaluationItem]:
    """Yield the items of a file, which is read whole.

    Raises:
        RecipeError: it is not JSON, with the line.
    """
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        whole = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        lines = data.split(b"\n")
        if _begins_alone(lines[0]):
            raise _not_json(path, error.lineno, error) from error
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield evaluation_item(f"{path.name}:{number}", _value(path, number, line))
        return
    if isinstance(whole, list):
        for number, record in enumerate(whole, start=1):
            yield evaluation_item(f"{path.name}:record {number}", record)
    elif (
        isinstance(whole, dict) and len(whole) > 1 and all(isinstance(each, dict) for each in whole.values())
    ):
        for key, record in whole.items():
            yield evaluation_item(f"{path.name}:{key}", record)
    else:
        yield evaluation_item(f"{path.name}:1", whole)


def _begins_alone(line: bytes) -> bool:
    """Whether a line begins a value that goes on in the next one."""
    return line.strip() in (b"[", b"{", b"[{")


def _value(path: Path, number: int, line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _not_json(path, number, error) from error


def _not_json(path: Path, line: int, error: orjson.JSONDecodeError) -> RecipeError:
    return RecipeError(
        f"{path}:{line}: not JSON: {error.msg}",
        hint="an evaluation set is one JSON value a line, a JSON list, or a JSON object of records",
    )


def _texts(value: Any) -> Iterator[str]:
    """Yield every piece of text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _choices(record: Mapping[str, Any]) -> list[str]:
    """Return the choices of a question with their letters, as MedQA, MedMCQA, ARC or MMLU have them."""
    found = record.get("options", record.get("choices"))
    if isinstance(found, Mapping):
        found = found.get("text", list(found.values()))
    if not isinstance(found, list):
        found = [record[f"op{letter}"] for letter in "abcde" if isinstance(record.get(f"op{letter}"), str)]
    return [f"{letter}. {choice}" for letter, choice in zip(ascii_uppercase, found, strict=False)]


def _input(fields: Mapping[str, Any]) -> list[str]:
    """Return what an instruction is about: its input, or that of the first of its instances."""
    instances = fields.get("instances")
    if isinstance(instances, list) and instances and isinstance(instances[0], Mapping):
        fields = instances[0]
    found = fields.get("input")
    return [found] if isinstance(found, str) else []


def _question(record: Any) -> str | None:
    """Return the question of a record in one of the usual forms."""
    if not isinstance(record, Mapping):
        return None
    fields = {key.lower(): value for key, value in record.items() if isinstance(key, str)}
    for key in _QUESTION_KEYS:
        asked = fields.get(key)
        if isinstance(asked, str) and asked.strip():
            return "\n".join([asked, *_input(fields)] if key == "instruction" else [asked])
    for key in _DIALOGUE_KEYS:
        turns = fields.get(key)
        for turn in turns if isinstance(turns, list | tuple) else ():
            if isinstance(turn, str):
                return turn
            if isinstance(turn, Mapping) and (turn.get("role") or turn.get("from")) in _USER_ROLES:
                said = turn.get("content") or turn.get("value")
                return said if isinstance(said, str) else None
    return None

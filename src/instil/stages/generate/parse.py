"""From what a teacher wrote to items, one by one.

Objects are found by scanning, so a list, an object around a list, one object a line, a code fence,
prose around the JSON, missing or trailing commas and a list that was cut off all give their whole
items; what is not a whole item is returned as such, never completed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_DECODER = json.JSONDecoder(strict=False)  # lets a newline stand inside a string
# Not JSON, a number of thousands of digits, objects nested a thousand deep: a model in a loop writes all.
_UNREADABLE = (ValueError, RecursionError)


@dataclass(frozen=True)
class Item:
    """One whole item."""

    instruction: str
    input: str
    output: str

    @property
    def question(self) -> str:
        """What the user says: the instruction, and the input on a line of its own."""
        return f"{self.instruction}\n{self.input}" if self.input.strip() else self.instruction


@dataclass(frozen=True)
class Malformed:
    """A part of an answer that is not an item, and why."""

    reason: str
    text: str


def parse_items(text: str, *, cut_off: bool) -> Iterator[Item | Malformed]:
    """Yield what an answer holds, in order.

    Args:
        text: the answer as it came.
        cut_off: whether it ended because of the token limit.
    """
    found = False
    position = text.find("{")
    while position >= 0:
        found = True
        try:
            value, end = _DECODER.raw_decode(text, position)
            items = list(_items(value))
        except _UNREADABLE:
            end = _next_object(text, position)
            last = end < 0
            reason = "cut off at max_tokens" if last and cut_off else "not valid JSON"
            yield Malformed(reason, text[position:end] if not last else text[position:])
            position = end
            continue
        yield from items
        position = text.find("{", end)
    if not found:
        yield Malformed("empty answer" if not text.strip() else "no JSON in the answer", text)


def _next_object(text: str, position: int) -> int:
    """Return where the next object starts that can be decoded, or -1."""
    position = text.find("{", position + 1)
    while position >= 0:
        try:
            _DECODER.raw_decode(text, position)
        except _UNREADABLE:
            position = text.find("{", position + 1)
            continue
        return position
    return -1


def _items(value: dict[str, Any]) -> Iterator[Item | Malformed]:
    if "instruction" not in value:
        inner = [
            v for v in value.values() if isinstance(v, list) and v and all(isinstance(i, dict) for i in v)
        ]
        if len(inner) == 1:
            for item in inner[0]:
                yield _item(item)
            return
    yield _item(value)


def _item(value: dict[str, Any]) -> Item | Malformed:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return Malformed("half a surrogate pair, which is no character", json.dumps(value))
    for key in ("instruction", "output"):
        if not isinstance(value.get(key), str):
            return Malformed(f"no text under the key {key!r}", text)
        if not value[key].strip():
            return Malformed(f"empty {key}", text)
    given = value.get("input") or ""
    if not isinstance(given, str):
        return Malformed("no text under the key 'input'", text)
    return Item(value["instruction"], given, value["output"])

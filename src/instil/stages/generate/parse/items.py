"""Items out of the objects of an answer: which key is which, what stands around them, instances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from instil.stages.generate.parse import keys
from instil.stages.generate.parse.keys import Key, Part
from instil.stages.generate.parse.objects import find_objects, part_text
from instil.stages.generate.parse.parts import SURROGATE, Item, Malformed, malformed, writable
from instil.stages.generate.parse.reader import Repeated

TWICE = "a key twice with different texts"
CONVERSATION = "a conversation where an item was asked for"
NO_OBJECT = "not an object"
LENGTHS = "lists of different lengths"
_DEEPEST = 6

_Pairs = list[tuple[Key, Any]]


class NoItem(Exception):
    """An object is no item, and its text is the reason; never leaves this package."""


def parse_items(text: str, *, cut_off: bool) -> Iterator[Item | Malformed]:
    """Yield the items of an answer in order, and each part that is none; at least one part in all.

    Reads a list, objects around it, JSON lines, fences and prose around all of these, the mistakes that
    `reader` knows, keys under their synonyms, `instances` as in Self-Instruct, and lists of strings as
    lines. Text inside strings is untouched; nothing is completed that has no end.

    Args:
        text: the answer as it came.
        cut_off: whether it ended because of the token limit; only decides the reason of what has no end.
    """
    for part in find_objects(text, cut_off=cut_off):
        if isinstance(part, Malformed):
            yield part
        elif (item := _plain_item(part.value)) is not None:
            yield item
        else:
            yield from items_of(part.value, part.text)


def items_of(value: dict[str, Any], text: str, instruction: str | None = None) -> Iterator[Item | Malformed]:
    """Yield the items of an object.

    Args:
        value: the object.
        text: what stands in the answer for it.
        instruction: of the object around it, for an instance that has none of its own.
    """
    yield from _items(value, text, instruction, 0)


@lru_cache(maxsize=1024)
def _plain_names(names: tuple[str, ...]) -> tuple[str, str | None, str, str | None] | None:
    """Return which of an object's keys are the parts of an item; None if that takes a look at the values."""
    parts = {part: name for name in names if (part := keys.key(name).part)}
    count = sum(keys.key(name).part is not None for name in names)
    if len(parts) < count or "instruction" not in parts or "output" not in parts:
        return None
    return parts["instruction"], parts.get("input"), parts["output"], parts.get("evidence")


def _plain_item(value: dict[str, Any]) -> Item | None:
    """Return the item of an object as nearly all are, without what the others need: ten times as fast."""
    names = _plain_names(tuple(value)) if type(value) is dict else None
    if names is None:
        return None
    instruction, given, output = value[names[0]], value[names[1]] if names[1] else "", value[names[2]]
    evidence = value[names[3]] if names[3] else ""
    if not type(instruction) is type(given) is type(output) is type(evidence) is str:
        return None
    if not (instruction.strip() and output.strip() and writable(instruction + given + output + evidence)):
        return None
    return Item(instruction, keys.given(given) if given else "", output, evidence or None)


def _items(
    value: dict[str, Any], text: str | None, instruction: str | None, depth: int
) -> Iterator[Item | Malformed]:
    pairs = _pairs(value)
    if not any(key.part == "output" and _is_text(each) for key, each in pairs):
        inner = list(_inner(value))
        if inner and depth < _DEEPEST:
            given = [each for key, each in pairs if key.part == "instruction" and _is_text(each)]
            around = text_of(given[0]) if len(given) == 1 else instruction
            for each in inner:
                if isinstance(each, dict):
                    yield from _items(each, None, around, depth + 1)
                else:
                    yield Malformed(NO_OBJECT, part_text(each))
            return
    try:
        if any(keys.is_turns(name) for name in value) and not any(key.part == "output" for key, _ in pairs):
            raise NoItem(CONVERSATION)
        for group in _groups(pairs):
            item = _item(group, instruction)
            if not writable(item.instruction + item.input + item.output + (item.evidence or "")):
                raise NoItem(SURROGATE)
            yield item
    except NoItem as error:
        yield malformed(str(error), part_text(value) if text is None else text)


def _pairs(value: dict[str, Any]) -> _Pairs:
    pairs = value.pairs if isinstance(value, Repeated) else value.items()
    return [(key, each) for name, each in pairs if (key := keys.key(name)).part]


def _inner(value: Mapping[str, Any]) -> Iterator[Any]:
    """Yield what may be items inside an object that is none: the members of lists, and objects with parts."""
    found = {name: keys.key(name) for name in value}
    asks = any(
        key.part == "instruction" and not key.rank and _is_text(value[name]) for name, key in found.items()
    )
    for name, each in value.items():
        # An answer that is data, such as a card with a question, is no item of its own.
        if keys.is_turns(name) or (asks and found[name].part not in (None, "instruction")):
            continue
        if isinstance(each, list) and any(isinstance(member, dict | list) for member in each):
            if keys.key(name).part is None or all(isinstance(member, dict | list) for member in each):
                yield from _flat(each)
        elif isinstance(each, dict) and _promising(each, 0):
            yield each


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for each in values:
        if isinstance(each, list) and any(isinstance(member, dict) for member in each):
            yield from each
        else:
            yield each


def _promising(value: Mapping[str, Any], depth: int) -> bool:
    if any(keys.key(name).part for name in value):
        return True
    inner = [each for each in value.values() if isinstance(each, dict | list)]
    return depth < _DEEPEST and any(isinstance(each, list) or _promising(each, depth + 1) for each in inner)


def _groups(pairs: _Pairs) -> list[_Pairs]:
    """Return the keys of each item of an object: several where `},{` was left out between them.

    Two items in one object are told by the sequence of keys that starts again; each of them must then be
    whole. A key that comes twice with one value is one. `instructions` and `outputs` hold those of all items.

    Raises:
        NoItem: a key comes twice in another way, or such lists do not belong together.
    """
    if {"instructions", "outputs"} <= {key.name for key, each in pairs if isinstance(each, list)}:
        return _columns(pairs)
    once: _Pairs = []
    for pair in pairs:
        if pair not in once:
            once.append(pair)
    names = [key.name for key, _ in once]
    if len(set(names)) == len(names):
        return [once]
    starts = [index for index, name in enumerate(names) if name == names[0]]
    groups = [once[start:end] for start, end in zip(starts, [*starts[1:], len(once)], strict=True)]
    for group in groups:
        parts = [key.part for key, _ in group]
        if len(groups) == 1 or not {"instruction", "output"} <= set(parts) or len(set(parts)) < len(parts):
            raise NoItem(TWICE)
    return groups


def _columns(pairs: _Pairs) -> list[_Pairs]:
    columns = [
        (key, each if isinstance(each, list) else []) for key, each in pairs if each not in ("", None, [])
    ]
    if len({len(column) for _, column in columns}) > 1:
        raise NoItem(LENGTHS)
    names = [key for key, _ in columns]
    return [
        list(zip(names, row, strict=True)) for row in zip(*(column for _, column in columns), strict=True)
    ]


def _item(pairs: _Pairs, around: str | None) -> Item:
    asked = [(key, value) for key, value in pairs if key.part == "instruction"]
    best = min((key.rank for key, _ in asked), default=0)
    # Beside an instruction, a question is what it is about.
    about = [(key, value) for key, value in asked if key.rank > best and keys.is_asked(key)]
    instruction = _chosen("instruction", asked)
    if instruction is None and not asked:
        instruction = around
    output = _chosen("output", [(key, value) for key, value in pairs if key.part == "output"])
    given = [(key, value) for key, value in pairs if key.part == "input"] + about
    for part, text in (("instruction", instruction), ("output", output)):
        if text is None:
            raise NoItem(f"no text under the key {part!r}")
        if not text.strip():
            raise NoItem(f"empty {part}")
    assert instruction is not None
    assert output is not None
    evidence = _chosen("evidence", [(key, value) for key, value in pairs if key.part == "evidence"])
    return Item(instruction, _input(given), output, evidence or None)


def _chosen(part: Part, pairs: _Pairs) -> str | None:
    """Return the text of a part: that of its own name, else of the name most used for it.

    Raises:
        NoItem: two names that are equally good have different texts.
    """
    if len(pairs) > 1:
        filled = [(key, value) for key, value in pairs if value not in (None, "")]
        best = min((key.rank for key, _ in filled), default=0)
        pairs = [(key, value) for key, value in filled if key.rank == best] or pairs[:1]
        if any(value != pairs[0][1] for _, value in pairs):
            raise NoItem(f"two different texts for {part!r}")
    return text_of(pairs[0][1]) if pairs and _is_text(pairs[0][1]) else None


def _input(pairs: _Pairs) -> str:
    """Return the input; nothing is left out that the instruction may be about.

    Raises:
        NoItem: it is no text, or there are two.
    """
    filled = [value for _, value in pairs if value not in (None, "", [])]
    if not filled:
        return ""
    if not all(_is_text(value) for value in filled):
        raise NoItem("no text under the key 'input'")
    if any(value != filled[0] for value in filled):
        raise NoItem("two different texts for 'input'")
    return keys.given(text_of(filled[0]))


def _is_text(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, str) for each in value)
    return isinstance(value, str)


def text_of(value: str | list[str]) -> str:
    """Return text as it is, a number as it was written, and a list of strings as lines."""
    return "\n".join(value) if isinstance(value, list) else str(value)

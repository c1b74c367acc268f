"""The spans of a text and their types, in the shapes that published corpora write them in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from instil.corpora.base import BadRecord
from instil.corpora.tasks.language import language_of

Span = tuple[str, str]
"""Words of a text, and their type."""

_TEXT = ("text", "entity", "word", "span", "mention")
_TYPE = ("type", "label", "entity_group", "entity_type", "tag")
_START = ("start", "start_idx", "start_offset")
_END = ("end", "end_idx", "end_offset")


def read_spans(value: Any, text: str) -> tuple[Span, ...]:
    """Return spans in the order in which they are written, each once.

    They are a list of mappings with the words (`text`, `entity`, …) or where they stand (`start` and `end`,
    in characters, the end not included) and a `type` or `label`; a list of `[start, end, type]` or
    `[words, type]`; or a mapping of types to lists of words.

    Raises:
        BadRecord: they are none of these, or their words are not in the text.
    """
    match value:
        case dict():
            pairs = [(words, kind) for kind, several in value.items() for words in _words(several)]
        case list() | tuple():
            pairs = [_span(each, text) for each in value]
        case _:
            raise BadRecord(f"the spans are a {type(value).__name__}, not a list or a mapping")
    for words, _ in pairs:
        if words not in text:
            raise BadRecord(f"the span {words!r} is not in the text")
    return tuple(dict.fromkeys(pairs))


def _words(several: Any) -> Iterable[str]:
    # A mapping has the words as keys and their places as values.
    if not isinstance(several, list | tuple | dict) or not all(isinstance(each, str) for each in several):
        raise BadRecord("the spans of a type are not a list of words")
    return several


def _span(each: Any, text: str) -> Span:
    match each:
        case [int(start), int(end), str(kind)]:
            return _cut(text, start, end), kind
        case [str(words), str(kind)]:
            return words, kind
        case dict():
            kind = _first(each, _TYPE)
            if not isinstance(kind, str):
                raise BadRecord(f"a span has no {' or '.join(_TYPE)}")
            words, start, end = _first(each, _TEXT), _first(each, _START), _first(each, _END)
            if isinstance(words, str):
                return words, kind
            if isinstance(start, int) and isinstance(end, int):
                return _cut(text, start, end), kind
            raise BadRecord("a span has neither its words nor its start and end")
    raise BadRecord("a span is not [start, end, type], [words, type] or a mapping")


def _first(span: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((span[name] for name in names if span.get(name) is not None), None)


def _cut(text: str, start: int, end: int) -> str:
    if not 0 <= start < end <= len(text):
        raise BadRecord(f"a span from {start} to {end} is not in a text of {len(text)} characters")
    return text[start:end]


def join_tokens(tokens: Any) -> tuple[str, Callable[[int, int], str]]:
    """Return the text of a list of tokens, and what cuts the words of some of them out of it.

    Tokens of Chinese stand side by side, others are parted by blanks.

    Raises:
        BadRecord: it is not a list of texts.
    """
    if not isinstance(tokens, list | tuple) or not all(isinstance(each, str) for each in tokens):
        raise BadRecord("the text is not a list of tokens, which tags need")
    between = "" if language_of("".join(tokens)) == "zh" else " "
    return between.join(tokens), lambda start, end: between.join(tokens[start:end])


def read_tags(tags: Any, names: Mapping[str, str] | None) -> Iterator[tuple[int, int, str]]:
    """Yield `(first, behind the last, type)` of the runs of tokens that BIO, IOB or BIOES tags mark.

    Args:
        tags: one for each token.
        names: what numbers stand for, where they are no words.

    Raises:
        BadRecord: they are no such tags.
    """
    if not isinstance(tags, list | tuple):
        raise BadRecord("the tags are not a list")
    begun: tuple[int, str] | None = None
    for number, tag in enumerate([*(_tag(each, names) for each in tags), "O"]):
        mark, _, kind = tag.partition("-")
        if mark not in ("B", "I", "O", "E", "S", "L", "U") or (mark != "O") != bool(kind):
            raise BadRecord(f"{tag!r} is not a tag such as B-drug, I-drug or O")
        if begun and (mark in ("B", "S", "U", "O") or kind != begun[1]):
            yield begun[0], number, begun[1]
            begun = None
        if mark != "O" and not begun:
            begun = (number, kind)


def _tag(tag: Any, names: Mapping[str, str] | None) -> str:
    if names is None:
        return str(tag)
    name = names.get(str(tag))
    if name is None:
        raise BadRecord(f"the tag {tag!r} is not one of {', '.join(names)}")
    return name

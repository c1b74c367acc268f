"""Where a text may be cut: after sentences, else after clauses, else between words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from instil.data.words import words

_CLOSERS = "\"'”’»」』）)】》〉\\]"
_SPACE = r"[^\S\n]*\n*"  # the indentation of the next line belongs to it
# The full stops of scripts without spaces end a sentence wherever they stand; those of the others only
# before white space. Danda, Arabic, Armenian, Ethiopic, Burmese and Khmer have their own.
_END = re.compile(
    rf"(?:[。！？｡]|…{{2,}})[。！？｡…]*[{_CLOSERS}]*{_SPACE}"
    rf"|[.!?…।॥؟۔։።፧။។]+[{_CLOSERS}]*(?=\s|\Z){_SPACE}"
    # A line that begins an item of a list, or an indented paragraph, begins a sentence.
    r"|\n(?=[ \t]*(?:[-*•·+|▪●○–]\s|\(?[0-9０-９a-zA-Z一二三四五六七八九十]{1,3}[.)、．）]\s*))"
    r"|\n(?=\u3000|[ ]{2,}\S)"
    r"|\n\s*\n"
)
_SHORT_FORM = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|ca|approx|resp|incl|viz|Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|Rev|Gen|Inc|Ltd|Co|Corp"
    r"|Fig|Figs|Eq|Eqs|No|Nos|Vol|pp|ed|eds|Sec|Ch|Ref|Refs|Tab|z\.B|bzw|usw|Nr|Abb|M|Mme|art|núm)|\b[A-Z])\.\s\Z"
)
_CLAUSE = re.compile(r"[，、；：]+\s*|[,;:—]+\s+")


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text with the white space that follows them; together they are the text."""
    start = 0
    for end in _END.finditer(text):
        if end.end() == len(text):
            break
        latin = end[0][0] in ".!?…"
        before = text[max(start, end.start() - 12) : end.start() + 2]
        # `approx. half`, `Dr. Smith`, `3. Wash` and `he asked "why?" and` go on.
        if latin and (
            text[end.end()].islower()
            or (end[0][:1] == "." and end[0][1:2].isspace() and _SHORT_FORM.search(before))
            or re.fullmatch(r"\s*\(?\d{1,3}", text[start : end.start()])
        ):
            continue
        if end.end() > start:
            yield text[start : end.end()]
            start = end.end()
    if start < len(text):
        yield text[start:]


def fitting(text: str, max_words: int) -> Iterator[str]:
    """Yield parts of at most `max_words` words: whole sentences, unless one alone is longer.

    Such a sentence is cut after a line (tables have no full stops), else after a clause, else between
    words. Together the parts are the text.
    """
    for sentence in sentences(text):
        if len(words(sentence)) <= max_words:
            yield sentence
        else:
            yield from _packed(_smaller(sentence, max_words, (_lines, _clauses, _between_words)), max_words)


def _smaller(text: str, max_words: int, ways: tuple[Callable[[str], Iterator[int]], ...]) -> Iterator[str]:
    """Yield parts that fit, cut in the first way that does it."""
    for part in _cut(text, ways[0](text)):
        if len(words(part)) > max_words and len(ways) > 1:
            yield from _smaller(part, max_words, ways[1:])
        else:
            yield part


def _packed(parts: Iterator[str], max_words: int) -> Iterator[str]:
    """Put neighbours together as long as they fit."""
    held, size = "", 0
    for part in parts:
        count = len(words(part))
        if held and size + count > max_words:
            yield held
            held, size = "", 0
        held, size = held + part, size + count
    if held:
        yield held


def _cut(text: str, places: Iterator[int]) -> Iterator[str]:
    for start, end in pairwise([0, *(place for place in places if 0 < place < len(text)), len(text)]):
        yield text[start:end]


def _lines(text: str) -> Iterator[int]:
    return (match.end() for match in re.finditer(r"\n", text))


def _clauses(text: str) -> Iterator[int]:
    return (match.end() for match in _CLAUSE.finditer(text))


def _between_words(text: str) -> Iterator[int]:
    """Yield where a word begins; on both sides of a character that is a word."""
    for place, (left, right) in enumerate(pairwise(text), start=1):
        before, after = _kind(left), _kind(right)
        if (after and not before) or "character" in (before, after):
            yield place


@lru_cache(maxsize=1 << 14)
def _kind(character: str) -> Literal["", "letter", "character"]:
    """Return what a character is to `words`: nothing, part of a word, or a word."""
    count = len(words(character * 2))
    return "character" if count == 2 else "letter" if count else ""

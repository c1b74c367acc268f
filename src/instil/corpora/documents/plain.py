"""Plain text and reStructuredText: paragraphs, underlined titles and numbered chapters.

What a block says is the file's own text, line breaks included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from instil.corpora.documents.document import Block, Parsed
from instil.corpora.documents.encoding import decode

# What people number chapters with. A Chinese one is known anywhere; `Chapter 3` may also begin a
# sentence, and has to stand alone.
_CHINESE = re.compile(r"\s*第[0-9〇零一二三四五六七八九十百两]+([编篇部卷章节回])(?:[\s:：、.].{0,40}|)\s*")
_ENGLISH = re.compile(r"(?:chapter|part|section)\s+(?:\d+|[ivxlc]+)\b.{0,60}", re.I)
_LEVELS = {"编": 1, "篇": 1, "部": 1, "卷": 1, "节": 3}
_CHAPTER = 2
_RULE = re.compile(r"([=\-`:.'\"~^_*+#])\1{2,}\s*")


def read_plain(data: bytes) -> Parsed:
    """Return paragraphs (parted by empty lines), underlined titles and numbered chapters.

    The levels of underlined titles are in the order in which their styles come, as in reStructuredText.
    """
    text, encoding, guessed = decode(data)
    return Parsed(blocks=tuple(_blocks(text.split("\n"))), encoding=encoding, encoding_guessed=guessed)


def _blocks(lines: list[str]) -> Iterator[Block]:
    styles: list[tuple[bool, str]] = []
    start = number = 0
    while number <= len(lines):
        line = lines[number] if number < len(lines) else ""
        title = _title(lines, number) if start == number else None
        chapter = _CHINESE.fullmatch(line)
        if line.strip() and not title and not chapter:
            number += 1
            continue
        if start < number:
            yield _paragraph(lines, start, number)
        if title:
            over = len(title) == 3
            style = (over, title[-1][0])
            if style not in styles:
                styles.append(style)
            yield _heading(lines, number + over, min(styles.index(style) + 1, 6))
        elif chapter:
            yield _heading(lines, number, _LEVELS.get(chapter[1], _CHAPTER))
        number += len(title) if title else 1
        start = number


def _title(lines: list[str], number: int) -> list[str] | None:
    """Return the lines of a title with its rules (below, or above and below), if one stands here."""
    for over in (1, 0):
        found = lines[number : number + 2 + over]
        if len(found) < 2 + over or not found[over].strip() or _RULE.fullmatch(found[over]):
            continue
        rules = (found[0], found[2]) if over else (found[1],)
        # Shorter ones are dashes of a list or the like.
        needed = min(len(found[over].strip()), 4)
        if all(_RULE.fullmatch(rule) and len(rule.strip()) >= needed for rule in rules) and (
            rules[0][0] == rules[-1][0]
        ):
            return found
    return None


def _paragraph(lines: list[str], start: int, end: int) -> Block:
    if end - start == 1 and _ENGLISH.fullmatch(lines[start].strip()):
        return _heading(lines, start, _CHAPTER)
    text = "\n".join(line.rstrip() for line in lines[start:end])
    return Block(text=text, lines=(start + 1, end))


def _heading(lines: list[str], number: int, level: int) -> Block:
    return Block(text=lines[number].strip(), level=level, lines=(number + 1, number + 1))

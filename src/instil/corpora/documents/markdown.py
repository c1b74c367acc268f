"""Markdown: the blocks of CommonMark as they are written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from instil.corpora.documents.document import Block, Parsed
from instil.corpora.documents.encoding import decode

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT = re.compile(r"---\n(.*?)\n(?:---|\.\.\.)\n", re.S)
_FRONT_TITLE = re.compile(r"^title:\s*[\"']?(.+?)[\"']?\s*$", re.M)


def read_markdown(data: bytes) -> Parsed:
    """Return the blocks of CommonMark with tables, as they are written; headings without their marks.

    Front matter, comments and link definitions are not text and are counted.

    Raises:
        ModuleNotFoundError: markdown-it-py is not installed.
    """
    from markdown_it import MarkdownIt

    text, encoding, guessed = decode(data)
    dropped: Counter[str] = Counter()
    front = _FRONT.match(text)
    if front:
        dropped["front matter"] = 1
        text = "\n" * front[0].count("\n") + text[front.end() :]
    lines = text.split("\n")
    blocks: list[Block] = []
    end = 0
    for token, inline in pairwise([*MarkdownIt("commonmark").enable("table").parse(text), None]):
        if token is None or token.level or token.map is None:
            continue
        first, last = token.map
        dropped["link definition"] += _written(lines[end:first])
        end = max(end, last)
        if token.type == "heading_open" and inline is not None:
            shown = _shown(inline)
            if shown:
                blocks.append(Block(text=shown, level=int(token.tag[1]), lines=(first + 1, last)))
            continue
        source = "\n".join(line.rstrip() for line in lines[first:last]).strip("\n")
        if token.type == "html_block" and not re.sub(r"<!--.*?-->", "", source, flags=re.S).strip():
            dropped["comment"] += 1
        elif token.type != "hr":
            blocks.append(Block(text=source, lines=(first + 1, first + 1 + source.count("\n"))))
    dropped["link definition"] += _written(lines[end:])
    title = _FRONT_TITLE.search(front[1]) if front else None
    return Parsed(
        blocks=tuple(blocks),
        title=title[1] if title else "",
        encoding=encoding,
        encoding_guessed=guessed,
        dropped=+dropped,
    )


def _shown(inline: Token) -> str:
    """Return what a reader sees of a heading."""
    children = inline.children or []
    return "".join(" " if child.type.endswith("break") else child.content for child in children).strip()


def _written(lines: Iterable[str]) -> int:
    return sum(1 for line in lines if line.strip())

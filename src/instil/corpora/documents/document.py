"""A document: its headings and paragraphs in order, and where in the file they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from instil.data.messages import Value

DocumentFormat = Literal["text", "markdown", "rst", "html", "pdf", "docx"]


class Block(Value):
    """A heading, or a paragraph, list, table or piece of code."""

    text: str
    """Never empty; lines within it are kept where they mean something (lists, tables, code)."""
    level: int = 0
    """1 to 6 for a heading, 0 for everything else."""
    pages: tuple[int, int] | None = None
    """First and last page, from 1; in PDF only."""
    lines: tuple[int, int] | None = None
    """First and last line, from 1; in text, Markdown and reStructuredText only."""


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it up to the next heading; the first may have no heading."""

    above: tuple[str, ...]
    """The headings that it belongs under, outermost first."""
    blocks: tuple[Block, ...]
    """Its own heading first, if it has one; never empty."""

    @property
    def level(self) -> int:
        """Level of its heading, or 0."""
        return self.blocks[0].level

    @property
    def path(self) -> tuple[str, ...]:
        """The headings above it and its own."""
        return (*self.above, self.blocks[0].text) if self.level else self.above


class Parsed(Value):
    """What a reader finds in the bytes of a file."""

    blocks: tuple[Block, ...]
    title: str = ""
    """What the file calls itself outside its text, or the empty string."""
    encoding: str | None = None
    """Character encoding of the file; None in formats that have their own."""
    encoding_guessed: bool = False
    """Whether nothing in the file said so, and it was told from the bytes."""
    dropped: Mapping[str, int] = {}
    """Parts that are no text of the document, by reason."""


class Document(Parsed):
    """A file that was read."""

    name: str
    """Its path, relative to what the user named."""
    sha256: str
    """Of the file's bytes, 64 hex digits."""
    format: DocumentFormat

    @property
    def text(self) -> str:
        """Everything that it says, headings included, with an empty line between blocks."""
        return "\n\n".join(block.text for block in self.blocks)

    @property
    def sections(self) -> Iterator[Section]:
        """The sections in order."""
        path: list[tuple[int, str]] = []
        above: tuple[str, ...] = ()
        current: list[Block] = []
        for block in self.blocks:
            if block.level:
                if current:
                    yield Section(above, tuple(current))
                while path and path[-1][0] >= block.level:
                    path.pop()
                above = tuple(heading for _, heading in path)
                path.append((block.level, block.text))
                current = []
            current.append(block)
        if current:
            yield Section(above, tuple(current))


class Unreadable(Exception):
    """A file that gives no text; the message says why, and what the user can do."""

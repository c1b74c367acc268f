"""Cut a document into passages that stand alone.

A passage never crosses documents. It begins at a heading where it can, else at a paragraph, else at a
sentence; the headings that it stands under come with it. Nothing is lost: the passages one after the
other are the document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from instil.corpora.documents.document import Block, Document, Section
from instil.corpora.documents.sentences import fitting, sentences
from instil.data.examples import Evidence
from instil.data.fingerprint import fingerprint
from instil.data.messages import Value
from instil.data.words import words


class Passage(Value):
    """A part of a document that questions can be asked about."""

    document: str
    """The document's name."""
    place: str
    """`page 3`, `lines 10-24`, `## Heading > Sub` or `paragraphs 3-5`, whichever the format knows first."""
    headings: tuple[str, ...]
    """What it stands under, outermost first: the document's title, and the headings above its text."""
    text: str
    """Its paragraphs, and the headings among them, with an empty line between two."""

    @property
    def id(self) -> str:
        """Same headings and text, same id, on every machine."""
        return fingerprint([*self.headings, self.text])

    def evidence(self, quote: str | None = None) -> Evidence:
        """Return what an example that was written from the passage keeps of it."""
        return Evidence(document=self.document, place=self.place, text=str(self), quote=quote)

    def __str__(self) -> str:
        above = " > ".join(self.headings)
        return f"{above}\n\n{self.text}" if above else self.text


def passages(
    document: Document, *, max_words: int, overlap_words: int = 0, min_words: int = 0
) -> Iterator[Passage]:
    """Yield the passages of a document in order.

    Args:
        document: what to cut.
        max_words: no passage has more, what it repeats included; in scripts without spaces, characters.
        overlap_words: where a section is cut, the sentences before the cut are repeated up to so many words.
        min_words: a shorter passage is put together with a neighbour, unless it then were too long.

    Raises:
        ValueError: `overlap_words` leave no room in `max_words`, or `min_words` are more.
    """
    if not (0 <= 2 * overlap_words <= max_words and 0 <= min_words <= max_words and max_words):
        raise ValueError("needs 2 * overlap_words <= max_words and min_words <= max_words")
    numbers = {id(block): number for number, block in enumerate(document.blocks, start=1)}
    cut = [
        piece
        for section in _with_bodies(document.sections)
        for piece in _split(section, numbers, max_words, overlap_words, min_words)
    ]
    for piece in _merged(cut, max_words, min_words):
        yield Passage(
            document=document.name,
            place=_place(piece),
            headings=_headings(document.title, piece),
            text=_text(piece.units),
        )


class _Unit(NamedTuple):
    """A block, or some sentences of one."""

    text: str
    words: int
    block: Block
    number: int
    """The block's, from 1."""
    starts: bool
    """Whether the block begins here."""
    lines: tuple[int, int] | None


@dataclass(frozen=True)
class _Piece:
    """A passage in the making."""

    above: tuple[str, ...]
    units: tuple[_Unit, ...]
    repeats: int = 0
    """Units at its start that the piece before it has too."""

    @property
    def words(self) -> int:
        return sum(unit.words for unit in self.units)


class _Group(NamedTuple):
    """A section, after the headings before it that have no text of their own."""

    above: tuple[str, ...]
    blocks: tuple[Block, ...]
    path: tuple[str, ...]
    """What its text stands under."""


def _with_bodies(sections: Iterator[Section]) -> Iterator[_Group]:
    """Put headings without a text of their own before the section that follows under the same ones."""
    held: _Group | None = None
    for section in sections:
        group = _Group(section.above, section.blocks, section.path)
        if held and section.above[: len(held.above)] == held.above:
            group = _Group(held.above, (*held.blocks, *section.blocks), section.path)
        elif held:
            yield held
        held = group
        if not section.blocks[-1].level:
            yield group
            held = None
    if held:
        yield held


def _split(
    section: _Group, numbers: dict[int, int], max_words: int, overlap_words: int, min_words: int
) -> Iterator[_Piece]:
    """Yield a section as one piece, or as pieces of much the same length."""
    whole = tuple(_unit(block, numbers[id(block)]) for block in section.blocks)
    if sum(unit.words for unit in whole) <= max_words:
        yield _Piece(section.above, whole)
        return
    leading = 0
    for unit in whole:
        if not unit.block.level:
            break
        leading += unit.words
    room = max_words - overlap_words
    # A heading is not parted from the text below it, unless it is as long as a text.
    limit = room - leading if 2 * leading <= room else room
    filled: list[list[_Unit]] = []
    for longest in (limit, 0):
        units = [part for unit in whole for part in _parts(unit, longest, limit)]
        filled = _fill(units, room)
        # Whole paragraphs, unless they leave a piece that is too short; then sentences.
        if all(sum(unit.words for unit in each) >= min_words for each in filled):
            break
    for number, each in enumerate(filled):
        if number:
            repeated = _repeated(filled[number - 1], overlap_words)
            yield _Piece(section.path, (*repeated, *each), len(repeated))
        else:
            yield _Piece(section.above, tuple(each))


def _parts(unit: _Unit, longest: int, limit: int) -> Iterator[_Unit]:
    """Yield a unit as it is if it has at most `longest` words, else in parts of at most `limit`."""
    if unit.words <= longest or (unit.block.level and unit.words <= limit):
        yield unit
        return
    line = unit.block.lines[0] if unit.block.lines else 0
    for number, text in enumerate(fitting(unit.text, limit)):
        end = line + text.rstrip().count("\n")
        lines = (line, end) if unit.block.lines else None
        yield _Unit(text, len(words(text)), unit.block, unit.number, number == 0, lines)
        line += text.count("\n")


def _fill(units: Sequence[_Unit], room: int) -> list[list[_Unit]]:
    """Deal units out in order so that the pieces are about equally long."""
    total = sum(unit.words for unit in units)
    target = total / -(-total // room)
    filled: list[list[_Unit]] = [[]]
    size = 0
    for unit in units:
        only_headings = all(each.block.level for each in filled[-1])
        if (
            filled[-1]
            and not (only_headings and size + unit.words <= room)
            and (size + unit.words > room or size + unit.words / 2 > target)
        ):
            filled.append([])
            size = 0
        filled[-1].append(unit)
        size += unit.words
    return filled


def _repeated(units: Sequence[_Unit], overlap_words: int) -> tuple[_Unit, ...]:
    """Return the last sentences of a piece, no more than `overlap_words`."""
    taken: list[_Unit] = []
    left = overlap_words
    for unit in reversed(units):
        for sentence in reversed(list(sentences(unit.text))):
            count = len(words(sentence))
            if count > left or unit.block.level:
                return tuple(reversed(taken))
            left -= count
            starts = unit.starts and unit.text.startswith(sentence)
            taken.append(_Unit(sentence, count, unit.block, unit.number, starts, unit.lines))
    return tuple(reversed(taken))


def _merged(pieces: Sequence[_Piece], max_words: int, min_words: int) -> list[_Piece]:
    """Put pieces that are too short together with what follows, or with the section that they belong to.

    Only what stands under the headings of the first: else it would seem to.
    """
    merged: list[_Piece] = []
    for number, piece in enumerate(pieces, start=1):
        if not merged:
            merged.append(piece)
            continue
        last = merged[-1]
        both = _Piece(last.above, (*last.units, *piece.units[piece.repeats :]), last.repeats)
        below = len(piece.above) > len(last.above) or number == len(pieces)
        short = last.words < min_words or (piece.words < min_words and below)
        if short and both.words <= max_words and piece.above[: len(last.above)] == last.above:
            merged[-1] = both
        else:
            merged.append(piece)
    return merged


def _unit(block: Block, number: int) -> _Unit:
    return _Unit(block.text, len(words(block.text)), block, number, True, block.lines)


def _text(units: Sequence[_Unit]) -> str:
    """Return the text of units: parts of one block as they stood, blocks with an empty line between."""
    blocks = ("".join(unit.text for unit in each) for _, each in groupby(units, lambda unit: unit.number))
    return "\n\n".join(text.strip("\n").rstrip() for text in blocks)


def _headings(title: str, piece: _Piece) -> tuple[str, ...]:
    """Return what stands above a piece; the title of the document too, unless a heading says it."""
    shown = [*piece.above, *(unit.text for unit in piece.units if unit.block.level)]
    said = any(title.casefold() in each.casefold() or each.casefold() in title.casefold() for each in shown)
    return piece.above if said or not title else (title, *piece.above)


def _place(piece: _Piece) -> str:
    """Return where a piece stands, as exactly as its format knows."""
    pages = [page for unit in piece.units for page in unit.block.pages or ()]
    if pages:
        return _range("page", min(pages), max(pages))
    lines = [line for unit in piece.units for line in unit.lines or ()]
    if lines:
        return _range("line", min(lines), max(lines))
    headings = list(piece.above)
    level = len(headings)
    for unit in piece.units:
        if not unit.block.level:
            break
        headings.append(unit.text)
        level = unit.block.level
    if headings:
        return f"{'#' * level} {' > '.join(headings)}"
    return _range("paragraph", piece.units[0].number, piece.units[-1].number)


def _range(unit: str, first: int, last: int) -> str:
    return f"{unit} {first}" if first == last else f"{unit}s {first}-{last}"

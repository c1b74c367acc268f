"""From the lines of pages to headings and paragraphs.

A PDF knows where characters stand and not what they are. A paragraph ends at a larger gap, an indented
line, a line that ends early with a full stop, or another size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from instil.corpora.documents.document import Block
from instil.corpora.documents.headings import Bookmark, levels
from instil.corpora.documents.joining import HYPHENS, join
from instil.corpora.documents.lines import Line

_NEAR = 8  # lines before and after
_ITEM = re.compile(
    r"(?:[-–•●▪◦·*]|\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)]|[（(]?[一二三四五六七八九十]{1,3}[、)）.])\s*\S"
)


def blocks(pages: Sequence[list[Line]], bookmarks: Sequence[Bookmark]) -> Iterator[Block]:
    """Yield headings and paragraphs; a paragraph may go on over the end of a page."""
    lines = [line for page in pages for line in page]
    if not lines:
        return
    known = _vocabulary(lines)
    found = levels(lines, bookmarks)
    pitch = _pitch(lines)
    right = _right_edges(lines)
    held: list[Line] = []
    text = ""
    for index, line in enumerate(lines):
        between = _between(lines[index - 1], line, pitch, right[index - 1]) if held else "\n\n"
        if held and (found[index] != found[index - 1] or between == "\n\n"):
            yield _block(text, held, found[index - 1])
            held, text = [], ""
        if not held:
            text = line.text
        elif between == "\n" and not found[index]:
            text = f"{text}\n{line.text}"
        else:
            text = join(text, line.text, known)
        held.append(line)
    yield _block(text, held, found[-1])


def _block(text: str, lines: list[Line], level: int) -> Block:
    # A hyphen that no line follows is only a hyphen.
    shown = re.sub("[\ufffe\x02\u00ad]", lambda mark: "-" if mark.end() == len(text) else "", text)
    if level:
        shown = shown.replace(" | ", " ")
    return Block(text=shown, level=level, pages=(lines[0].page, lines[-1].page))


def _vocabulary(lines: Sequence[Line]) -> frozenset[str]:
    """Return the words of a document in lower case, without those that the end of a line may have parted."""
    found: set[str] = set()
    for above, line in pairwise([None, *lines]):
        assert line is not None
        text = line.text.lower()
        if above is not None and above.text[-1] in HYPHENS:
            text = text.partition(" ")[2]
        if text[-1:] and text[-1:] in HYPHENS:
            text = text.rpartition(" ")[0]
        found.update(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", text))
    return frozenset(found)


def _pitch(lines: Sequence[Line]) -> dict[float, float]:
    """Return the usual distance of two lines by size of the font."""
    found: dict[float, list[float]] = {}
    for above, below in pairwise(lines):
        step = above.bottom - below.bottom
        if above.page == below.page and above.size == below.size and 0 < step < 3 * above.size:
            found.setdefault(above.size, []).append(step)
    return {size: median(steps) for size, steps in found.items()}


def _right_edges(lines: Sequence[Line]) -> list[float]:
    """Return how far the lines around each reach to the right: the edge of its column."""
    return [
        max(
            each.right
            for each in (*lines[max(0, index - _NEAR) : index + _NEAR], line)
            if each is line or (each.page == line.page and each.left < line.right and line.left < each.right)
        )
        for index, line in enumerate(lines)
    ]


def _room_for_next_word(below: Line) -> float:
    """Return the room that the first word of a line would have needed on the line above."""
    first = below.text.split(" ", 1)[0]
    if not first.isascii():
        # Chinese breaks anywhere; hanging punctuation and the grid leave up to two characters.
        return 2.5 * below.size
    return (len(first) + 2) * (below.right - below.left) / len(below.text) + 0.5 * below.size


def _between(above: Line, below: Line, pitch: dict[float, float], edge: float) -> str:
    """Return what parts two lines: an empty line, a line break, or a space."""
    if abs(above.size - below.size) > 0.1 * above.size or above.cells != below.cells:
        return "\n\n"
    stops = above.stops
    parted = above.text[-1] in HYPHENS
    early = not parted and edge - above.right > _room_for_next_word(below)
    item = _ITEM.match(below.text) is not None
    step = above.bottom - below.bottom
    if above.page != below.page or step < 0:
        # The next page or column: a sentence that has not ended goes on.
        goes_on = not stops and not item and (not early or below.text[0].islower())
        return " " if goes_on else "\n\n"
    if step > 1.25 * pitch.get(above.size, above.size * 1.5):
        return "\n\n"
    if above.cells or item:
        return "\n"
    indented = below.left - above.left > 0.8 * above.size and not _ITEM.match(above.text)
    if stops and (early or indented):
        return "\n\n"
    return "\n" if early else " "

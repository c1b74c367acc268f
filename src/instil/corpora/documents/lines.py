"""The lines of pages, and which of them belong to the pages and not to the text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_EDGE = 3  # lines at the top and the bottom of a page that may be running titles
_MANY, _SHARE = 3, 0.25  # and are, if they stand on so many pages and on this share of them
_SAME_HEIGHT = 6
_NUMBER = re.compile(r"(?:.*?\D)??(\d{1,4})\W*|\W*(\d{1,4})\b.*")
_LONGEST_TITLE = 80
_LEADERS = re.compile(r"(?:[.·…]\s?){5,}[\s|]*(?:\d+|[ivxlc]+)$")
_FULL_STOP = re.compile(r"[.!?。！？…:：;；][\"'”’」』）)\]\[\d]*$")


@dataclass(frozen=True)
class Line:
    """One line of a page; lengths in points, from the lower left corner."""

    text: str
    page: int
    """From 1."""
    left: float
    right: float
    bottom: float
    size: float
    """Height of its font."""
    bold: bool = False
    cells: bool = False
    """Whether it has gaps as between the cells of a table."""

    @property
    def stops(self) -> bool:
        """Whether it ends as a sentence does."""
        return _FULL_STOP.search(self.text) is not None


def without_contents(pages: Sequence[list[Line]]) -> tuple[list[list[Line]], int]:
    """Return the pages without lines such as `2.1 Syntax ....... 3`, and how many went."""
    kept = [[line for line in page if not _LEADERS.search(line.text)] for page in pages]
    return kept, sum(map(len, pages)) - sum(map(len, kept))


def without_running_titles(pages: Sequence[list[Line]]) -> tuple[list[list[Line]], int]:
    """Return the pages without the titles and page numbers at their edges, and how many lines went.

    A line at an edge goes if it stands at the same height of many pages, digits aside; the outermost
    line goes too if its number counts the pages as most do (`Chapter 3: Tools   17`).
    """
    need = max(_MANY, _SHARE * sum(map(bool, pages)))
    shapes: Counter[tuple[str, int]] = Counter()
    offsets: Counter[int] = Counter()
    for page in pages:
        edge = _edge(page)
        shapes.update({_shape(line) for line in edge})
        offsets.update({offset for line in (*edge[:1], *edge[-1:]) if (offset := _offset(line)) is not None})
    many = {shape for shape, count in shapes.items() if count >= need}
    offset, count = offsets.most_common(1)[0] if offsets else (0, 0)
    kept, dropped = [], 0
    for page in pages:
        edge = _edge(page)
        repeated = {id(line) for line in edge if _shape(line) in many}
        repeated |= {
            id(line) for line in (*edge[:1], *edge[-1:]) if count >= need and _offset(line) == offset
        }
        kept.append([line for line in page if id(line) not in repeated])
        dropped += len(repeated)
    # Where nothing else is left, it was the text.
    return (kept, dropped) if any(kept) else (list(pages), 0)


def _edge(page: list[Line]) -> list[Line]:
    """Return the lines at the bottom and the top of a page, outermost ones first and last."""
    by_height = sorted(page, key=lambda line: line.bottom)
    return by_height[:_EDGE] + by_height[max(_EDGE, len(by_height) - _EDGE) :]


def _shape(line: Line) -> tuple[str, int]:
    # Roman page numbers of a preface count up too.
    text = re.sub(r"\d+|(?<!\w)[ivxlc]+$", "#", line.text.casefold())
    return text, round(line.bottom / _SAME_HEIGHT)


def _offset(line: Line) -> int | None:
    """Return how far the number at the end or start of a short line is from the number of its page."""
    found = _NUMBER.fullmatch(line.text) if len(line.text) <= _LONGEST_TITLE else None
    return int(found[1] or found[2]) - line.page if found else None

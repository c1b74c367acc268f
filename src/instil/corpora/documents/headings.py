"""Which lines of a PDF are headings.

A line that the bookmarks name; without bookmarks, a short line that is larger than the text, or bold on
its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from instil.corpora.documents.joining import unwrap
from instil.corpora.documents.lines import Line
from instil.data.words import words

_LARGER = 1.12
_TITLE = 1.4
_BOLD_TEXT = 0.25  # of all lines; then bold is no sign of a heading
_LONGEST_HEADING = 30  # words
_MATCHED = 0.5


@dataclass(frozen=True)
class Bookmark:
    """An entry of the outline that a viewer shows beside the pages."""

    text: str
    page: int
    level: int


def title(pages: Sequence[list[Line]]) -> str:
    """Return what the first page says in the largest letters, if they are much larger than the text's."""
    lines = [line for page in pages for line in page]
    first = [line for line in lines if line.page == lines[0].page]
    largest = max(line.size for line in first)
    if largest < _TITLE * _body_size(lines):
        return ""
    return unwrap("\n".join(line.text for line in first if line.size == largest))


def levels(lines: Sequence[Line], bookmarks: Sequence[Bookmark]) -> list[int]:
    """Return the level of each line's heading, or 0."""
    by_bookmark = _levels_by_bookmark(lines, bookmarks)
    if by_bookmark:
        return by_bookmark
    body = _body_size(lines)
    bold = [line.bold for line in lines if line.size == body]
    bold_body = sum(bold) > _BOLD_TEXT * len(bold)
    larger = [line.size >= _LARGER * body and _looks_like_heading(line) for line in lines]
    steps = sorted({round(line.size) for line, yes in zip(lines, larger, strict=True) if yes}, reverse=True)
    levels = []
    for line, yes in zip(lines, larger, strict=True):
        if yes:
            levels.append(min(steps.index(round(line.size)) + 1, 6))
        elif line.bold and not bold_body and line.size >= 0.95 * body and _looks_like_heading(line):
            levels.append(min(len(steps) + 1, 6))
        else:
            levels.append(0)
    return levels


def _body_size(lines: Sequence[Line]) -> float:
    """Return the size of font in which most characters stand."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0]


def _looks_like_heading(line: Line) -> bool:
    count = len(words(line.text))
    letters = sum(character.isalpha() for character in line.text)
    numbered = re.match(r"\d+(?:\.\d+)*\.?\s", line.text)
    return (
        0 < count <= _LONGEST_HEADING
        and letters > 1
        and not line.cells
        and (bool(numbered) or not line.stops)
    )


def _levels_by_bookmark(lines: Sequence[Line], bookmarks: Sequence[Bookmark]) -> list[int]:
    """Return the levels if most bookmarks name a line of their page, else nothing."""
    levels = [0] * len(lines)
    of_page: dict[int, list[int]] = {}
    for index, line in enumerate(lines):
        of_page.setdefault(line.page, []).append(index)
    matched = 0
    for bookmark in bookmarks:
        wanted = _letters(bookmark.text)
        found = _find(wanted, of_page.get(bookmark.page, []), lines, levels) if wanted else []
        for index in found:
            levels[index] = min(bookmark.level, 6)
        matched += bool(found)
    return levels if bookmarks and matched >= _MATCHED * len(bookmarks) else []


def _find(wanted: str, page: list[int], lines: Sequence[Line], levels: Sequence[int]) -> list[int]:
    """Return the lines of a page that together say what a bookmark says, but for a number before it."""
    for start in range(len(page)):
        said = ""
        for end in range(start, min(start + 3, len(page))):
            said += _letters(lines[page[end]].text)
            if said == wanted and not any(levels[each] for each in page[start : end + 1]):
                return page[start : end + 1]
            if not wanted.startswith(said):
                break
    return []


def _letters(text: str) -> str:
    """Return what two spellings of a title share: its letters, and no number before them."""
    bare = re.sub(
        r"^\s*(?:(?:chapter|part|section|appendix)\s+)?(?:\d+|[A-Z](?=[.\s]))(?:\.\d+)*[.:]?\s+",
        "",
        text,
        flags=re.I,
    )
    return "".join(character for character in bare.casefold() if character.isalnum())

"""A window that moves over a text of JSON objects, and how the objects in it are told to begin."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from instil.corpora.containers.streams import BLOCK, Reader

_STRING = r'"(?:[^"\\\n]|\\.)*"'


class Window:
    """A piece of a file as text that moves forward over it."""

    def __init__(self, file: Reader) -> None:
        self._file = file
        # Bytes that are not UTF-8 become halves of surrogate pairs: then only their record fails.
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        # A line end before the first line makes that a line like any other.
        self.text, self._line = "\n", 0
        self.ended = False

    def move(self, position: int) -> None:
        """Forget what is before a position, and read on, at least as much again as there is."""
        self._line += self.text.count("\n", 0, position)
        rest = self.text[position:]
        block = self._file.read1(max(BLOCK, len(rest)))
        self.ended = not block
        self.text = rest + self._decoder.decode(block, final=self.ended)

    def line(self, position: int) -> int:
        """Return the number of the line in which a position is."""
        return self._line + self.text.count("\n", 0, position)


@dataclass(frozen=True)
class Beginning:
    """How objects are told to begin, going by the first of them.

    That is where it stands in its line, because objects inside of others are indented further. Where lines
    say nothing it is its first key, because objects inside of others have other keys.
    """

    mark: str
    """What the objects begin with, as it is written."""
    likely: re.Pattern[str]
    """Where an object begins, also inside what seems a string after something broken."""
    possible: re.Pattern[str] | None
    """Where any object begins, behind what is broken."""

    def after(self, text: str, position: int, wrong: int) -> int | None:
        """Return where the next object begins after one that is broken; None if none does in the text.

        Args:
            text: of objects.
            position: where the next may begin.
            wrong: where the broken one is broken.
        """
        found = self.likely.search(text, position)
        if not found and self.possible:
            found = self.possible.search(text, max(position, wrong))
        return found.end() if found else None


def beginning_of(text: str, before: int, position: int, *, keyed: bool) -> Beginning:
    """Return how the first object of a text begins.

    Args:
        text: of objects.
        before: the end of what stands before the object.
        position: the object.
        keyed: whether objects stand behind keys, in an object.
    """
    opening = rf"{_STRING}\s*:\s*\{{" if keyed else r"\{"
    _, line_end, indentation = text[before:position].rpartition("\n")
    if line_end and (not indentation or indentation.isspace()):
        return Beginning(f"\n{indentation}{{", re.compile(rf"(?=\n{indentation}{opening})"), None)
    first = re.compile(rf"{opening}\s*({_STRING})\s*:").match(text, position)
    likely = rf"{opening}\s*{re.escape(first[1])}\s*:" if first else opening
    any_object = re.compile(rf"\}}\s*,\s*(?={opening})")
    return Beginning(first[0] if first else "{", re.compile(f"(?={likely})"), any_object)

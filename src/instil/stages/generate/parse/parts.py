"""What parsing an answer gives: items, and parts that are none."""

from __future__ import annotations

from dataclasses import dataclass

EMPTY = "empty answer"
EMPTY_LIST = "an empty list"
NO_JSON = "no JSON in the answer"
BROKEN = "not valid JSON"
AMBIGUOUS = "not valid JSON, and can be read in more than one way"
CUT_OFF = "cut off at max_tokens"
BREAKS_OFF = "breaks off in the middle"
SURROGATE = "half a surrogate pair, which is no character"


class NotRead(Exception):
    """An object cannot be read; never leaves this package."""


class EndOfText(NotRead):
    """The text ends before the object does."""


class Doubtful(NotRead):
    """The object has an end, and more than one reading."""

    def __init__(self, end: int) -> None:
        super().__init__(end)
        self.end = end


@dataclass(frozen=True)
class Item:
    """One whole item."""

    instruction: str
    input: str
    output: str
    evidence: str | None = None
    """The words of a given text on which it rests, where the teacher was asked for them."""

    @property
    def question(self) -> str:
        """What the user says: the instruction, and the input on a line of its own."""
        return f"{self.instruction}\n{self.input}" if self.input.strip() else self.instruction


@dataclass(frozen=True)
class Malformed:
    """A part of an answer that is not an item, and why."""

    reason: str
    """Short, and the same for the same mistake: manifests count by it."""
    text: str
    """The part as it came; can always be written as UTF-8."""


def malformed(reason: str, text: str) -> Malformed:
    """Return the part with half surrogate pairs spelled out, so that it can be written to a file."""
    return Malformed(reason, text if writable(text) else text.encode("utf-8", "backslashreplace").decode())


def writable(text: str) -> bool:
    """Return whether a text is UTF-8's: no half surrogate pair in it."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_end(cut_off: bool) -> str:
    """Return why a part without an end is none: the token limit, or the teacher just stopped."""
    return CUT_OFF if cut_off else BREAKS_OFF

"""What `words()` sees in each code point, as tables that the kernel looks up.

The tables are asked of `words()` and `str.lower` themselves, so that they follow the Python that runs, with
its version of Unicode. They know the first two planes, which hold nearly all that is written; what lies
beyond, and the few characters whose lower case is several or depends on its neighbours (İ, Σ), is difficult:
Python goes over such texts before the kernel reads them.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from instil.data.words import words

LETTERS = 0x20000
"""How many code points the tables know."""
SEPARATOR, LETTER, SINGLE, MARK = range(4)
"""Kinds of code points: between words; part of one; a word of its own; a word of its own, unless it follows a
letter."""
BEYOND_ASCII, DIFFICULT_LEAD = 0x80, 0x81
_PAGE = 256
_ALL = np.arange(LETTERS, dtype=np.uint32)

Codes: TypeAlias = npt.NDArray[np.uint32]
"""Code points, or what is known of them."""


class Alphabet(NamedTuple):
    """The tables of the kernel."""

    bytes: npt.NDArray[np.uint8]
    """By first byte of a code point: the lower case of an ASCII letter, 0 for other ASCII, `BEYOND_ASCII`, or
    `DIFFICULT_LEAD` where a difficult one may begin."""
    letters: npt.NDArray[np.uint32]
    """By code point: its lower case, with its kind from bit 24 on, and bit 31 set where it is difficult."""


@cache
def alphabet() -> Alphabet:
    """Return the tables; making them takes about 50 ms, once in a process."""
    lower, difficult = _lower_case()
    kinds = _kinds(np.flatnonzero((lower == _ALL) & ~difficult))
    letters = lower | kinds[lower] << np.uint32(24) | difficult.astype(np.uint32) << np.uint32(31)
    first = np.full(256, BEYOND_ASCII, np.uint8)
    first[:128] = np.where(letters[:128] >> 24 == LETTER, letters[:128] & 0x7F, 0)
    leads = [chr(code).encode()[0] for code in np.flatnonzero(difficult).tolist()]
    # What begins with F0 may lie in the second plane or beyond it.
    first[[*leads, *range(0xF0, 0x100)]] = DIFFICULT_LEAD
    return Alphabet(first, letters)


def _lower_case() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """Return the lower case of each code point, and whether it is another one, or several, at some places."""
    several = np.zeros(LETTERS, np.bool_)
    for page in _ALL.reshape(-1, _PAGE):
        if len(_text(page).lower()) != _PAGE:
            several[page] = [len(chr(code).lower()) != 1 for code in page.tolist()]
    alone = _lowered(np.where(several, 0, _ALL), after="\n")
    difficult = several | (alone != _lowered(np.where(several, 0, _ALL), after="a"))
    return np.where(several, _ALL, alone), difficult


def _lowered(codes: Codes, after: str) -> Codes:
    """Return the lower case of each code point where it follows another and ends a line."""
    places = np.full((len(codes), 3), ord("\n"), np.uint32)
    places[:, 0], places[:, 1] = ord(after), codes
    return _codes(_text(places).lower())[1::3]


def _kinds(known: npt.NDArray[np.intp]) -> Codes:
    """Return the kind of each code point that is known to be its own lower case."""
    kinds = np.full(LETTERS, SEPARATOR, np.uint32)
    mixed = []
    for page in np.split(known, np.searchsorted(known, np.arange(_PAGE, LETTERS, _PAGE))):
        text = _text(page)
        found = words(text)
        # Most pages hold one kind: Han, Hangul, or nothing that is written.
        if len(found) == len(text) and len(words("a".join(["", *text, ""]))) == 2 * len(text) + 1:
            kinds[page] = SINGLE
        elif found == [text] and len(words("a\n".join([*text, ""]))) == len(text):
            kinds[page] = LETTER
        elif found:
            mixed.append(page)
    codes = np.concatenate(mixed)
    # Each as `cAcA` alone: letters make one word of it, singles and marks begin one each, and a mark goes on
    # with the word before it. Nothing is left of separators.
    places = np.full((len(codes), 5), ord("a"), np.uint32)
    places[:, 0], places[:, 2], places[:, 4] = codes, codes, ord("\n")
    read = _codes("\n".join(["", *words(_text(places)), ""]))
    at = np.flatnonzero((read != ord("a")) & (read != ord("\n")))
    begins, ends = read[at - 1] == ord("\n"), read[at + 1] == ord("\n")
    kinds[read[at]] = LETTER
    kinds[read[at[begins & ends]]] = SINGLE
    kinds[np.intersect1d(read[at[begins & ends]], read[at[~begins]])] = MARK
    kinds[ord("a")] = LETTER
    return kinds


def _text(codes: npt.NDArray[np.integer[Any]]) -> str:
    return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _codes(text: str) -> Codes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)

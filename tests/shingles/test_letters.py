"""The tables say of every code point what `words()` does with it."""

from __future__ import annotations

import sys

import numpy as np

from instil.data.words import words
from instil.shingles.letters import (
    BEYOND_ASCII,
    DIFFICULT_LEAD,
    LETTER,
    LETTERS,
    MARK,
    SEPARATOR,
    SINGLE,
    alphabet,
)


def expected(kind: int, lower: str) -> tuple[list[str], list[str]]:
    """What `words()` makes of a code point after a letter, and of one before a letter."""
    if kind == SEPARATOR:
        return ["a"], ["a"]
    after = ["a", lower] if kind == SINGLE else [f"a{lower}"]
    return after, [f"{lower}a"] if kind == LETTER else [lower, "a"]


def test_every_code_point_of_the_tables_is_of_the_kind_that_words_treats_it_as() -> None:
    entries = alphabet().letters.tolist()
    assert len(entries) == LETTERS
    assert {entry >> 24 & 3 for entry in entries} == {SEPARATOR, LETTER, SINGLE, MARK}
    wrong = []
    for code, entry in enumerate(entries):
        lower = chr(entry & 0x1FFFFF)
        if entry >> 31 == 0 and (
            chr(code).lower() != lower
            or (words(f"a{chr(code)}"), words(f"{chr(code)}a")) != expected(entry >> 24, lower)
        ):
            wrong.append(hex(code))
    assert wrong == []


def test_what_is_difficult_has_a_lower_case_of_several_or_one_that_depends_on_its_place() -> None:
    difficult = [chr(code) for code in np.flatnonzero(alphabet().letters >> 31).tolist()]
    assert set(difficult) >= {"İ", "Σ"}
    for char in difficult:
        assert len(char.lower()) != 1 or f"a{char}".lower()[1:] != char.lower()


def test_ascii_words_are_letters_and_digits_as_the_kernel_takes_for_granted() -> None:
    first = alphabet().bytes[:128]
    assert [chr(byte) for byte in np.flatnonzero(first)] == list(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    )
    assert bytes(first[first > 0]).decode() == "0123456789" + 2 * "abcdefghijklmnopqrstuvwxyz"


def test_every_code_point_that_the_tables_do_not_settle_begins_with_a_byte_that_says_so() -> None:
    tables = alphabet()
    unsettled = {0xF0, *(chr(code).encode()[0] for code in range(LETTERS, sys.maxunicode, 0x1000))}
    unsettled |= {chr(code).encode()[0] for code in np.flatnonzero(tables.letters >> 31).tolist()}
    assert {int(tables.bytes[byte]) for byte in unsettled} == {DIFFICULT_LEAD}
    assert tables.bytes[0xE4] == BEYOND_ASCII  # most of Han

"""Texts as the tokens that ROUGE-L counts, and tokens as small numbers."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable
from typing import Literal
from unicodedata import is_normalized, normalize

from instil.data.words import words
from instil.novelty.index import Tokens

Tokenization = Literal["auto", "rouge_score"]
"""`rouge_score`: runs of `a-z` and `0-9`, as the reference. `auto`: the same where all letters are ASCII,
else words of any script, and characters where a script has no spaces."""

_REFERENCE = re.compile("[a-z0-9]+")
_BEYOND_ASCII = re.compile(r"[^\W\d_\x00-\x7f]")


class Vocabulary(dict[str, int]):
    """Numbers words in the order in which they turn up; 0 stands for every word that has no number."""

    def __init__(self, tokenization: Tokenization) -> None:
        super().__init__({"": 0})
        self._split = _SPLITTERS[tokenization]

    def __missing__(self, word: str) -> int:
        """Return the next number, for a new word."""
        number = self[word] = len(self)
        return number

    def encode(self, text: str) -> Tokens:
        """Return the numbers of the words of a text; new words get one."""
        return array("I", map(self.__getitem__, self._split(text)))

    def look_up(self, text: str) -> Tokens:
        """Return the numbers of the words of a text, 0 for those that no encoded text has.

        Such words are like no other, so that their number does not matter; and a text that is only looked
        up leaves nothing behind.
        """
        return array("I", [self.get(word, 0) for word in self._split(text)])

    def encode_all(self, texts: Iterable[str]) -> tuple[Tokens, array[int]]:
        """Return the numbers of the words of several texts, and where each text ends among them."""
        numbers: list[int] = []
        ends = array("Q")
        for text in texts:
            numbers += map(self.__getitem__, self._split(text))
            ends.append(len(numbers))
        return array("I", numbers), ends


def reference_words(text: str) -> list[str]:
    """Return the tokens of the package `rouge_score` without its stemmer; other scripts have none."""
    return _REFERENCE.findall(text.lower())


def any_words(text: str) -> list[str]:
    """Return the reference's tokens where all letters are ASCII, and the words of `data/words.py` elsewhere.

    The reference drops every letter beyond ASCII, so that Chinese texts are all empty to it and French ones
    full of holes. Texts that look alike are made alike first (NFC).
    """
    if text.isascii():
        return _REFERENCE.findall(text.lower())
    text = text if is_normalized("NFC", text) else normalize("NFC", text)
    # The pattern lets numerals such as ² pass, which are no letters.
    if any(found[0].isalpha() for found in _BEYOND_ASCII.finditer(text)):
        return words(text)
    return _REFERENCE.findall(text.lower())


_SPLITTERS: dict[Tokenization, Callable[[str], list[str]]] = {
    "auto": any_words,
    "rouge_score": reference_words,
}

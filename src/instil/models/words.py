"""Tokens of a text word by word, where each word is tokenized once and remembered.

A byte-level tokenizer, such as GPT-2's and most since, splits a text into words by a regular expression, and
the tokens of a word depend on nothing but the word. Most words of a corpus come again, so remembering their
tokens costs a third of tokenizing them again, and gives the same.

The words are found by Python's regular expressions, which have no classes of Unicode's categories and know
another version of it. Whether they see a character as the tokenizer does is therefore tried before its first
use, beside letters, digits, spaces and marks. Texts with a character that they see differently (such as ½),
and tokenizers of other kinds, are left to the tokenizer.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, repeat
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer

Ids = tuple[int, ...]

_MOST_WORDS = 1 << 17
"""Words that are remembered: about 40 MB. When there are more, all are forgotten."""
_LONGEST_WORD = 32
"""Longer ones, such as clauses of Chinese, seldom come again."""
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""How `ByteLevel` splits where it is told to (Radford et al. 2019)."""
_PROBE = "a{0}a {0}a 1{0}1 {0}1 .{0}. {0}. '{0}a {0} \n{0}\n {0}{0}\n\n{0}"


@dataclass(frozen=True, eq=False)
class Words:
    """The tokens of a text."""

    ids: list[int]
    words: Sequence[str]
    ids_of_words: Sequence[Ids]

    def tokens_at(self, characters: Sequence[int]) -> list[int | None]:
        """Return for each character which token begins at it; None where no word does."""
        starts = list(accumulate(map(len, self.words), initial=0))
        tokens = list(accumulate(map(len, self.ids_of_words), initial=0))
        words = [bisect_left(starts, character) for character in characters]
        return [
            tokens[word] if starts[word] == character else None
            for word, character in zip(words, characters, strict=True)
        ]


class WordTokenizer:
    """Tokenizes texts as `tokenizer.encode(text, add_special_tokens=False)` does."""

    def __init__(self, tokenizer: Tokenizer, pattern: str, *, normalizes: bool) -> None:
        """Use `of`, which knows whether that gives the same tokens."""
        self._model: Any = tokenizer.model
        self._split: Any = tokenizer.pre_tokenizer
        self._find: Callable[[str], list[str]] = re.compile(pattern).findall
        self._normalizes = normalizes
        self._added = {each.content: (token,) for token, each in tokenizer.get_added_tokens_decoder().items()}
        longest_first = sorted(self._added, key=len, reverse=True)
        self._find_added = re.compile(f"({'|'.join(map(re.escape, longest_first))})") if self._added else None
        self._memory: dict[str, Ids] = dict(self._added)
        self._characters = _byte_characters()
        self._alike, self._different = set[str](), set[str]()
        self._ascii_is_alike = self._are_alike({chr(code) for code in range(128)})

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> WordTokenizer | None:
        """Return one that gives the same tokens, or None where the tokenizer is of another kind."""
        from tokenizers.models import BPE

        pattern = _pattern(_state(tokenizer.pre_tokenizer))
        normalizer = _state(tokenizer.normalizer)
        if (
            pattern is None
            or normalizer.get("type", "NFC") != "NFC"
            or not isinstance(tokenizer.model, BPE)
            or tokenizer.model.dropout
            or tokenizer.encode_special_tokens
            or not _found_alone(list(tokenizer.get_added_tokens_decoder().values()))
        ):
            return None
        return cls(tokenizer, pattern, normalizes=bool(normalizer))

    def encode(self, text: str) -> Words | None:
        """Return the tokens of a text; None where it is for the tokenizer."""
        if not (
            (self._ascii_is_alike and text.isascii())
            or self._alike.issuperset(text)
            or self._are_alike(set(text) - self._alike)
        ):
            return None
        if self._normalizes and not unicodedata.is_normalized("NFC", text):
            return None
        words = self._words(text)
        if sum(map(len, words)) != len(text):
            # The pattern passes over something, which the tokenizer keeps.
            return None
        ids = list(map(self._memory.get, words, repeat(())))
        for place in [place for place, found in enumerate(ids) if not found]:
            ids[place] = self._tokenize(words[place])
        return Words(list(chain.from_iterable(ids)), words, ids)

    def _words(self, text: str) -> list[str]:
        if self._find_added is None:
            return self._find(text)
        words: list[str] = []
        for part in self._find_added.split(text):
            if part in self._added:
                words.append(part)
            elif part:
                words += self._find(part)
        return words

    def _tokenize(self, word: str) -> Ids:
        tokens = self._model.tokenize("".join(map(self._characters.__getitem__, word.encode())))
        ids = tuple(token.id for token in tokens)
        if len(word) <= _LONGEST_WORD:
            if len(self._memory) >= _MOST_WORDS:
                self._memory = dict(self._added)
            self._memory[word] = ids
        return ids

    def _are_alike(self, characters: set[str]) -> bool:
        """Whether both implementations split at these characters alike."""
        for character in characters - self._different:
            probe = _PROBE.format(character)
            theirs = [probe[start:end] for _, (start, end) in self._split.pre_tokenize_str(probe)]
            (self._alike if theirs == self._find(probe) else self._different).add(character)
        return not characters & self._different


def _state(part: Any) -> dict[str, Any]:
    """Return what a part of a tokenizer says of itself; empty where there is none."""
    state: dict[str, Any] = orjson.loads(part.__getstate__()) if part is not None else {}
    return state


def _pattern(state: Mapping[str, Any]) -> str | None:
    """Return by which expression a byte-level tokenizer finds words; None for one of another kind."""
    match state:
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}:
            return _translated(_GPT2)
        case {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": str(pattern)},
                    "behavior": "Isolated",
                    "invert": False,
                },
                {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
            ],
        }:
            return _translated(pattern)
    return None


def _translated(pattern: str) -> str | None:
    r"""Return an expression in Python's words: `\w` is letters, digits and the underscore there."""
    pattern = re.sub(r"\[\^((?:\\[a-z])+)\\p\{L\}\\p\{N\}\]", r"(?:[^\1\\w]|_)", pattern)
    if re.search(r"\[[^\]]*\\p", pattern):
        return None
    pattern = pattern.replace(r"\p{L}", r"[^\W\d_]").replace(r"\p{N}", r"\d")
    try:
        return None if re.compile(pattern).groups else pattern
    except re.error:
        return None


def _found_alone(added: Sequence[AddedToken]) -> bool:
    """Whether one search for all added tokens finds what the tokenizer finds in two.

    It looks for those that are not normalized first, then for the others in what is left; that matters only
    where one of either kind can overlap with one of the other.
    """
    if any(each.single_word or each.lstrip or each.rstrip for each in added):
        return False
    exact = [each.content for each in added if not each.normalized]
    others = [each.content for each in added if each.normalized]
    return not any(_overlap(a, b) or _overlap(b, a) for a in exact for b in others)


def _overlap(first: str, second: str) -> bool:
    """Whether `second` can begin within `first`."""
    return any(second.startswith(first[place : place + len(second)]) for place in range(len(first)))


def _byte_characters() -> list[str]:
    """Return the character that stands for each byte in a vocabulary of bytes (as in GPT-2's encoder.py)."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in shown else next(others)) for byte in range(256)]

"""Texts in all scripts, and what is computed of them said in the plainest Python."""

from __future__ import annotations

from fractions import Fraction

import pyarrow as pa
from hypothesis import strategies as st

from instil.data.words import words
from instil.shingles import Texts, texts
from instil.shingles.hashing import Hashing, Permutations
from instil.shingles.kernel import CompiledHashing, problem
from instil.shingles.plain import PlainHashing

HASHINGS: list[Hashing] = [PlainHashing(), *([CompiledHashing()] if problem() is None else [])]

_WORDS = (
    "the The fever FEVER a B2 don't x_y 38.5 1/2:9 007 Zz9 az`{@[/: "
    "internationalization eightlet seven77 ninechars sixteenletters16 "
    "ÉCOLE straße nai\u0308ve ΣΊΣΥΦΟΣ οδος Σ İstanbul ıi \u212aelvin Ωmega жук Ǆ ﬁn ß ẞ ² "
    "\u07ca\u07ea \u0800\u0840\u08a0 \uffdc \U00010000 𝐀𝐛 \U00010400\U00010428 "
    "发烧 头痛3天 ＣＴ \U00020bb7野家 \U0002a700 ひらカナー ｱﾚﾙｷﾞｰ 두통이 ปวด ខ្ញុំ "
    "a\u17b6\u17b6b \u17b6x ශ්\u200dරී बुखार שָׁלוֹם صُداع 🩺 👩🏽\u200d⚕️"
)
_OTHERS = ("\x00", "\ud800", "\U000f0000", "\U000e0067", "_", "—", "。", ",", "\t", "\r\n")
PIECES = (*_WORDS.split(" "), *_OTHERS)
"""Words and what stands between them: letters of one to four bytes, words of one to twenty, the characters
whose lower case is long or depends on others, marks, and what lies beyond the tables."""

_glue = st.sampled_from([" ", "", ", ", "\n"])
_written = st.lists(st.tuples(st.sampled_from(PIECES), _glue), max_size=12).map(
    lambda pairs: "".join(part for pair in pairs for part in pair)
)
_any = st.text(st.characters(), max_size=12)
# Texts that take several of the pieces in which the kernel reads.
_long = st.builds(lambda text, times: f"{text} " * times, _written, st.integers(20, 60))
strings = st.one_of(_written, _written, _any, st.builds(str.__add__, _written, _any), _long)
rows = st.lists(st.lists(strings, max_size=3), max_size=4)


def encoded(rows: list[list[str]]) -> Texts:
    """Rows as texts; by way of Arrow where it can hold them, so that both kinds of offsets are tried."""
    try:
        return texts(pa.array(rows, pa.list_(pa.string())))
    except UnicodeEncodeError:  # a lone surrogate
        return Texts.of(rows)


def shingle_list(row: list[str], ngram: int) -> list[tuple[str, ...]]:
    """The shingles of a row as words, in order: each n-gram, or all words of a text that is shorter."""
    found = []
    for text in row:
        all_words = words(text)
        if 0 < len(all_words) < ngram:
            found.append(tuple(all_words))
        found += [tuple(all_words[start : start + ngram]) for start in range(len(all_words) - ngram + 1)]
    return found


def similarity(left: list[str], right: list[str], ngram: int) -> Fraction:
    """The Jaccard similarity of two rows."""
    a, b = set(shingle_list(left, ngram)), set(shingle_list(right, ngram))
    return Fraction(len(a & b), len(a | b)) if a | b else Fraction(0)


def minima(shingles: list[int], permutations: Permutations) -> list[int]:
    """MinHash as it is defined."""
    pairs = zip(permutations.multipliers.tolist(), permutations.summands.tolist(), strict=True)
    return [
        min(((a * (shingle >> 32) + b) % 2**32 for shingle in shingles), default=2**32 - 1) for a, b in pairs
    ]

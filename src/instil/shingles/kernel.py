"""The compiled kernel, by ctypes; it reads texts where they lie, and other threads run meanwhile."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from instil.data.words import words
from instil.kernels import SHINGLES, Kernel, load
from instil.shingles.hashing import Ends, Hashes, Hits, Known, Permutations
from instil.shingles.letters import LETTERS, alphabet
from instil.shingles.texts import Offsets, Texts

KERNEL = SHINGLES
# As in kernel.c.
_CHUNK, _LANES = 256, 32


class _Alphabet(ctypes.Structure):
    _fields_ = (("bytes", ctypes.c_void_p), ("letters", ctypes.c_void_p))


class _Texts(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("row_count", ctypes.c_int64),
        ("wide_ends", ctypes.c_int32),
        ("wide_rows", ctypes.c_int32),
    )


class _Shingling(ctypes.Structure):
    _fields_ = (("ngram", ctypes.c_uint64), ("words", ctypes.c_void_p))


class _MinHash(ctypes.Structure):
    _fields_ = (
        ("permutations", ctypes.c_uint64),
        ("multipliers", ctypes.c_void_p),
        ("summands", ctypes.c_void_p),
        ("minima", ctypes.c_void_p),
    )


class _Known(ctypes.Structure):
    _fields_ = (
        ("sieve", ctypes.c_void_p),
        ("sieve_mask", ctypes.c_uint64),
        ("shingles", ctypes.c_void_p),
        ("starts", ctypes.c_void_p),
        ("shift", ctypes.c_int64),
    )


class CompiledHashing:
    """What kernel.c does."""

    def count(self, texts: Texts, ngram: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Return how many words and how many shingles, equal ones included, each row has."""
        return _Call(texts, ngram).count()

    def shingles(self, texts: Texts, ngram: int) -> tuple[Hashes, Ends]:
        """Return all shingles in order, equal ones included, and where each row ends."""
        call = _Call(texts, ngram)
        shingles = np.empty(int(call.count()[1].sum()), np.uint64)
        ends = np.empty(texts.row_count, np.int64)
        call("list", shingles, ends)
        return shingles, ends

    def unique(self, shingles: Hashes, ends: Ends) -> tuple[Hashes, Ends]:
        """Return the shingles of each row sorted, one of equals."""
        sorted_, new_ends = shingles.copy(), ends.copy()
        kept = _load(KERNEL).shingles_unique(_address(sorted_), _address(new_ends), len(ends))
        return sorted_[:kept].copy(), new_ends

    def jaccard(
        self,
        shingles: Hashes,
        ends: Ends,
        left: npt.NDArray[np.int64],
        right: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.float64]:
        """Return the Jaccard similarities of pairs of rows, 0 where neither has a shingle."""
        similarities = np.empty(len(left))
        arrays = [_address(each) for each in (shingles, ends, left, right)]
        _load(KERNEL).shingles_jaccard(*arrays, len(left), _address(similarities))
        return similarities

    def signatures(self, texts: Texts, ngram: int, permutations: Permutations) -> npt.NDArray[np.uint32]:
        """Return the least image of each row's shingles under each permutation; all ones without words."""
        call, width = _Call(texts, ngram), len(permutations.summands)
        signatures = np.empty((texts.row_count, width), np.uint32)
        call("signatures", ctypes.byref(call.minhash(permutations)), width, signatures)
        return signatures

    def bands(
        self, texts: Texts, ngram: int, permutations: Permutations, bands: int, per_band: int
    ) -> Hashes:
        """Return a hash of each `per_band` minima of each row; 0 for rows without words, and only then."""
        call = _Call(texts, ngram)
        hashes = np.empty((texts.row_count, bands), np.uint64)
        call("bands", ctypes.byref(call.minhash(permutations)), bands, per_band, hashes)
        return hashes

    def find(self, texts: Texts, ngram: int, known: Known) -> Hits:
        """Return the first known shingle of each row."""
        positions, strings, starts = (np.empty(texts.row_count, np.int64) for _ in range(3))
        # There is one start for each value of the highest bits, and one more.
        highest = (len(known.starts) - 1).bit_length() - 1
        passed = _Known(
            _address(known.sieve),
            8 * len(known.sieve) - 1,
            _address(known.shingles),
            _address(known.starts),
            64 - highest,
        )
        _Call(texts, ngram)("find", ctypes.byref(passed), positions, strings, starts)
        return Hits(positions, strings, starts)


class _Call:
    """What every call is given, kept alive for as long as it takes."""

    def __init__(self, texts: Texts, ngram: int) -> None:
        self._tables = alphabet()
        self._alphabet = _Alphabet(_address(self._tables.bytes), _address(self._tables.letters))
        texts = _settled(self._alphabet, texts)
        self._kept: list[Any] = [texts, np.empty(ngram + _CHUNK, np.uint64)]
        self._row_count = texts.row_count
        self._texts = _passed(texts)
        self._shingling = _Shingling(ngram, _address(self._kept[1]))

    def __call__(self, function: str, *arguments: Any) -> None:
        """Call a function of the kernel with arrays, numbers and references."""
        getattr(_load(KERNEL), f"shingles_{function}")(
            ctypes.byref(self._alphabet),
            ctypes.byref(self._texts),
            ctypes.byref(self._shingling),
            *(_address(each) if isinstance(each, np.ndarray) else each for each in arguments),
        )

    def count(self) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """Return how many words and how many shingles each row has."""
        found = np.empty(self._row_count, np.uint32), np.empty(self._row_count, np.int64)
        self("count", *found)
        return found

    def minhash(self, permutations: Permutations) -> _MinHash:
        """Return permutations in a number that is a multiple of what the kernel does at a time."""
        width = -(-len(permutations.summands) // _LANES) * _LANES
        padded = [np.resize(each, width) for each in permutations]
        self._kept += [*padded, np.empty(width, np.uint32)]
        return _MinHash(width, *map(_address, self._kept[-3:]))


@cache
def problem() -> str | None:
    """Return why the kernel cannot be used here, or None."""
    try:
        _load(KERNEL)
    except (OSError, AttributeError) as error:
        return str(error)
    return None


@cache
def _load(kernel: Kernel) -> ctypes.CDLL:
    """Return the library with its functions declared; errors are those of `load`."""
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    call = (pointer, pointer, pointer)
    return load(
        kernel,
        (
            ("difficult", number, (pointer, pointer, number, pointer)),
            ("count", None, (*call, pointer, pointer)),
            ("list", None, (*call, pointer, pointer)),
            ("unique", number, (pointer, pointer, number)),
            ("jaccard", None, (pointer, pointer, pointer, pointer, number, pointer)),
            ("signatures", None, (*call, pointer, number, pointer)),
            ("bands", None, (*call, pointer, number, number, pointer)),
            ("find", None, (*call, pointer, pointer, pointer, pointer)),
        ),
    )


def _settled(passed: _Alphabet, texts: Texts) -> Texts:
    """Return texts with Python's lower case in the place of difficult strings.

    Strings with code points beyond the tables become their words, each on a line of its own.
    """
    strings = len(texts.ends) - 1
    marks = np.empty(strings, np.uint8)
    if not _load(KERNEL).shingles_difficult(
        ctypes.byref(passed), ctypes.byref(_passed(texts)), strings, _address(marks)
    ):
        return texts
    view, start = memoryview(texts.data), int(texts.ends[0])
    pieces: list[bytes | memoryview] = []
    lengths = np.diff(texts.ends).astype(np.int64)
    for string in np.flatnonzero(marks).tolist():
        text = texts.string(string)
        settled = text.lower() if ord(max(text)) < LETTERS else "\n".join(words(text))
        pieces += [view[start : texts.ends[string]], settled.encode("utf-8", "surrogatepass")]
        start = int(texts.ends[string + 1])
        lengths[string] = len(pieces[-1])
    pieces.append(view[start : texts.ends[-1]])
    return Texts(b"".join(pieces), np.concatenate([[0], np.cumsum(lengths)]), texts.rows)


def _passed(texts: Texts) -> _Texts:
    """Return texts as the kernel takes them.

    Raises:
        ValueError: the offsets point outside of what they divide.
    """
    data = np.frombuffer(texts.data, np.uint8) if len(memoryview(texts.data)) else np.zeros(1, np.uint8)
    for offsets, size in ((texts.ends, len(memoryview(texts.data))), (texts.rows, len(texts.ends) - 1)):
        if offsets.dtype not in (np.int32, np.int64) or not offsets.flags.c_contiguous:
            raise ValueError("offsets must be 32-bit or 64-bit numbers that lie close together")
        if not 0 <= offsets[0] <= offsets[-1] <= size:
            raise ValueError(f"offsets {offsets[0]} to {offsets[-1]} point outside of {size}")
    return _Texts(
        _address(data),
        _address(texts.ends),
        _address(texts.rows),
        texts.row_count,
        _wide(texts.ends),
        _wide(texts.rows),
    )


def _wide(offsets: Offsets) -> bool:
    return offsets.dtype == np.int64


def _address(array: npt.NDArray[Any]) -> int:
    return array.ctypes.data

"""The compiled index, by ctypes: no compiler, header or version of Python is needed to use it."""

from __future__ import annotations

import ctypes
import weakref
from array import array
from functools import cache

from instil.kernels import NOVELTY, Kernel, load
from instil.novelty.index import Match, Tokens

KERNEL = NOVELTY
_ABSENT, _FAILED = -1, -2


class KernelIndex:
    """The index of kernel.c. One thread at a time may use it; others run meanwhile."""

    def __init__(self, threshold: float) -> None:
        self._library = library = _load(KERNEL)
        self._index = library.novelty_open(threshold)
        if not self._index:
            raise MemoryError
        weakref.finalize(self, library.novelty_close, self._index)

    def add(self, tokens: Tokens) -> int:
        """Add a sequence and return its position.

        Raises:
            MemoryError: there is no room; the index is of no use any more.
        """
        return _checked(self._library.novelty_add(self._index, tokens.buffer_info()[0], len(tokens)))

    def nearest(self, tokens: Tokens) -> Match | None:
        """Return the sequence with the highest score above the threshold, the first of equals.

        Raises:
            MemoryError: there is no room; the index is of no use any more.
        """
        score = ctypes.c_double()
        position = _checked(
            self._library.novelty_nearest(
                self._index, tokens.buffer_info()[0], len(tokens), ctypes.byref(score)
            )
        )
        return None if position == _ABSENT else Match(position, score.value)

    def filter(self, tokens: Tokens, ends: array[int]) -> list[Match | None]:
        """Take sequences in order, add those with none above the threshold, and return each one's nearest.

        Raises:
            MemoryError: there is no room; the index is of no use any more.
        """
        nearest, scores = _room("q", len(ends)), _room("d", len(ends))
        addresses = [each.buffer_info()[0] for each in (tokens, ends, nearest, scores)]
        _checked(
            self._library.novelty_filter(self._index, *addresses[:2], len(ends), *addresses[2:]),
        )
        return [
            None if position == _ABSENT else Match(position, score)
            for position, score in zip(nearest, scores, strict=True)
        ]

    def most_similar(self, tokens: Tokens, count: int) -> list[Match]:
        """Return the `count` highest scores above 0, best first, the first of equals first.

        Raises:
            MemoryError: there is no room; the index is of no use any more.
        """
        positions, scores = _room("q", count), _room("d", count)
        found = _checked(
            self._library.novelty_most_similar(
                self._index,
                tokens.buffer_info()[0],
                len(tokens),
                count,
                positions.buffer_info()[0],
                scores.buffer_info()[0],
            )
        )
        return [Match(*each) for each in zip(positions[:found], scores[:found], strict=True)]


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
    pointer, count, size = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    return load(
        kernel,
        (
            ("open", pointer, (ctypes.c_double,)),
            ("close", None, (pointer,)),
            ("add", ctypes.c_int64, (pointer, pointer, count)),
            ("nearest", ctypes.c_int64, (pointer, pointer, count, pointer)),
            ("filter", ctypes.c_int64, (pointer, pointer, pointer, size, pointer, pointer)),
            ("most_similar", ctypes.c_int64, (pointer, pointer, count, count, pointer, pointer)),
        ),
    )


def _room(typecode: str, count: int) -> array[int]:
    return array(typecode, bytes(8 * count))


def _checked(answer: int) -> int:
    if answer == _FAILED:
        raise MemoryError("no room for the novelty index")
    return answer

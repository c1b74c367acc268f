"""What is counted of a stream of rows, in memory that does not grow with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Generic, TypeVar

T = TypeVar("T")

EMPTY_TEXT = "empty text"
NUMBER_AS_TEXT = "number as text"
_NUMBER = re.compile(r"\s*[-+]?\d+(?:[.,]\d+)*\s*$")
_LONGEST_NUMBER = 24
_TYPES = 16
_EXACT = 1000
"""Lengths below this are counted exactly, longer ones to three digits."""


class Lengths:
    """How long texts are: percentiles to three digits, out of counts by length."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.longest = 0

    def add(self, length: int) -> None:
        """Count one text."""
        self.longest = max(self.longest, length)
        if length >= _EXACT:
            step = 10 ** (len(str(length)) - 3)
            length = length // step * step
        self._counts[length] += 1

    def percentile(self, share: float) -> int:
        """Return the length that such a share of the texts does not exceed; 0 where there are none."""
        left = share * self._counts.total()
        for length in sorted(self._counts):
            left -= self._counts[length]
            if left <= 0:
                return length
        return 0

    def summary(self) -> dict[str, int]:
        """Return what is shown of them."""
        shares = {"p5": 0.05, "median": 0.5, "p95": 0.95}
        return {**{name: self.percentile(share) for name, share in shares.items()}, "longest": self.longest}


class Distinct:
    """How many of the things that passed were there before.

    Exact up to a number of different things; from there on only those are kept whose hash ends with ever more
    zeros, and the rest is estimated from them (Gibbons 2001, distinct sampling).
    """

    def __init__(self, most: int = 500_000) -> None:
        self._most, self._zeros = most, 0
        self._seen: dict[int, int] = {}

    def add(self, thing: bytes) -> None:
        """Count one thing by its bytes."""
        key = int.from_bytes(blake2b(thing, digest_size=8).digest(), "little")
        if key & ((1 << self._zeros) - 1):
            return
        self._seen[key] = self._seen.get(key, 0) + 1
        while len(self._seen) > self._most:
            self._zeros += 1
            mask = (1 << self._zeros) - 1
            self._seen = {key: count for key, count in self._seen.items() if not key & mask}

    @property
    def repeated(self) -> int:
        """How many things were there before, each time that they came again."""
        return (sum(self._seen.values()) - len(self._seen)) << self._zeros

    @property
    def estimated(self) -> bool:
        """Whether that is an estimate."""
        return self._zeros > 0


class Spread(Generic[T]):
    """Some of a stream, evenly spread over it, whatever its length: every second, fourth, eighth … thing."""

    def __init__(self, most: int) -> None:
        self._most, self._step, self._next, self._passed = most, 1, 0, 0
        self._kept: list[T] = []

    def wants(self) -> bool:
        """Whether the next thing is to be kept; asked once for each."""
        wanted = self._passed == self._next
        self._passed += 1
        return wanted

    def keep(self, thing: T) -> None:
        """Keep the thing for which `wants` said yes."""
        self._kept.append(thing)
        if len(self._kept) == self._most:
            self._kept, self._step = self._kept[::2], self._step * 2
        self._next = len(self._kept) * self._step

    @property
    def kept(self) -> Sequence[T]:
        """What was kept, in order."""
        return self._kept

    def some(self, count: int) -> list[T]:
        """Return a few of what was kept: from the beginning, from the end, and evenly between."""
        last = len(self._kept) - 1
        places = {round(index * last / (count - 1)) for index in range(count)} if last > 0 else {0}
        return [self._kept[place] for place in sorted(places)] if self._kept else []


class Columns:
    """Which fields records have, of which types, and how often they say something."""

    def __init__(self, most: int = 200) -> None:
        self._most = most
        self._filled: Counter[str] = Counter()
        self._types: dict[str, Counter[str]] = {}
        self.more: bool = False
        """Whether there were more fields than are counted: keys that are data themselves."""

    def add(self, record: Mapping[str, Any]) -> None:
        """Count the fields of one record."""
        for name, value in record.items():
            types = self._types.get(name)
            if types is None:
                if len(self._types) >= self._most:
                    self.more = True
                    continue
                types = self._types[name] = Counter()
            kind = type_of(value)
            # Objects whose keys are data are each of a type of their own.
            types[kind if kind in types or len(types) < _TYPES else "other"] += 1
            if value not in (None, "", [], {}) and not (isinstance(value, str) and value.isspace()):
                self._filled[name] += 1

    def summary(self, records: int) -> list[dict[str, Any]]:
        """Return each field's types, and the shares of records that have it and that say something in it."""
        return [
            {
                "field": name,
                "types": _types(types),
                "present": types.total() / records,
                "filled": self._filled[name] / records,
            }
            for name, types in self._types.items()
        ]


def _types(found: Counter[str]) -> list[str]:
    """Return types, the most frequent first; numbers and nothing among texts are texts."""
    texts = [each for each in ("text", NUMBER_AS_TEXT, EMPTY_TEXT) if each in found]
    return [each for each, _ in found.most_common() if each not in texts[1:]]


def type_of(value: object) -> str:
    """Return the type of a JSON value in words; of a list, that of its first item.

    Text that is a number, as in every cell of CSV, is told from text that says something.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case "":
            return EMPTY_TEXT
        case str():
            return NUMBER_AS_TEXT if len(value) < _LONGEST_NUMBER and _NUMBER.match(value) else "text"
        case int() | float():
            return "number"
        case [str(), *_]:
            return "list of text"
        case [first, *_]:
            return f"list of {type_of(first)}"
        case list() | tuple():
            return "empty list"
        case Mapping():
            keys = list(value)
            return f"{{{', '.join(map(str, keys[:4]))}{', …' if len(keys) > 4 else ''}}}"
        case _:
            return type(value).__name__

"""Canonical JSON, its hash, and the differences between two values in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

_ABSENT = object()
# Bytes from which on a file's state tells whether it was written again: clocks of file systems tick in
# milliseconds, in which a small file can be written twice.
_LARGE = 1 << 22


def canonical_json(value: object) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, no NaN.

    Raises:
        TypeError: a part has no stable text (a set, an object); a wrong fingerprint is worse than none.
        ValueError: a number is NaN or infinite.
    """
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fingerprint(value: object) -> str:
    """Return the first 16 hex digits of the SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hex digits.

    A large file that has not been touched since is not read again.
    """
    found = path.stat()
    if found.st_size < _LARGE:
        return _digest(path)
    return _known_digest(path.absolute(), found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=4096)
def _known_digest(path: Path, *_state: int) -> str:
    return _digest(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def differences(old: object, new: object, place: str = "") -> Iterator[str]:
    """Yield one line for each place in which two JSON values differ, as `place: old -> new`.

    Yields nothing exactly when the two have the same fingerprint: `0`, `0.0` and `false` are
    equal to Python but not to a reader of JSON.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{place}.{key}".lstrip("."))
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, f"{place}.{index}".lstrip("."))
    elif _text(old) != _text(new):
        yield f"{place}: {_text(old)} -> {_text(new)}"


def _text(value: object) -> str:
    return "nothing" if value is _ABSENT else canonical_json(value)

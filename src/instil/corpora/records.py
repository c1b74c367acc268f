"""Any file of JSON records to records: a list, one a line or indented, gzipped or not, with or without BOM.

What a file holds decides, not its name. A record that is broken is reported with its place and
the rest of the file is read.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from instil.corpora.base import Failure
from instil.errors import StageError

_DECODER = json.JSONDecoder()
_NEXT_RECORD = re.compile(r"\n\s*\{")


def read_records(path: Path) -> Iterator[tuple[str, dict[str, Any]] | Failure]:
    """Yield `(place, record)` for every record of a file, and a failure for every broken one.

    Raises:
        StageError: the file cannot be read at all.
    """
    text = _text(path)
    name = path.name
    start = text.lstrip()[:1]
    if start == "[":
        yield from _list(name, text)
        return
    if start == "{" and text.lstrip().partition("\n")[0].strip() == "{":
        yield from _one_by_one(name, text)
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _record(f"{name}:line {number}", line)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise StageError(f"cannot read {str(path)!r}: {error}") from error
    except UnicodeDecodeError as error:
        raise StageError(
            f"{str(path)!r} is not UTF-8 text (byte {error.start})", hint="convert the file to UTF-8 first"
        ) from error


def _record(place: str, line: str) -> tuple[str, dict[str, Any]] | Failure:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Failure(place, f"not JSON: {error}")
    return (place, value) if isinstance(value, dict) else Failure(place, "not a JSON object")


def _list(name: str, text: str) -> Iterator[tuple[str, dict[str, Any]] | Failure]:
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError:
        yield from _one_by_one(name, text)
        return
    for number, value in enumerate(values, start=1):
        place = f"{name}:record {number}"
        yield (place, value) if isinstance(value, dict) else Failure(place, "not a JSON object")


def _one_by_one(name: str, text: str) -> Iterator[tuple[str, dict[str, Any]] | Failure]:
    """Read indented records, or a list that is not JSON as a whole, record by record.

    After a broken record the reading goes on at the next line that begins with a brace.
    """
    number, line, counted = 0, 1, 0
    position = text.find("{")
    while position >= 0:
        number += 1
        line, counted = line + text.count("\n", counted, position), position
        place = f"{name}:record {number}"
        try:
            _, end = _DECODER.raw_decode(text, position)
            # The decoder lets NaN and halves of surrogate pairs pass, which are not JSON.
            yield _record(place, text[position:end])
            position = text.find("{", end)
        except json.JSONDecodeError as error:
            following = _NEXT_RECORD.search(text, position + 1)
            position = following.end() - 1 if following else -1
            last = "" if following else "; nothing was read after it"
            yield Failure(
                f"{place} (lines {line} to {error.lineno})",
                f"not JSON: {error.msg} at line {error.lineno}{last}",
            )

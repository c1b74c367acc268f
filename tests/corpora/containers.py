"""Files for the tests of containers, and what is read from them."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow

from instil.corpora.base import Failure
from instil.corpora.containers import RawRecord, read_records

Found = tuple[str, dict[str, Any]] | Failure


def read(path: Path, data: str | bytes | None = None) -> list[Found]:
    """Write the content, if there is any, and return place and value of every record, and the failures."""
    if data is not None:
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return [shown(each) for each in read_records(path)]


def shown(each: RawRecord | Failure) -> Found:
    return each if isinstance(each, Failure) else (each.place, each.value)


def values(found: list[Found]) -> list[dict[str, Any]]:
    """Return the values of the records."""
    return [each[1] for each in found if not isinstance(each, Failure)]


def failures(found: list[Found]) -> list[tuple[str, str]]:
    """Return where and why something could not be read."""
    return [(each.where, each.reason) for each in found if isinstance(each, Failure)]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def zstd(data: bytes) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def table(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip twice over": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
    "bzip2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": zstd,
}

"""What kind of container a file is, told from its first megabyte; its name counts where that says nothing."""

from __future__ import annotations

import codecs
import json
import re
import tarfile
from typing import Literal

import orjson

from instil.corpora.containers.tables import delimiter_of
from instil.errors import StageError

Kind = Literal[
    "lines", "values", "mapping", "instances", "table", "parquet", "arrow_file", "arrow_stream", "zip", "tar"
]
"""`values`: JSON objects in a list or one after the other; `mapping`: one object of objects; `instances`:
LMFlow's object around a list."""

_DATA = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".feather")
_PACKED = ("", ".gz", ".zst", ".bz2", ".xz")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
SUFFIXES = tuple(data + packed for data in _DATA for packed in _PACKED) + _ARCHIVES
"""What the names of files end in that a directory is searched for, in lower case."""

INSTANCES = re.compile(r'\s*\{\s*"type"\s*:\s*"(\w+)"\s*,\s*"instances"\s*:\s*\[')
"""How a file of LMFlow begins: `{"type": "text2text", "instances": [`."""

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1\x00\x00", "arrow_file"),
    (b"\xff\xff\xff\xff", "arrow_stream"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),  # an empty one
)
_KEY = re.compile(r'[\s,]*"(?:[^"\\]|\\.)*"\s*:\s*')
_CONTROL = bytes([*range(0x09), *range(0x0E, 0x20)])
_DECODE = json.JSONDecoder().raw_decode
_LINES_TRIED = 50
_LIKELY = 0.1  # chardet is seldom surer, and wrong guesses get less
_SURELY = 3  # lines that are wrong, so that it is the file that is wrong


def binary_kind(head: bytes) -> Kind | None:
    """Return the kind of a container that is no text; None for text, and for what is no container."""
    if head.startswith(b"FEA1"):
        raise StageError("Feather version 1 is not read", hint="save it as Parquet")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if len(head) >= tarfile.BLOCKSIZE:
        try:
            tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], tarfile.ENCODING, "surrogateescape")
        except tarfile.HeaderError:
            return None
        return "tar"
    return None


def check_text(head: bytes, ended: bool, name: str) -> None:
    """Raise the error for what is no text, and for text in an encoding that nobody named.

    One line in a wrong encoding is no reason to refuse a file: it fails where it is read.

    Raises:
        StageError: names the first byte that is wrong, and the way out.
    """
    if len(head) - len(head.translate(None, _CONTROL)) > max(16, len(head) // 50):
        position = next(position for position, byte in enumerate(head) if byte in _CONTROL)
        raise StageError(
            f"{name!r} is not text: byte 0x{head[position]:02x} at byte {position + 1}",
            hint="JSON, CSV, Parquet and Arrow are read, also in gzip, zstd, bzip2, xz, zip and tar",
        )
    try:
        # The head may end inside a character.
        codecs.getincrementaldecoder("utf-8")().decode(head, final=ended)
    except UnicodeDecodeError as error:
        lines = head.split(b"\n")[: None if ended else -1]
        foreign = [line for line in lines if not line.isascii()]
        wrong = [line for line in foreign if not _is_utf8(line)]
        if wrong and wrong == foreign and (len(wrong) >= _SURELY or len(wrong) == sum(map(bool, lines))):
            line = head.count(b"\n", 0, error.start) + 1
            raise StageError(
                f"{name!r} is not UTF-8 text: byte 0x{head[error.start]:02x} in line {line}",
                hint=_way_out(head),
            ) from error


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _way_out(head: bytes) -> str:
    """Return how the file can be converted, with a guess of its encoding where chardet is installed."""
    try:
        import chardet
    except ModuleNotFoundError:
        return "convert it: iconv -f ENCODING -t UTF-8; chardetect guesses the encoding (instil[documents])"
    guess = chardet.detect(head[: 1 << 16])
    if not guess["encoding"] or guess["confidence"] < _LIKELY:
        return "convert it: iconv -f ENCODING -t UTF-8"
    return f"convert it: iconv -f {guess['encoding']} -t UTF-8; the encoding is a guess"


def text_kind(head: bytes, ended: bool, name: str) -> tuple[Kind, str]:
    """Return the kind of a text, and of a table what stands between its cells.

    JSON Lines whose first lines are broken are still JSON Lines as long as one of them is an object. What
    is neither JSON nor a table is read as JSON Lines too, so that every line of it is reported.

    Args:
        head: UTF-8 without a mark; its last character may be cut.
        ended: whether that is the whole file.
        name: decides about a table of one column.
    """
    text = head.decode(errors="replace").lstrip()
    if text.startswith("["):
        return "values", ""
    if text.startswith("{"):
        return _object_kind(text, ended), ""
    if not _has_object_line(text, ended):
        named = name.lower().split(".")
        delimiter = delimiter_of(text, ended, "tsv" if "tsv" in named else "csv" if "csv" in named else None)
        if delimiter:
            return "table", delimiter
    return "lines", ""


def _object_kind(text: str, ended: bool) -> Kind:
    """Return the kind of what begins with a brace."""
    line, _, rest = text.partition("\n")
    first_is_whole = _is_json(line)
    if first_is_whole and (rest.strip() or not ended):
        return "lines"
    if not first_is_whole and line.strip() != "{" and _has_object_line(rest, ended):
        return "lines"
    if INSTANCES.match(text):
        return "instances"
    if _is_mapping(text, ended):
        return "mapping"
    return "lines" if first_is_whole or not (rest or ended) else "values"


def _is_mapping(text: str, ended: bool) -> bool:
    """Whether a text is one object whose values are all objects, as far as it can be seen."""
    position, found = 1, 0
    while key := _KEY.match(text, position):
        if not text.startswith("{", key.end()):
            return key.end() == len(text) and not ended and found > 0
        try:
            value, position = _DECODE(text, key.end())
        except (ValueError, RecursionError):
            return found > 0  # it goes on beyond the head, or a record of it is broken
        found += bool(value)
    remaining = text[position:].lstrip(", \t\r\n")
    if not remaining.startswith("}"):
        return found > 0
    return found > 0 and ended and not remaining[1:].strip()


def _has_object_line(text: str, ended: bool) -> bool:
    lines = text.split("\n", _LINES_TRIED + 1)
    if len(lines) > _LINES_TRIED or not ended:
        lines.pop()  # the rest of the text, or a line that may be cut
    # An object on a line of its own begins the line: those inside an indented one do not.
    return any(line.startswith("{") and _is_json(line) and line.strip() != "{}" for line in lines)


def _is_json(line: str) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True

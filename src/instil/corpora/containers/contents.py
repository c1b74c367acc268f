"""Looking into a file, and reading or counting what it holds, whatever that is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import cast

from instil.corpora.base import Failure
from instil.corpora.containers.archives import members
from instil.corpora.containers.columnar import count_arrow, read_arrow, read_parquet, row_groups
from instil.corpora.containers.json_lines import count_lines, read_lines
from instil.corpora.containers.json_values import read_values
from instil.corpora.containers.record import Places, RawRecord, Tally
from instil.corpora.containers.shapes import Kind, binary_kind, check_text, text_kind
from instil.corpora.containers.streams import BLOCK, ArchiveCut, Cut, Reader, as_utf8, head_of, unpacked
from instil.corpora.containers.tables import read_table
from instil.errors import StageError


@dataclass(frozen=True)
class Content:
    """What a file holds, at its beginning."""

    name: str
    file: Reader
    kind: Kind | None
    """None: nothing."""
    delimiter: str = ""
    """What stands between the cells of a table."""
    plain: bool = True
    """Whether these are the bytes of the file itself, which can be read from anywhere."""


def look(file: Reader, name: str, size: int, *, plain: bool = True) -> Content:
    """Return what a file holds.

    Args:
        file: at its beginning; nothing of it has been read.
        name: for places and errors.
        size: of the file in bytes.
        plain: whether it can be read from anywhere.

    Raises:
        StageError: it cannot be unpacked, or is no container and no text.
    """
    try:
        found = unpacked(file, name, size)
        head, ended = head_of(found)
        kind = binary_kind(head)
        plain = plain and found is file
        if kind:
            return Content(name, found, kind, plain=plain)
        utf8 = as_utf8(found)
        if utf8 is not found:
            head, ended = head_of(utf8)
    except ArchiveCut:
        raise
    except Cut as cut:
        raise StageError(f"cannot read {name!r}: {cut}") from cut
    head = head.removeprefix(b"\xef\xbb\xbf")
    check_text(head, ended, name)
    if not head.strip() and ended:
        return Content(name, utf8, None)
    text, delimiter = text_kind(head, ended, name)
    return Content(name, utf8, text, delimiter, plain and utf8 is found)


def read(
    content: Content, tally: Tally, start: int = 0, end: int | None = None
) -> Iterator[RawRecord | Failure]:
    """Yield what a file holds; `start` and `end` mean what they do for a Part.

    Raises:
        StageError: it cannot be read at all.
    """
    places = Places(content.name, "line" if content.kind in ("lines", "table") else "record")
    try:
        match content.kind:
            case None:
                return
            case "lines":
                yield from read_lines(content.file, places, tally, start, end)
            case "table":
                yield from read_table(content.file, places, content.delimiter)
            case "zip" | "tar":
                yield from _read_members(content, start, end)
            case "parquet":
                with _seekable(content) as file:
                    yield from read_parquet(file, places, start, end)
            case "arrow_file":
                with _seekable(content) as file:
                    yield from read_arrow(file, places, stream=False)
            case "arrow_stream":
                yield from read_arrow(content.file, places, stream=True)
            case _:
                yield from read_values(content.file, places, content.kind)
    except Cut as cut:
        if isinstance(cut, ArchiveCut) and content.kind not in ("zip", "tar"):
            raise
        reason = f"{cut}; nothing was read after it"
        yield Failure(content.name, reason, line=tally.lines + 1 if content.kind == "lines" else None)


def count(content: Content) -> int:
    """Return how many records a file has at most; what is cheap to know is not counted out.

    Raises:
        StageError: it cannot be read at all.
    """
    match content.kind:
        case None:
            return 0
        case "lines":
            return count_lines(content.file)
        case "table":
            return max(0, count_lines(content.file) - 1)
        case "parquet":
            with _seekable(content) as file:
                return sum(rows for _, rows in row_groups(file, content.name))
        case "arrow_file":
            with _seekable(content) as file:
                return count_arrow(file, content.name, stream=False)
        case "arrow_stream":
            return count_arrow(content.file, content.name, stream=True)
        case "zip" | "tar":
            return _count_members(content)
        case _:
            return sum(1 for _ in read(content, Tally()))


def _read_members(content: Content, start: int, end: int | None) -> Iterator[RawRecord | Failure]:
    for each in _contents(content, start, end):
        if isinstance(each, Failure):
            yield each
        else:
            try:
                # Lines are counted from the beginning of the member, not of the part.
                yield from read(each, Tally())
            except StageError as error:
                yield _refused(each.name, error)


def _count_members(content: Content) -> int:
    found = 0
    with suppress(Cut):
        for each in _contents(content, 0, None):
            with suppress(StageError):
                found += 0 if isinstance(each, Failure) else count(each)
    return found


def _refused(name: str, error: StageError) -> Failure:
    return Failure(name, f"{error}; {error.hint}" if error.hint else str(error))


def _contents(content: Content, start: int, end: int | None) -> Iterator[Content | Failure]:
    """Yield what the files in an archive hold."""
    assert content.kind in ("zip", "tar")
    with _seekable(content) if content.kind == "zip" else nullcontext(content.file) as file:
        for each in members(file, content.name, content.kind, seekable=content.plain, start=start, end=end):
            if isinstance(each, Failure):
                yield each
                continue
            try:
                found = look(each.file, each.name, each.size, plain=False)
            except StageError as error:
                if each.certain:
                    yield _refused(each.name, error)
                continue
            if found.kind in ("zip", "tar"):
                yield Failure(each.name, "an archive in an archive is not opened")
            elif each.certain or _begins_with_records(found):
                yield found


def _begins_with_records(content: Content) -> bool:
    """Whether a file whose name says nothing holds records: prose and tables are not taken for them."""
    if content.kind in (None, "table"):
        return False
    return content.kind != "lines" or content.file.peek()[:BLOCK].lstrip().startswith(b"{")


@contextmanager
def _seekable(content: Content) -> Iterator[Reader]:
    """Return a file that can be read from anywhere: what was unpacked is copied to a nameless one."""
    if content.plain:
        yield content.file
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(content.file, copy, BLOCK)
        copy.seek(0)
        yield cast("Reader", copy)

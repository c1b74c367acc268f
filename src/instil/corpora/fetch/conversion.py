"""Fetched files that only one process could read, written once as JSON Lines, which several can.

Lists of JSON, and what is packed as a whole, are read from their beginning. Of them every record is written
to a line of its own, with its very text where it is JSON: formats, conditions and templates see what they
would see in the file itself, so that the rows are the same. JSON Lines, Parquet and archives of several files
are read in pieces as they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from instil.corpora.base import Failure, Part
from instil.corpora.containers import RawRecord, read_records, split
from instil.corpora.fetch.place import Fetched, FetchedFile, Place
from instil.data.jsonl import encode, read_jsonl
from instil.data.progress import Progress
from instil.errors import StageError, StoreError
from instil.store.atomic import atomic_write, remove_leftovers

VERSION = 1
"""Raised when `corpora.containers` reads other records from the same file."""
LEAST = 16 << 20
"""Bytes of a file below which reading it in pieces saves nothing."""
_UNREAD = "unread.jsonl"
_RECORDS_AT_A_TIME = 1000


@dataclass(frozen=True)
class Conversion:
    """The records of one fetched file as JSON Lines; they depend on its content only.

    ::

        converted/SHA256-VERSION/
            unread.jsonl    what of the file is no record, and why; not there where all of it is
            NAME.jsonl      a record a line, an empty line for one that was not read: line N is record N

    The records are written last: they are there if everything is.
    """

    directory: Path
    name: str

    @property
    def records(self) -> Path:
        """Where the records lie."""
        return self.directory / self.name

    @property
    def unread(self) -> Path:
        """Where it stands what is no record."""
        return self.directory / _UNREAD

    @property
    def done(self) -> bool:
        """Whether it was written."""
        return self.records.exists()

    def failures(self) -> list[Part]:
        """Return the piece that holds what could not be read, if there is anything."""
        if not self.done or not self.unread.exists():
            return []
        return [Part(self.unread, self.unread.stat().st_size)]


class Unread:
    """What could not be read of a file when it was converted, as a source gives it."""

    lines = 0

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Failure]:
        """Yield every failure, with the place in the file itself."""
        for _, row in read_jsonl(self._path):
            yield Failure(row["place"], row["reason"])


def is_unread(part: Part) -> bool:
    """Return whether a part is what `Conversion.failures` returns."""
    return part.path.name == _UNREAD


def conversion_of(place: Place, file: FetchedFile) -> Conversion:
    """Return where a file's records lie, or would lie."""
    name = Path(file.path).stem.removesuffix(".jsonl") + ".jsonl"
    return Conversion(place.converted / f"{file.sha256[:16]}-{VERSION}", name)


def convert_once(place: Place, fetched: Fetched, progress: Progress, least: int = LEAST) -> int:
    """Write the records of all files that can be read by one process only; return how many files these are.

    What was converted is not converted again; conversions of files that the record does not name any more are
    removed. Where the disk is too full, a file is read as it is, which is slower and no error. What cannot be
    read at all is said; that it was fetched stays true.

    Raises:
        RunLocked: another process fetches or converts the corpus.
    """
    wanted = {}
    for file in fetched.files:
        path = place.files / file.path
        try:
            if _only_in_one_piece(path, least):
                wanted[conversion_of(place, file)] = path
        except StageError as error:
            progress.say(f"{path.name} was fetched, but: {error}")
    if not all(each.done for each in wanted):
        with place.lock():
            _remove_others(place, fetched)
            for conversion, path in wanted.items():
                if not conversion.done:
                    _try(path, conversion, progress)
    return sum(each.done for each in wanted)


def _remove_others(place: Place, fetched: Fetched) -> None:
    current = {conversion_of(place, file).directory for file in fetched.files}
    for directory in place.converted.glob("*"):
        if directory not in current:
            shutil.rmtree(directory)
    remove_leftovers(place.converted)


def _try(path: Path, conversion: Conversion, progress: Progress) -> None:
    try:
        with progress.task(f"converting {path.name}", total=None, unit="records") as task:
            for count in _convert(path, conversion):
                task.advance(count)
    except (StageError, StoreError, TypeError) as error:
        progress.say(f"{path.name} is read as it is, and not converted: {error}")


def _only_in_one_piece(path: Path, least: int) -> bool:
    if path.stat().st_size < least:
        return False
    first, *others = split(path)
    # JSON Lines that are one piece are a small one, from byte to byte.
    return not others and first.end != path.stat().st_size


def _convert(path: Path, conversion: Conversion) -> Iterator[int]:
    """Write the records of a file; yield how many, now and then.

    Raises:
        StageError: the file cannot be read.
        StoreError: the disk is full.
        TypeError: a record holds what JSON cannot say.
    """
    conversion.directory.mkdir(parents=True, exist_ok=True)
    failed = number = 0
    # The first that is opened appears last.
    with atomic_write(conversion.records) as records, atomic_write(conversion.unread) as unread:
        for number, each in enumerate(read_records(path), start=1):
            if isinstance(each, Failure):
                failed += 1
                unread.write(encode(each.row()))
                records.write(b"\n")
            else:
                _write(each, records)
            if number % _RECORDS_AT_A_TIME == 0:
                yield _RECORDS_AT_A_TIME
        yield number % _RECORDS_AT_A_TIME
    if not failed:
        conversion.unread.unlink()


def _write(record: RawRecord, file: IO[bytes]) -> None:
    line = record.line
    file.write(encode(record.value) if line is None else line + b"\n")

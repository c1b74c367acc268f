"""The files in zip and tar archives, read where they are: nothing is ever written under a name of theirs."""

from __future__ import annotations

import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import IO, Literal

from instil.corpora.base import Failure
from instil.corpora.containers.shapes import SUFFIXES
from instil.corpora.containers.streams import (
    FREE,
    MOST_TIMES,
    MOST_UNPACKED,
    STEP,
    TOO_MUCH,
    ArchiveCut,
    Cut,
    Reader,
    buffered,
    within_limits,
    without_damage,
)
from instil.errors import StageError

_ENCRYPTED = 1  # a flag of zip


@dataclass(frozen=True)
class Member:
    """A file in an archive, to be read before the next one is asked for."""

    name: str
    """The archive's name and its own."""
    file: Reader
    size: int
    """How many bytes it takes up in the archive."""
    certain: bool
    """Whether its name says that it holds records; if not, it is left out if it does not begin as they do."""


def members(
    file: Reader,
    name: str,
    kind: Literal["zip", "tar"],
    *,
    seekable: bool,
    start: int = 0,
    end: int | None = None,
) -> Iterator[Member | Failure]:
    """Yield the files of an archive that have records by their names, or may have.

    What is named as if it had records and cannot be read is a failure: links, devices, what is encrypted,
    and a file whose path leads out of the archive. Directories, hidden files and files with other suffixes
    are not asked for.

    Args:
        file: the archive at its beginning.
        name: for places.
        kind: of the archive.
        seekable: whether it can be read in any order; zip must be.
        start: the number of the first member that is taken, counting all from 0.
        end: the number of the one after the last; None: all.

    Raises:
        StageError: it cannot be read at all, or holds more than can be meant.
        Cut: it ends early or is damaged.
    """
    return _in_zip(file, name, start, end) if kind == "zip" else _in_tar(file, name, seekable, start, end)


def sizes(file: Reader, name: str, kind: Literal["zip", "tar"]) -> list[tuple[int, int]]:
    """Return for each member how many bytes it takes up in the archive, and how many it has unpacked.

    Raises:
        StageError: the archive cannot be read at all, or holds more than can be meant.
        Cut: it ends early or is damaged.
    """
    if kind == "zip":
        return [(info.compress_size, info.file_size) for info in _open_zip(file, name).infolist()]
    with _open_tar(file, seekable=True) as archive:
        return [(info.size, info.size) for info in _infos(archive)]


def _in_zip(file: Reader, name: str, start: int, end: int | None) -> Iterator[Member | Failure]:
    archive = _open_zip(file, name)
    for info in archive.infolist()[start:end]:
        certain = _named_for_records(info.filename)
        if certain is None or info.is_dir():
            continue
        place, problem = f"{name}/{info.filename}", _problem_in_zip(info)
        if not problem:
            try:
                with archive.open(info) as opened:
                    read = within_limits(without_damage(partial(opened.read, STEP)), info.compress_size)
                    yield Member(place, buffered(read), info.compress_size, certain)
            except (zipfile.BadZipFile, NotImplementedError) as error:
                problem = f"it cannot be unpacked: {error}"
        if problem and certain:
            yield Failure(place, problem)


def _open_zip(file: Reader, name: str) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise StageError(
            f"cannot read {name!r}: {error}", hint="it is damaged, or was not downloaded to its end"
        ) from error
    # Members of a bomb may share their bytes, so that none unpacks to too much alone.
    total, size = sum(info.file_size for info in archive.infolist()), file.seek(0, 2)
    if total > min(MOST_UNPACKED, max(FREE, MOST_TIMES * size)):
        raise StageError(
            f"cannot read {name!r}: {TOO_MUCH}, as bombs do",
            hint=f"{size:,} bytes say that they are {total:,}",
        )
    return archive


def _problem_in_zip(info: zipfile.ZipInfo) -> str | None:
    if _leads_out(info.filename):
        return _LEADS_OUT
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted; unpack the archive first"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link is not followed"
    return None


class _Info(tarfile.TarInfo):
    """A member of a tar archive, which must be followed by another or by the archive's end mark."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Info:
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            if isinstance(error, tarfile.EOFHeaderError):  # type: ignore[attr-defined]
                raise
            # TarFile takes what is no header for the end.
            raise Cut("the file ends early or is damaged") from error


def _open_tar(file: Reader, *, seekable: bool) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=file, mode="r:" if seekable else "r|", bufsize=STEP, tarinfo=_Info)
    except tarfile.TarError as error:
        raise Cut(f"the file is damaged: {error}") from error


def _infos(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    try:
        yield from archive
    except tarfile.TarError as error:
        raise Cut("the file ends early or is damaged") from error


def _in_tar(
    file: Reader, name: str, seekable: bool, start: int, end: int | None
) -> Iterator[Member | Failure]:
    with _open_tar(file, seekable=seekable) as archive:
        for info in islice(_infos(archive), start, end):
            certain = _named_for_records(info.name)
            if certain is None or info.isdir():
                continue
            place, problem = f"{name}/{info.name}", _problem_in_tar(info)
            if not problem:
                opened = archive.extractfile(info)
                assert opened is not None
                yield Member(place, buffered(_read_in_tar(opened)), info.size, certain)
            elif certain:
                yield Failure(place, problem)


def _read_in_tar(file: IO[bytes]) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return file.read(STEP)
        except (tarfile.TarError, Cut) as error:
            raise ArchiveCut("the file ends early or is damaged") from error

    return read


def _problem_in_tar(info: tarfile.TarInfo) -> str | None:
    if _leads_out(info.name):
        return _LEADS_OUT
    if info.issym() or info.islnk():
        return "a link is not followed"
    if not info.isreg() or info.issparse():
        return "it is no plain file"
    return None


_LEADS_OUT = "its path leads out of the archive"


def _leads_out(name: str) -> bool:
    path = name.replace("\\", "/")
    return path.startswith("/") or ".." in path.split("/") or re.match("[A-Za-z]:", path) is not None


def _named_for_records(name: str) -> bool | None:
    """Whether a name says that there are records; False: it says nothing; None: that there are none."""
    *directories, file = name.replace("\\", "/").rstrip("/").split("/")
    hidden = file.startswith(".") or any(each.startswith(".") and each.strip(".") for each in directories)
    if hidden or "__MACOSX" in directories:
        return None
    if file.lower().endswith(SUFFIXES):
        return True
    return None if "." in file else False

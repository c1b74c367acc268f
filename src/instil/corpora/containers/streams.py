"""The bytes of any file: unpacked, in UTF-8, within limits.

What a file begins with decides, not its name. Bytes are read ahead, so that the head of a file can be
looked at before the file is read, and what was unpacked before a damage is read before the damage is found.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from instil.errors import StageError

BLOCK = 1 << 20
"""How many bytes are read ahead; a file is told from them."""
MOST_UNPACKED = 256 << 30
"""A file that unpacks to more bytes is not read further."""
MOST_TIMES = 500
"""A file that unpacks to more than so many times its size is not read further; text packs 3 to 30 times."""
FREE = 64 << 20
"""So many bytes are not yet compared with the size."""
TOO_MUCH = f"it unpacks to more than {MOST_TIMES} times its size, or {MOST_UNPACKED >> 30} GB"
STEP = 1 << 16
"""How many bytes are unpacked at once."""
_STEP_ZSTD = 1 << 12  # pyarrow loses what it unpacked in the step in which a file ends early
_BEFORE_UTF8 = (  # UTF-32's mark begins with that of UTF-16, so it is asked first
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

Reader: TypeAlias = "io.BufferedReader[Any]"


class Cut(Exception):
    """The bytes end before they should; the message says why."""


class ArchiveCut(Cut):
    """The bytes of a file in an archive end because those of the archive do."""


class _Stream(io.RawIOBase):
    """The bytes that a function returns piece by piece, up to an empty one."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read
        self._rest = memoryview(b"")
        self._cut: Cut | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer as far as there are bytes; a cut is raised when all before it has been read."""
        if self._cut:
            raise self._cut
        view, done = memoryview(buffer), 0  # type: ignore[arg-type]
        while done < len(view):
            if not self._rest:
                try:
                    self._rest = memoryview(self._read())
                except Cut as cut:
                    if not done:
                        raise
                    self._cut = cut
                    break
                if not self._rest:
                    break
            length = min(len(self._rest), len(view) - done)
            view[done : done + length] = self._rest[:length]
            self._rest, done = self._rest[length:], done + length
        return done


def buffered(read: Callable[[], bytes]) -> Reader:
    """Return a file over the bytes that a function returns piece by piece."""
    return io.BufferedReader(_Stream(read), BLOCK)


def head_of(file: Reader) -> tuple[bytes, bool]:
    """Return what a file that was just opened begins with, and whether that is all of it."""
    head = file.peek()
    return head, len(head) < BLOCK


def unpacked(file: Reader, name: str, size: int) -> Reader:
    """Return the bytes that a packed file holds (gzip, zstd, bzip2, xz); the file itself if it is not packed.

    Args:
        file: at its beginning.
        name: for errors.
        size: of the packed file in bytes, with which it is compared how much it unpacks to.

    Raises:
        StageError: it is packed twice, or cannot be unpacked from its first byte on.
    """
    read = _unpacker(file)
    if read is None:
        return file
    found = buffered(within_limits(without_damage(read), size))
    try:
        found.peek()
    except Cut as cut:
        raise StageError(f"cannot read {name!r}: {cut}") from cut
    if _unpacker(found):
        raise StageError(f"{name!r} is packed twice", hint="unpack it once")
    return found


def _unpacker(file: Reader) -> Callable[[], bytes] | None:
    head = file.peek(16)[:16]
    if head.startswith(b"\x1f\x8b"):
        return partial(gzip.GzipFile(fileobj=file).read1, STEP)
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return partial(bz2.BZ2File(file).read1, STEP)
    if head.startswith(b"\xfd7zXZ\x00"):
        return partial(lzma.LZMAFile(file).read1, STEP)
    # A frame of zstd, or what `pzstd` writes before it: a frame to be skipped.
    if head.startswith(b"\x28\xb5\x2f\xfd") or (head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        import pyarrow

        return partial(pyarrow.CompressedInputStream(file, "zstd").read, _STEP_ZSTD)
    return None


def without_damage(read: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return the function with every sign of damaged bytes turned into a Cut."""

    def careful() -> bytes:
        try:
            return read()
        except EOFError as error:
            raise Cut("the file ends early") from error
        except (zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise Cut(_in_words(str(error))) from error
        except OSError as error:
            if error.errno is not None:  # the disk's, not the bytes'
                raise
            raise Cut(_in_words(str(error))) from error

    return careful


def _in_words(problem: str) -> str:
    early = "Truncated" in problem or "unexpected end" in problem
    return "the file ends early" if early else f"the file is damaged: {problem}"


def within_limits(read: Callable[[], bytes], size: int) -> Callable[[], bytes]:
    """Return the function with a Cut where it has given more bytes than `size` bytes can well stand for."""
    most = min(MOST_UNPACKED, max(FREE, MOST_TIMES * size))
    given = 0

    def limited() -> bytes:
        nonlocal given
        data = read()
        given += len(data)
        if given > most:
            raise Cut(f"{TOO_MUCH}, as bombs do")
        return data

    return limited


def as_utf8(file: Reader) -> Reader:
    """Return a text in UTF-8 without its byte order mark, from UTF-16 or UTF-32 where its mark says so."""
    head = file.peek(4)[:4]
    if head.startswith(codecs.BOM_UTF8):
        file.read(len(codecs.BOM_UTF8))
        return file
    encoding = next((encoding for mark, encoding in _BEFORE_UTF8 if head.startswith(mark)), None)
    return buffered(_transcoder(file, encoding)) if encoding else file


def _transcoder(file: Reader, encoding: str) -> Callable[[], bytes]:
    # Halves of surrogate pairs pass, and make bytes that are not UTF-8: then only their record fails.
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def read() -> bytes:
        while True:
            data = file.read1(STEP)
            try:
                text = decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise Cut(
                    f"the file is not {encoding.upper()}, which its mark says: {error.reason}"
                ) from error
            if text or not data:
                return text.encode("utf-8", "surrogatepass")

    return read

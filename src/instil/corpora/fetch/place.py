"""Where fetched corpora lie, the record of what was fetched, and the lock on it.

::

    INSTIL_HOME/corpora/NAME/
        files/          the corpus as its publisher wrote it
        fetched.json    what these files are: written last, when all of them are whole
        converted/      their records as JSON Lines, where that is quicker to read: see conversion.py
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import Field, ValidationError

from instil.data.messages import Value
from instil.errors import RunLocked, StoreError
from instil.store.atomic import atomic_write

RECORD = "fetched.json"


class FetchedFile(Value):
    """One file of a corpus, as it lies on the disk."""

    path: str
    """Below `files/`, with slashes."""
    size: int = Field(ge=0)
    """Bytes."""
    sha256: str
    url: str
    """Where it came from; empty where somebody put it there by hand."""
    verified: bool
    """Whether its publisher or the catalogue states what it must be, and it is."""


class Fetched(Value):
    """What was fetched of a corpus."""

    corpus: str
    source: str
    """The hub's id, or the page of files with addresses of their own."""
    revision: str | None
    """The commit of a hub repository."""
    license: str | None
    fetched_at: str
    files: tuple[FetchedFile, ...]
    whole: bool
    """Whether these are all files of the corpus, and not a choice of them."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 of every file by its path: what the rows depend on."""
        return {file.path: file.sha256 for file in self.files}


@dataclass(frozen=True)
class Place:
    """The directory of one corpus."""

    root: Path

    @property
    def files(self) -> Path:
        """Where the files of its publisher lie."""
        return self.root / "files"

    @property
    def converted(self) -> Path:
        """Where their records lie once more, as JSON Lines."""
        return self.root / "converted"

    def read(self) -> Fetched | None:
        """Return the record, or None where nothing was fetched.

        Raises:
            StoreError: it is damaged.
        """
        path = self.root / RECORD
        try:
            return Fetched.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValidationError) as error:
            raise StoreError(
                f"cannot read {str(path)!r}: {error}", hint="remove the file and fetch the corpus again"
            ) from error

    def missing(self, fetched: Fetched) -> list[FetchedFile]:
        """Return the files of a record that are gone, or have another size than they had."""
        return [file for file in fetched.files if _size(self.files / file.path) != file.size]

    def write(self, fetched: Fetched) -> None:
        """Write the record; the corpus counts as fetched from here on.

        Raises:
            StoreError: the disk is full or the place cannot be written.
        """
        with atomic_write(self.root / RECORD) as file:
            file.write(orjson.dumps(fetched.model_dump(), option=orjson.OPT_INDENT_2))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from fetching the same corpus while the block lasts.

        Raises:
            RunLocked: another process fetches it; its process id is in the message.
            StoreError: the directory cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"cannot write {str(self.root)!r}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
                raise RunLocked(
                    f"process {holder} is fetching into {str(self.root)!r}",
                    hint="wait for it; then the same command finds everything there",
                ) from error
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)


def corpora_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of fetched corpora: below INSTIL_HOME, by default ~/.cache/instil."""
    return Path(environment.get("INSTIL_HOME") or "~/.cache/instil").expanduser() / "corpora"


def place_of(name: str, home: Path | None = None) -> Place:
    """Return where a corpus lies, or would lie."""
    return Place((corpora_home() if home is None else home) / name)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None

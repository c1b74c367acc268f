"""What there is to download: one value a file, and how to tell that what came is it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from threading import Event

from instil.corpora.catalogue import WebSource
from instil.errors import RequestError, StoreError

_READ = 1 << 20
_NAMES_SHOWN = 20
# What rows are read from. A pickle, a script or weights are never taken, whatever a pattern says.
_DATA = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".feather")
_PACKED = (".gz", ".zst", ".bz2", ".xz")
_ARCHIVES = (".zip", ".tar", ".tgz")


@dataclass(frozen=True)
class Remote:
    """One file that can be downloaded."""

    path: str
    """Where it shall lie below the corpus, with slashes."""
    url: str
    size: int | None = None
    """Bytes, where known."""
    sha256: str | None = None
    git_sha1: str | None = None
    """What git calls its content: the hub's checksum for small files."""

    @property
    def checked(self) -> bool:
        """Whether it is known what the content must be."""
        return self.sha256 is not None or self.git_sha1 is not None

    def verify(self, file: Path, stopped: Event | None = None) -> str:
        """Return the SHA-256 of a downloaded file.

        Args:
            file: where it lies.
            stopped: ends the reading when it is set; the result is then worth nothing.

        Raises:
            StoreError: it is not what it must be.
        """
        size = file.stat().st_size
        sha256, git_sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        with file.open("rb") as content:
            while (block := content.read(_READ)) and not (stopped and stopped.is_set()):
                sha256.update(block)
                if self.git_sha1:
                    git_sha1.update(block)
        found = sha256.hexdigest()
        if self.size is not None and size != self.size:
            problem = f"has {size:,} bytes and must have {self.size:,}"
        elif self.sha256 is not None and found != self.sha256:
            problem = f"has the SHA-256 {found} and must have {self.sha256}"
        elif self.git_sha1 is not None and git_sha1.hexdigest() != self.git_sha1:
            problem = f"has git's name {git_sha1.hexdigest()} and must have {self.git_sha1}"
        else:
            return found
        raise StoreError(
            f"{self.path} {problem}",
            hint=f"it was changed at its source or on its way from {self.url}; nothing of it was kept",
        )


def web_files(source: WebSource, only: Sequence[str]) -> list[Remote]:
    """Return the files of a source with addresses that `only` chooses.

    Raises:
        RequestError: `only` names what is not there.
    """
    files = {address.path: address for address in source.files}
    return [
        Remote(path, str(files[path].url), files[path].size, files[path].sha256)
        for path in choose(files, ["*"], only, {})
    ]


def choose(
    paths: Iterable[str], patterns: Iterable[str], only: Iterable[str], parts: Mapping[str, str]
) -> list[str]:
    """Return the paths of files with rows that match a pattern, in order.

    Args:
        paths: what a repository holds.
        patterns: glob patterns of the corpus.
        only: names of parts, or glob patterns, that choose among them; empty: all.
        parts: glob patterns of the parts that have names.

    Raises:
        RequestError: nothing matches, or a path would lie outside of the corpus.
    """
    patterns, only = list(patterns), list(only)
    held = sorted(path for path in paths if _matches(path, patterns) and _holds_rows(path))
    if not held:
        raise RequestError(
            f"no file with rows matches {', '.join(patterns)}",
            hint="the repository was changed; `instil corpora show NAME` has its page",
        )
    for path in held:
        if path != str(PurePosixPath(path)) or PurePosixPath(path).is_absolute() or ".." in path.split("/"):
            raise RequestError(f"the repository has a file {path!r} that would lie outside of the corpus")
    wanted: set[str] = set()
    for each in only:
        found = [path for path in held if fnmatchcase(path, parts.get(each, each))]
        if not found:
            there = list(parts) or [PurePosixPath(path).name for path in held]
            raise RequestError(f"no part {each!r}", hint=f"there are {_listed(there)}")
        wanted.update(found)
    return [path for path in held if not only or path in wanted]


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _holds_rows(path: str) -> bool:
    name = path.lower()
    if name.endswith(_ARCHIVES):
        return True
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return name.endswith((*_DATA, *_ARCHIVES))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown

"""The directories of one run, and the lock on them.

A stage works in `.work/<stage>` and its directory gets its final name when the manifest is in
it. So an older result stays until the new one is complete, and what a crash left can be continued.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from instil.data.fingerprint import fingerprint
from instil.errors import RunLocked, StoreError
from instil.store.atomic import atomic_write, remove_leftovers, sync_directory
from instil.store.manifest import IDENTITY, MANIFEST

RECIPE = "recipe.yaml"


@dataclass(frozen=True)
class RunDir:
    """`runs/<name>/` of a workspace."""

    root: Path

    def stage(self, name: str) -> Path:
        """Return the directory of a finished stage."""
        return self.root / name

    def work(self, name: str) -> Path:
        """Return the directory in which a stage works until it has finished."""
        return self.root / ".work" / name

    def continues(self, name: str, identity: Mapping[str, Any]) -> bool:
        """Whether unfinished work of a stage is there that was begun for the same identity."""
        try:
            begun = orjson.loads((self.work(name) / IDENTITY).read_bytes())
        except (FileNotFoundError, NotADirectoryError, orjson.JSONDecodeError):
            return False
        return fingerprint(begun) == fingerprint(identity)

    def begin(self, name: str, identity: Mapping[str, Any]) -> Path:
        """Return the working directory of a stage: continued if it fits, else new and empty."""
        work = self.work(name)
        if not self.continues(name, identity):
            shutil.rmtree(work, ignore_errors=True)
            try:
                work.mkdir(parents=True)
            except OSError as error:
                raise StoreError(f"cannot create {str(work)!r}: {error.strerror}") from error
            with atomic_write(work / IDENTITY) as file:
                file.write(orjson.dumps(identity))
        remove_leftovers(work)
        return work

    def finish(self, name: str) -> None:
        """Give the working directory of a stage its final name; an older result goes."""
        (self.work(name) / IDENTITY).unlink(missing_ok=True)
        self._publish(name)

    def recover(self) -> None:
        """Complete what a crash interrupted between the manifest of a stage and its final name."""
        for old in sorted((self.root / ".work").glob("*.old")):
            name = old.name.removesuffix(".old")
            if self.stage(name).exists():
                shutil.rmtree(old)
            elif (self.work(name) / MANIFEST).exists():
                self._publish(name)
            else:
                old.rename(self.stage(name))
        for manifest in sorted((self.root / ".work").glob(f"*/{MANIFEST}")):
            self.finish(manifest.parent.name)

    def _publish(self, name: str) -> None:
        final, old = self.stage(name), self.work(f"{name}.old")
        if final.exists():
            final.rename(old)
        self.work(name).rename(final)
        sync_directory(self.root)
        shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes out of this run while the block lasts.

        Raises:
            RunLocked: another process is in it; its process id is in the message.
            StoreError: the directory cannot be written.
        """
        path = self.root / ".lock"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"cannot write {str(self.root)!r}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
                raise RunLocked(
                    f"process {holder} is working in {str(self.root)!r}",
                    hint="wait for it, stop it, or give this run another name: name=OTHER",
                ) from error
            _sign(descriptor, path)
            self.recover()
            yield
        finally:
            os.close(descriptor)


def _sign(descriptor: int, path: Path) -> None:
    """Write into a lock who holds it."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise StoreError(
            f"cannot write {str(path)!r}: {error.strerror}",
            hint="nothing was started; make room and run the same command again",
        ) from error

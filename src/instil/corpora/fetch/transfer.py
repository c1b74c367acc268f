"""Bring files here: ranges over several connections, continued after a cut, verified at the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from instil.corpora.fetch.http import Http, Lost, Patience
from instil.corpora.fetch.partial import PartialFile, Range
from instil.corpora.fetch.remote import Remote
from instil.errors import StoreError

_SHORTEST_PIECE = 4 << 20
_LONGEST_PIECE = 64 << 20
"""Bytes of a piece: short enough that the connections end together, long enough that requests are few."""
_PIECES_A_CONNECTION = 4


@dataclass(frozen=True)
class Transfer:
    """How files are brought.

    Args:
        http: the client.
        headers: sent with every request.
        connections: how many pieces are received at a time.
        received: is called with the number of bytes whenever some were.
    """

    http: Http
    headers: Mapping[str, str]
    connections: int
    received: Callable[[int], None]

    async def bring(self, remotes: Sequence[Remote], directory: Path) -> list[str]:
        """Return the SHA-256 of every file, in order, when all of them lie in a directory, verified.

        What is there is not received again.

        Raises:
            StoreError: a file is not what it must be, or cannot be written.
            RequestError: a server refuses.
            InstilError: a server failed too often; what was received is kept.
        """
        slots = asyncio.Semaphore(self.connections)
        # Every file takes as many pieces as slots; more files at once would only be more open files.
        files = asyncio.Semaphore(self.connections)

        async def one(remote: Remote) -> str:
            async with files:
                return await self._bring(remote, directory / remote.path, slots)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(remote)) for remote in remotes]
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        return [task.result() for task in tasks]

    async def _bring(self, remote: Remote, final: Path, slots: asyncio.Semaphore) -> str:
        if final.exists():
            if kept := await _verified(remote, final):
                self.received(final.stat().st_size)
                return kept
            final.unlink()
        async with slots:
            probe = await self.http.probe(remote.url, self.headers)
        if remote.size is not None and probe.size not in (None, remote.size):
            raise StoreError(
                f"{remote.path} must have {remote.size:,} bytes, and {remote.url} has {probe.size:,}",
                hint="it was changed at its source; nothing of it was kept",
            )
        # Better than the server's word for its version: another mirror may give another one.
        version = remote.sha256 or remote.git_sha1 or probe.version
        size = probe.size if probe.ranges else None
        with PartialFile(final, size, version) as file:
            self.received(sum(end - start for start, end in file.received))
            if size is None:
                await self._whole(remote, file, slots)
            else:
                await self._pieces(remote, file, size, slots)
            found = await self._verify(remote, file)
            file.publish()
        return found

    async def _verify(self, remote: Remote, file: PartialFile) -> str:
        try:
            return await _aside(remote, file.data)
        except StoreError:
            file.discard()
            raise

    async def _pieces(self, remote: Remote, file: PartialFile, size: int, slots: asyncio.Semaphore) -> None:
        longest = size // (self.connections * _PIECES_A_CONNECTION)
        longest = min(max(longest, _SHORTEST_PIECE), _LONGEST_PIECE)

        async def one(piece: Range) -> None:
            async with slots:
                await self._piece(remote, file, piece)

        async with asyncio.TaskGroup() as group:
            for piece in file.holes(longest):
                group.create_task(one(piece))

    async def _piece(self, remote: Remote, file: PartialFile, piece: Range) -> None:
        patience = Patience(self.http.sleep, begun=True)
        at, end = piece
        while at < end:
            with file.writer(at) as writer:
                try:
                    async with aclosing(self.http.stream(remote.url, self.headers, at, end)) as blocks:
                        async for block in blocks:
                            writer.put(block)
                            self.received(len(block))
                            patience.progress()
                except Lost as trouble:
                    await patience.failed(remote.url, trouble)
                finally:
                    at = writer.at

    async def _whole(self, remote: Remote, file: PartialFile, slots: asyncio.Semaphore) -> None:
        """Receive a file from a server that gives no parts of it: from the beginning every time."""
        patience = Patience(self.http.sleep, begun=True)
        async with slots:
            while True:
                file.restart()
                at = 0
                try:
                    async with aclosing(self.http.stream(remote.url, self.headers, 0, None)) as blocks:
                        async for block in blocks:
                            file.put(block, at)
                            self.received(len(block))
                            at += len(block)
                    return
                except Lost as trouble:
                    self.received(-at)
                    await patience.failed(remote.url, trouble)


async def _verified(remote: Remote, path: Path) -> str | None:
    """Return the SHA-256 of a file that is there already, if it is what it must be and that is known."""
    if not remote.checked:
        return None
    try:
        return await _aside(remote, path)
    except StoreError:
        return None


async def _aside(remote: Remote, path: Path) -> str:
    """Verify in a thread, which ends when nobody waits for it any more."""
    stopped = threading.Event()
    try:
        return await asyncio.to_thread(remote.verify, path, stopped)
    finally:
        stopped.set()


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what went wrong first; the others were cancelled for it, or failed alike."""
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first

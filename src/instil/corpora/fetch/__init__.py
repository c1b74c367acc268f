"""Bring a corpus of the catalogue here, verified and written down."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from instil.corpora.catalogue import Entry, HubSource
from instil.corpora.fetch.by_hand import adopt, advice
from instil.corpora.fetch.http import Http, Refused, Sleep, Unreachable, open_http
from instil.corpora.fetch.hub import DEFAULT_ENDPOINT, Hub, list_files
from instil.corpora.fetch.place import Fetched, FetchedFile, Place, corpora_home, place_of
from instil.corpora.fetch.remote import Remote, choose, web_files
from instil.corpora.fetch.transfer import Transfer
from instil.corpora.fetch.watching import in_words, watched
from instil.data.progress import Progress
from instil.errors import RequestError

__all__ = [
    "CONNECTIONS",
    "Fetched",
    "FetchedFile",
    "Fetching",
    "Hub",
    "Place",
    "corpora_home",
    "fetch",
    "in_words",
    "place_of",
]

CONNECTIONS = 8
_KEPT_FREE = 64_000_000
"""Bytes that a download leaves free on the disk."""


@dataclass(frozen=True)
class Fetching:
    """What is to be fetched, and how.

    Args:
        entry: the corpus.
        place: where it shall lie.
        hub: the hub, or its mirror.
        only: names of parts or glob patterns that choose among its files; empty: all.
        update: whether to take what is newest, instead of the commit that was taken before.
        connections: how many connections to use.
    """

    entry: Entry
    place: Place
    hub: Hub
    only: Sequence[str] = ()
    update: bool = False
    connections: int = CONNECTIONS

    @property
    def source(self) -> str:
        """What the record calls the source."""
        source = self.entry.source
        return source.id if isinstance(source, HubSource) else str(self.entry.page)

    @property
    def headers(self) -> dict[str, str]:
        """What is sent with every request; nothing of the hub's goes to other servers."""
        return self.hub.headers if isinstance(self.entry.source, HubSource) else {}

    def same(self, before: Fetched | None) -> Fetched | None:
        """Return an earlier record if it is of the commit that would be taken now."""
        if before is None or self.update or before.source != self.source:
            return None
        wanted = getattr(self.entry.source, "revision", None)
        return before if wanted in (None, before.revision) else None

    def complete(self, before: Fetched | None) -> Fetched | None:
        """Return an earlier record if all that is asked for now is in it, and on the disk."""
        found = self.same(before)
        if found is None or self.place.missing(found):
            return None
        if not self.only:
            return found if found.whole else None
        try:
            choose(found.digests, ["*"], self.only, self.entry.parts)
        except RequestError:
            return None
        return found


def fetch(asked: Fetching, progress: Progress, sleep: Sleep = asyncio.sleep) -> Fetched:
    """Return the record of a corpus when it lies in its place, whole.

    What is there is not downloaded again, and what was cut off goes on where it stopped. A corpus without a
    revision in the catalogue keeps the commit that it was fetched at, until an update is asked for.

    Args:
        asked: what is to be fetched.
        progress: is told how far it is.
        sleep: waits so many seconds between attempts.

    Raises:
        RequestError: it cannot be fetched as asked for: no connection, terms not accepted, no room, no such
            part; nothing was written.
        RunLocked: another process fetches it.
        StoreError: what came is not what it must be, or cannot be written.
        InstilError: a server failed too often; what came is kept.
    """
    if found := asked.complete(asked.place.read()):
        return found
    return asyncio.run(_fetch(asked, progress, sleep))


async def _fetch(asked: Fetching, progress: Progress, sleep: Sleep) -> Fetched:
    before = asked.same(asked.place.read())
    try:
        async with open_http(asked.connections, sleep) as http:
            return await _download(asked, before, http, progress)
    except Unreachable as error:
        files = adopt(asked.entry, asked.place, asked.only)
        if files is None:
            raise RequestError(
                f"{asked.entry.name} is not here, and {error}",
                hint=advice(asked.entry, asked.place, asked.hub),
            ) from error
        progress.say(f"{error}; the files in {asked.place.files} are taken")
        with asked.place.lock():
            return _finish(asked, files, before.revision if before else None, before)
    except Refused as error:
        raise RequestError(f"{asked.entry.name}: {error}", hint=_terms(asked)) from error


async def _download(asked: Fetching, before: Fetched | None, http: Http, progress: Progress) -> Fetched:
    revision, remotes = await _list(asked, before, http, progress)
    _check_room(asked, remotes)
    # Terms that were not accepted show at the first file, while nothing is written.
    await http.probe(remotes[0].url, asked.headers)
    with asked.place.lock():
        known = sum(remote.size or 0 for remote in remotes)
        size = known if all(remote.size is not None for remote in remotes) else None
        with watched(progress, f"fetching {asked.entry.name}", size) as megabytes:
            transfer = Transfer(http, asked.headers, asked.connections, megabytes.received)
            digests = await transfer.bring(remotes, asked.place.files)
        files = [_file(asked, *each) for each in zip(remotes, digests, strict=True)]
        return _finish(asked, files, revision, before)


async def _list(
    asked: Fetching, before: Fetched | None, http: Http, progress: Progress
) -> tuple[str | None, list[Remote]]:
    """Return the commit, where there is one, and the files to take."""
    source, hub = asked.entry.source, asked.hub
    if not isinstance(source, HubSource):
        return None, web_files(source, asked.only)
    if hub.offline:
        raise Unreachable("HF_HUB_OFFLINE forbids to ask the hub")
    if hub.endpoint != DEFAULT_ENDPOINT:
        progress.say(f"the hub is {hub.endpoint} (HF_ENDPOINT{', with your HF_TOKEN' if hub.token else ''})")
    revision = source.revision or (before.revision if before else None)
    listing = await list_files(source, revision, asked.only, hub, http)
    return listing.revision, listing.files


def _check_room(asked: Fetching, remotes: Sequence[Remote]) -> None:
    """Stop before anything is written where the disk is too small."""
    root = asked.place.root
    existing = next(each for each in (root, *root.parents) if each.exists())
    free = shutil.disk_usage(existing).free - _KEPT_FREE
    absent = [each for each in remotes if not (asked.place.files / each.path).exists()]
    begun = sum(part.stat().st_blocks * 512 for part in asked.place.files.rglob("*.part"))
    needed = sum(each.size or 0 for each in absent) - begun
    if needed > free:
        room = f"{str(existing)!r} has {in_words(max(free, 0))} to give"
        raise RequestError(
            f"{asked.entry.name} needs {in_words(needed)}, and {room}",
            hint="make room, choose parts with --only, or name another disk with --to or INSTIL_HOME",
        )


def _file(asked: Fetching, remote: Remote, sha256: str) -> FetchedFile:
    size = (asked.place.files / remote.path).stat().st_size
    return FetchedFile(path=remote.path, size=size, sha256=sha256, url=remote.url, verified=remote.checked)


def _finish(
    asked: Fetching, files: Sequence[FetchedFile], revision: str | None, before: Fetched | None
) -> Fetched:
    """Write the record: what was brought now, and what was there before of the same commit."""
    kept = before.files if before and before.revision == revision else ()
    by_path = {file.path: file for file in (*kept, *files)}
    fetched = Fetched(
        corpus=asked.entry.name,
        source=asked.source,
        revision=revision,
        license=asked.entry.license,
        fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
        files=tuple(by_path[path] for path in sorted(by_path)),
        whole=not asked.only or bool(kept and before and before.whole),
    )
    asked.place.write(fetched)
    return fetched


def _terms(asked: Fetching) -> str:
    """Return what to do where a server refuses."""
    page = asked.entry.page
    if not isinstance(asked.entry.source, HubSource):
        return f"see {page}"
    if asked.hub.token is None:
        return f"accept its terms at {page}, and set HF_TOKEN to a token of yours that may read"
    return f"accept its terms at {page} with the account of your HF_TOKEN, or set another token"

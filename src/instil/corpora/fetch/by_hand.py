"""Files that somebody put in place by hand, because there is no way to the network."""

from __future__ import annotations

from collections.abc import Sequence

from instil.corpora.catalogue import Entry, HubSource
from instil.corpora.fetch.hub import MIRROR, Hub
from instil.corpora.fetch.place import FetchedFile, Place
from instil.corpora.fetch.remote import Remote, choose, web_files
from instil.errors import RequestError, StoreError


def adopt(entry: Entry, place: Place, only: Sequence[str]) -> list[FetchedFile] | None:
    """Return the files that lie in place without having been fetched, checked as far as the catalogue can.

    Returns None where they are not all there; for a repository of the hub nobody can tell what all are while
    it cannot be asked, and whatever fits its patterns counts.

    Raises:
        StoreError: a file is not what the catalogue says.
    """
    there = [
        path.relative_to(place.files).as_posix()
        for path in sorted(place.files.rglob("*"))
        if path.is_file() and not path.name.endswith((".part", ".part.ranges"))
    ]
    wanted = _wanted(entry, there, only)
    if not wanted or any(remote.path not in there for remote in wanted):
        return None
    return [_adopted(remote, place) for remote in wanted]


def _adopted(remote: Remote, place: Place) -> FetchedFile:
    path = place.files / remote.path
    try:
        sha256 = remote.verify(path)
    except StoreError as error:
        raise StoreError(str(error), hint=f"remove {path} and bring it again") from error
    return FetchedFile(
        path=remote.path, size=path.stat().st_size, sha256=sha256, url="", verified=remote.checked
    )


def _wanted(entry: Entry, there: Sequence[str], only: Sequence[str]) -> list[Remote]:
    source = entry.source
    if not isinstance(source, HubSource):
        return web_files(source, only)
    stated = {each.path: each for each in source.checksums}
    try:
        paths = choose(there, source.files, only, source.parts)
    except RequestError:
        return []
    return [
        Remote(path, "by hand", stated[path].size, stated[path].sha256)
        if path in stated
        else Remote(path, "by hand")
        for path in paths
    ]


def advice(entry: Entry, place: Place, hub: Hub) -> str:
    """Return how to bring a corpus here without the network, and which other way there may be."""
    source = entry.source
    if isinstance(source, HubSource):
        revision = source.revision or "main"
        address = f"{hub.endpoint}/datasets/{source.id}/tree/{revision}"
        what = f"{', '.join(source.files)} of {address}"
        mirror = f"; where the hub cannot be reached a mirror may: HF_ENDPOINT={MIRROR}"
    else:
        what = ", ".join(f"{address.url} as {address.path}" for address in source.files)
        mirror = ""
    return f"to bring it by hand, put {what} into {place.files} and run the same command again{mirror}"

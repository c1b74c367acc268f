"""Walk the manifests of a run from its last stage back to the seeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from instil.errors import RequestError
from instil.store.manifest import Manifest, changed_files, read_manifest


@dataclass(frozen=True)
class Link:
    """One finished stage of a run."""

    directory: Path
    manifest: Manifest
    stale: tuple[str, ...]
    """Stages that it read and that have another content now."""


def lineage(run: Path, stages: Iterable[str]) -> tuple[Link, ...]:
    """Return the finished stages of a run, in the order of `stages`.

    Raises:
        RequestError: the directory is not a run.
        StoreError: a manifest is damaged.
    """
    found = {name: manifest for name in stages if (manifest := read_manifest(run / name))}
    if not found:
        raise RequestError(
            f"{str(run)!r} is not a run: no finished stage in it",
            hint="name a directory below runs/, for example runs/clinic-zh",
        )
    return tuple(
        Link(run / name, manifest, tuple(_stale(manifest, found))) for name, manifest in found.items()
    )


def verify(links: Iterable[Link]) -> list[str]:
    """Return one line for each file that does not match its record, `stage/path: what`."""
    return [
        f"{link.directory.name}/{line}"
        for link in links
        for line in changed_files(link.directory, link.manifest)
    ]


def _stale(manifest: Manifest, found: dict[str, Manifest]) -> Iterable[str]:
    for name, digest in manifest.identity.get("inputs", {}).items():
        if name not in found or found[name].digest != digest:
            yield name

"""The record beside every finished stage: what was asked for, what came out, from what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from instil.data.examples import Counts
from instil.data.fingerprint import file_sha256, fingerprint
from instil.data.messages import Value
from instil.errors import StoreError
from instil.store.atomic import atomic_write

MANIFEST = "manifest.json"
IDENTITY = ".identity.json"
"""What unfinished work was begun for; gone when the stage has finished."""


class FileRecord(Value):
    """One output file."""

    sha256: str
    size: int
    """Bytes."""


class Manifest(Value):
    """What a finished stage is, and what it came from."""

    schema_version: Literal[1] = 1
    stage: str
    identity: Mapping[str, Any]
    """Stage, stage version, configuration and digests of the inputs: what was asked for."""
    files: Mapping[str, FileRecord]
    """What came out, by path relative to the stage's directory."""
    counts: Counts
    details: Mapping[str, Any] = {}
    seconds: float
    finished_at: str
    """UTC, ISO 8601."""
    instil_version: str
    commit: str | None = None
    """Git commit of the workspace, if it is a repository."""

    @property
    def fingerprint(self) -> str:
        """What was asked for, in 16 hex digits."""
        return fingerprint(self.identity)

    @property
    def digest(self) -> str:
        """What came out, in 16 hex digits."""
        return fingerprint({path: record.sha256 for path, record in self.files.items()})


def record_files(directory: Path) -> dict[str, FileRecord]:
    """Return the hash and size of every file below a directory but our own records."""
    return {
        path.relative_to(directory).as_posix(): FileRecord(sha256=file_sha256(path), size=path.stat().st_size)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path not in (directory / MANIFEST, directory / IDENTITY)
    }


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write the record, whole or not at all; from then on the stage counts as finished."""
    with atomic_write(directory / MANIFEST) as file:
        file.write(
            orjson.dumps(
                manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
            )
        )


def read_manifest(directory: Path) -> Manifest | None:
    """Return the record of a finished stage, or None if it did not finish.

    Raises:
        StoreError: there is a record, but it is damaged or of a version that we do not know.
    """
    path = directory / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise StoreError(
            f"{str(path)!r} is damaged: {place} {first['msg']}".replace("  ", " "),
            hint=f"remove {str(directory)!r} to have the stage run again",
        ) from error


def changed_files(directory: Path, manifest: Manifest) -> list[str]:
    """Return one line for each file that is no longer what the record says."""
    found = record_files(directory)
    lines = [f"{path}: missing" for path in manifest.files if path not in found]
    lines += [f"{path}: not in the record" for path in found if path not in manifest.files]
    lines += [
        f"{path}: changed since it was written"
        for path, record in manifest.files.items()
        if path in found and found[path] != record
    ]
    return sorted(lines)

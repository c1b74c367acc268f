"""The Hugging Face hub, or a mirror of it: which files a dataset repository has, and what each must be.

One documented call lists them (`GET /api/datasets/ID/revision/COMMIT?blobs=true`), and the bytes come over
plain HTTP like those of any other address (`transfer`). huggingface_hub would do it over one connection for
each file, compares the size only, and takes its faster way (Xet) past the mirror.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from pydantic import SecretStr

from instil.corpora.catalogue import Checksum, HubSource
from instil.corpora.fetch.http import Http
from instil.corpora.fetch.remote import Remote, choose
from instil.errors import InstilError, RequestError

DEFAULT_ENDPOINT = "https://huggingface.co"
MIRROR = "https://hf-mirror.com"
_YES = ("1", "true", "yes", "on")


@dataclass(frozen=True)
class Hub:
    """Where the hub is, and what it is told."""

    endpoint: str = DEFAULT_ENDPOINT
    token: SecretStr | None = None
    offline: bool = False
    """Whether the user forbids to ask it."""

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Hub:
        """Return what HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE say, read as the hub's own tools do."""
        endpoint = environment.get("HF_ENDPOINT") or DEFAULT_ENDPOINT
        offline = environment.get("HF_HUB_OFFLINE", "").lower() in _YES
        return cls(endpoint.rstrip("/"), _token(environment), offline)

    @property
    def headers(self) -> dict[str, str]:
        """What is sent with every request to it."""
        return {"authorization": f"Bearer {self.token.get_secret_value()}"} if self.token else {}

    def url(self, repository: str, revision: str, path: str) -> str:
        """Return the address of a file."""
        return f"{self.endpoint}/datasets/{repository}/resolve/{revision}/{quote(path)}"


@dataclass(frozen=True)
class Listing:
    """The files of a repository at one commit."""

    revision: str
    files: list[Remote]


async def list_files(
    source: HubSource, revision: str | None, only: Sequence[str], hub: Hub, http: Http
) -> Listing:
    """Return the files of a source that hold rows, at a commit or at the newest one.

    Raises:
        RequestError: the hub cannot be reached, or refuses; or `only` names what is not there.
        InstilError: it answers what nobody understands.
    """
    url = f"{hub.endpoint}/api/datasets/{source.id}/revision/{revision or 'main'}?blobs=true"
    content = await http.read(url, hub.headers)
    try:
        answer = orjson.loads(content)
        commit = str(answer["sha"])
        siblings: dict[str, Any] = {each["rfilename"]: each for each in answer["siblings"]}
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise InstilError(
            f"{url} is not the answer of a hub: {content[:80]!r}",
            hint=f"is HF_ENDPOINT right? It is {hub.endpoint}",
        ) from error
    stated = {each.path: each for each in source.checksums} if commit == source.revision else {}
    return Listing(
        commit,
        [
            _remote(hub.url(source.id, commit, path), siblings[path], stated.get(path))
            for path in choose(siblings, source.files, only, source.parts)
        ],
    )


def _remote(url: str, sibling: Mapping[str, Any], stated: Checksum | None) -> Remote:
    lfs = sibling.get("lfs") or {}
    sha256 = lfs.get("sha256")
    if stated and sha256 and sha256 != stated.sha256:
        # One commit has one content: either is wrong, and neither can be trusted.
        raise RequestError(
            f"{sibling['rfilename']}: the hub states the SHA-256 {sha256}, the catalogue {stated.sha256}",
            hint="a mirror may be at fault; try without HF_ENDPOINT",
        )
    return Remote(
        path=sibling["rfilename"],
        url=url,
        size=lfs.get("size", sibling.get("size")),
        sha256=sha256 or (stated.sha256 if stated else None),
        # A large file's name in git is that of its pointer, not of its content.
        git_sha1=None if lfs else sibling.get("blobId"),
    )


def _token(environment: Mapping[str, str]) -> SecretStr | None:
    """Return the user's token: HF_TOKEN, or the file that `hf auth login` writes."""
    value = environment.get("HF_TOKEN", "").strip()
    if not value:
        home = Path(environment.get("HF_HOME") or "~/.cache/huggingface").expanduser()
        try:
            value = Path(environment.get("HF_TOKEN_PATH") or home / "token").read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None
    return SecretStr(value) if value else None

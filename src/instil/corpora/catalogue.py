"""The corpora that we know: where each lies, how it is read, and what its licence allows.

The facts stand in `catalogue.yaml`, whose head says where they come from. To add a corpus, add its entry
there; what is not known is left out, and `fetch` writes down what it got.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, HttpUrl, TypeAdapter, ValidationError

from instil.config.base import Config, Items
from instil.config.yaml import read_yaml
from instil.data.text import read_text
from instil.errors import RecipeError, RequestError

FILE = Path(__file__).with_name("catalogue.yaml")

Answer = Literal["yes", "no", "unclear"]
Use = Literal["commercial", "redistribution"]
Texts = Annotated[tuple[str, ...], Items]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
_Url = Annotated[HttpUrl, Field(strict=False)]


class Allows(Config):
    """What one may do with a corpus, by what its publisher states."""

    commercial: Answer
    """Whether a product may be built on it."""
    redistribution: Answer
    """Whether rows of it may be passed on."""
    share_alike: bool = False
    """Whether what is passed on must carry the same licence."""


class Checksum(Config):
    """What a file of a hub repository must be."""

    path: str
    """Where it lies in the repository."""
    sha256: _Sha256
    size: int | None = Field(default=None, ge=0)
    """Bytes."""


class HubSource(Config):
    """Files of a dataset repository on the Hugging Face hub, or on a mirror of it."""

    kind: Literal["hub"]
    id: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: _Commit | None = None
    """The commit to take; None: the newest, which is then kept."""
    files: Texts = Field(min_length=1)
    """Glob patterns of the files that hold rows."""
    parts: dict[str, str] = Field(default_factory=dict)
    """Names of parts that can be chosen, each with its glob pattern."""
    checksums: Annotated[tuple[Checksum, ...], Items] = ()


class Address(Config):
    """A file on the web."""

    url: _Url
    path: str
    """The name that it gets."""
    size: int | None = Field(default=None, ge=0)
    """Bytes."""
    sha256: _Sha256 | None = None


class WebSource(Config):
    """Files with addresses of their own."""

    kind: Literal["web"]
    files: Annotated[tuple[Address, ...], Items] = Field(min_length=1)


class Entry(Config):
    """One corpus of the catalogue."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """What a recipe and the command line call it."""
    title: str
    about: str
    """What it holds and how it was made, in a sentence or two."""
    languages: Texts = Field(min_length=1)
    """ISO 639-1 codes; `multilingual` where there are more than can be listed."""
    tasks: Texts = Field(min_length=1)
    license: str | None
    """SPDX identifier where there is one; None: its publisher states none."""
    allows: Allows
    terms: str | None = None
    """What the licence alone does not say."""
    written_by: str | None = None
    """The model that wrote the answers, where one did."""
    rows: int | None = Field(default=None, gt=0)
    """As published; conversations, where rows are trees or dialogues."""
    size: int | None = Field(default=None, gt=0)
    """Bytes to download, about."""
    format: str | None = None
    """Name of the format of its records; None: it is told from each record."""
    source: Annotated[HubSource | WebSource, Field(discriminator="kind")]
    page: _Url
    """Where its publisher describes it."""
    gated: bool = False
    """Whether terms must be accepted on its page before it can be downloaded."""

    @property
    def parts(self) -> Mapping[str, str]:
        """Names of its parts, each with its glob pattern."""
        return self.source.parts if isinstance(self.source, HubSource) else {}

    @property
    def by_openai(self) -> bool:
        """Whether answers come from a model of OpenAI, whose terms forbid to train rivals with them."""
        return self.written_by is not None and "OpenAI" in self.written_by

    def matches(
        self, words: Iterable[str] = (), language: str | None = None, task: str | None = None
    ) -> bool:
        """Whether an entry is one that somebody looks for."""
        text = " ".join((self.name, self.title, self.about, *self.tasks)).lower()
        return (
            all(word.lower() in text for word in words)
            and (language is None or language in self.languages or "multilingual" in self.languages)
            and (task is None or any(task.lower() in each for each in self.tasks))
        )

    def permits(self, use: Use) -> bool:
        """Whether its publisher clearly allows a use."""
        return {"commercial": self.allows.commercial, "redistribution": self.allows.redistribution}[
            use
        ] == "yes"


@cache
def catalogue() -> Mapping[str, Entry]:
    """Return every entry by name, in alphabetical order.

    Raises:
        RecipeError: the catalogue has a mistake; each with its place.
    """
    return read_catalogue(FILE)


def read_catalogue(path: Path) -> dict[str, Entry]:
    """Return the entries of a file by name, in alphabetical order.

    Raises:
        RecipeError: it has a mistake; each with its place.
    """
    document = read_yaml(read_text(path), path.name, path.parent)
    try:
        entries = TypeAdapter(Annotated[list[Entry], Field(min_length=1)]).validate_python(document.data)
    except ValidationError as error:
        raise RecipeError(
            [
                f"{document.places.get(_written(each['loc'], document.places), path.name)}: "
                f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
                for each in error.errors()
            ]
        ) from error
    found: dict[str, Entry] = {}
    for index, entry in enumerate(entries):
        if entry.name in found:
            raise RecipeError(f"{document.places[(index,)]}: two entries are called {entry.name!r}")
        found[entry.name] = entry
    return dict(sorted(found.items()))


def _written(
    location: tuple[int | str, ...], places: Mapping[tuple[str | int, ...], str]
) -> tuple[int | str, ...]:
    """Return the nearest place of an error that stands in the file."""
    # The kind of a source is part of where pydantic finds a mistake in it, and of nothing in the file.
    location = tuple(part for part in location if part not in ("hub", "web"))
    while location not in places:
        location = location[:-1]
    return location


def entry(name: str) -> Entry:
    """Return the entry of a name.

    Raises:
        RequestError: there is none; the nearest names are in the message.
    """
    found = catalogue().get(name)
    if found is None:
        raise RequestError(unknown(name), hint="`instil corpora list` shows every name")
    return found


def unknown(name: str) -> str:
    """Return the sentence that says that there is no corpus of this name, with the nearest ones."""
    names = list(catalogue())
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    near += [each for each in names if name.lower() in each and each not in near][:3]
    return f"no corpus {name!r} in the catalogue" + (f"; did you mean {' or '.join(near)}?" if near else "")

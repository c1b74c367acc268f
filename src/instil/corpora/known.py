"""A corpus of the catalogue as a source of rows: what `instil corpora fetch` brought here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from instil.config.base import Items
from instil.corpora.base import CorpusConfigBase, Part, Rows
from instil.corpora.columns import Condition
from instil.corpora.files import FilesConfig
from instil.data.examples import Origin
from instil.errors import RequestError

if TYPE_CHECKING:
    from instil.corpora.catalogue import Entry
    from instil.corpora.fetch import Fetched, Place
    from instil.corpora.fetch.conversion import Conversion

# The catalogue and what fetches from it take a twentieth of a second to import; only recipes with a known
# corpus pay.


def _in_catalogue(name: str) -> str:
    from instil.corpora.catalogue import catalogue, unknown

    if name not in catalogue():
        raise ValueError(unknown(name))
    return name


class KnownConfig(CorpusConfigBase):
    """Rows of a corpus of the catalogue (`instil corpora list`) that was fetched (`instil corpora fetch`).

    Its format, its licence and its files are known. It lies below INSTIL_HOME, by default `~/.cache/instil`.
    """

    kind: Literal["known"]
    corpus: Annotated[str, AfterValidator(_in_catalogue)]
    """Its name in the catalogue."""
    name: str = Field(default="", validate_default=False, min_length=1)
    """What the source is called in tables and in the origin of its rows; by default as in the catalogue."""
    only: Annotated[tuple[str, ...], Items] = ()
    """Parts of it, or patterns of its files, to take; by default all that were fetched."""
    where: Condition | None = None
    """Take only rows for which this Jinja expression over their fields is true."""
    tool_turns: Literal["drop", "keep"] = "drop"
    """Whether calls of tools and their results stay in conversations."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        return {"name": data.get("corpus"), **data} if isinstance(data, dict) else data

    @property
    def entry(self) -> Entry:
        """What the catalogue says of it."""
        from instil.corpora.catalogue import entry

        return entry(self.corpus)

    @property
    def origin(self) -> Origin:
        """The corpus with its licence."""
        return Origin(kind="corpus", name=self.name, license=self.entry.license)

    def identity(self) -> dict[str, Any]:
        """Return what decides the rows: the files by the digests that were taken when they were fetched."""
        fetched = self._place.read()
        files = {} if fetched is None else {path: fetched.digests[path] for path in self._chosen(fetched)}
        return {**super().identity(), "format": self.entry.format, "files": files}

    def preflight(self) -> None:
        """Say what is missing before anything starts.

        Raises:
            RequestError: the corpus was not fetched, or its files are gone; says how to get it.
        """
        fetched = self._place.read()
        command = f"instil corpora fetch {self.corpus}" + "".join(f" --only '{each}'" for each in self.only)
        if fetched is None:
            raise RequestError(
                f"the corpus {self.corpus!r} is not in {str(self._place.root)!r}",
                hint=f"`{command}` brings it",
            )
        if missing := self._place.missing(fetched):
            raise RequestError(
                f"{missing[0].path} of the corpus {self.corpus!r} is gone, or was changed",
                hint=f"`{command}` brings it again",
            )
        self._chosen(fetched)

    def parts(self) -> list[Part]:
        """Return the pieces of its files.

        Raises:
            RequestError: it was not fetched.
            StageError: a file cannot be read.
        """
        parts = [part for files in self._sources() for part in files.parts()]
        return parts + [part for _, conversion in self._conversions() for part in conversion.failures()]

    def open(self, part: Part, seed: int) -> Rows:
        """Return the rows of a piece; `seed` chooses the templates of labelled rows."""
        from instil.corpora.fetch.conversion import Unread, is_unread

        return Unread(part.path) if is_unread(part) else self._reader.open(part, seed)

    def count_at_most(self) -> int | None:
        """Return how many records its files hold at most; None where a record may give several rows.

        Raises:
            RequestError: it was not fetched.
        """
        counts = [files.count_at_most() for files in self._sources()]
        return None if None in counts else sum(count or 0 for count in counts)

    @cached_property
    def _reader(self) -> FilesConfig:
        return self._sources()[0]

    def _sources(self) -> list[FilesConfig]:
        self.preflight()
        return [
            FilesConfig(
                kind="files",
                name=self.name,
                path=conversion.records if conversion.done else path,
                format=self.entry.format or "auto",
                where=self.where,
                tool_turns=self.tool_turns,
                license=self.entry.license,
            )
            for path, conversion in self._conversions()
        ]

    def _conversions(self) -> list[tuple[Path, Conversion]]:
        """Return each chosen file, and where its records lie if it was converted."""
        from instil.corpora.fetch.conversion import conversion_of

        fetched = self._place.read()
        assert fetched is not None
        by_path = {file.path: file for file in fetched.files}
        chosen = [by_path[path] for path in self._chosen(fetched)]
        return [(self._place.files / file.path, conversion_of(self._place, file)) for file in chosen]

    def _chosen(self, fetched: Fetched) -> Sequence[str]:
        from instil.corpora.fetch.remote import choose

        try:
            return choose(fetched.digests, ["*"], self.only, self.entry.parts)
        except RequestError as error:
            raise RequestError(
                f"the corpus {self.corpus!r} as it was fetched: {error}", hint=error.hint
            ) from error

    @property
    def _place(self) -> Place:
        from instil.corpora.fetch import place_of

        return place_of(self.corpus)

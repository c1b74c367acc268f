"""A corpus that lies in files of the user's: one entry of the recipe, whatever its shape."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import field_validator, model_validator

from instil.corpora.base import BadRecord, CorpusConfigBase, Excluded, Failure, Format, Part, Row, example
from instil.corpora.columns import Condition
from instil.corpora.containers import SUFFIXES, RawRecord, count_records, open_part, read_records, split
from instil.corpora.detect import Detector
from instil.corpora.expressions import condition
from instil.corpora.fields import FieldsConfig
from instil.corpora.formats import FORMATS
from instil.corpora.paths import DataPath, data_identity, files_of
from instil.corpora.questions import question_of, question_reader
from instil.corpora.reading import FileRows, Read
from instil.corpora.tasks import TaskConfig
from instil.data.examples import Example, Origin
from instil.errors import StageError

SEVERAL_ROWS = frozenset({"lmflow", "openassistant", "openassistant_best", "self_instruct"})
"""Formats whose records may give several rows."""
_LOOKED_AT = 100  # records that tell the format of a file


class FilesConfig(CorpusConfigBase):
    """Rows from a file, from the files of a directory, or from all that match a pattern.

    What the files hold is told by their content, or said by one of `format`, `fields` and `task`.
    """

    kind: Literal["files"]
    path: DataPath
    """A file, a directory, or a pattern such as `data/**/*.jsonl`. A directory's own directories are not
    searched. Files count in the order of their names."""
    format: str = "auto"
    """Name of a format, or `auto` to tell it from the fields of each record."""
    fields: FieldsConfig | None = None
    """Which columns are the question and the answer, for files in no known format."""
    task: TaskConfig | None = None
    """What the columns of a labelled table are, to word its rows by templates."""
    where: Condition | None = None
    """Take only records for which this Jinja expression over their fields is true, such as
    `lang == "zh" and score >= 4`. The others are counted. One that it cannot decide is a failure; where a
    field may be missing, ask first: `score is defined and score >= 4`."""
    tool_turns: Literal["drop", "keep"] = "drop"
    """Whether calls of tools and their results stay in conversations."""
    license: str | None = None
    """The licence of the rows; kept with each of them."""

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        known = ("auto", *sorted(FORMATS))
        if value not in known:
            close = difflib.get_close_matches(value, known, n=1)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{value!r} is not one of {', '.join(known)}{meant}")
        return value

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        said = {"format": self.format != "auto", "fields": self.fields, "task": self.task}
        given = [name for name, value in said.items() if value]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both say what the records are; give one of them")
        return self

    def identity(self) -> dict[str, Any]:
        """Return what decides the rows: the files by their content."""
        others = CorpusConfigBase.identity(self.model_copy(update={"path": None}))
        return {**others, "path": data_identity(self.path)}

    @property
    def origin(self) -> Origin:
        """The corpus with its licence."""
        return Origin(kind="corpus", name=self.name, license=self.license)

    def parts(self) -> list[Part]:
        """Return the pieces of all files in their order.

        Raises:
            StageError: there is no file, one cannot be read, or rows would have no answers.
        """
        if self.fields is not None and not self.fields.answered:
            raise StageError(
                f"the source {self.name!r} does not say which column is the answer",
                hint="add `assistant: COLUMN` to its fields",
            )
        return [part for path in files_of(self.path, SUFFIXES) for part in split(path)]

    def open(self, part: Part, seed: int) -> FileRows:
        """Return the rows of a piece; `seed` chooses the templates of labelled rows."""
        return self._rows(open_part(part), self._reader(), seed)

    def count_at_most(self) -> int | None:
        """Return how many records the files hold at most; None where a record may give several rows."""
        paths = files_of(self.path, SUFFIXES)
        one_each = self.fields is not None or self.task is not None
        if not one_each and any(name in SEVERAL_ROWS for path in paths for name in self._names_in(path)):
            return None
        return sum([count_records(path) for path in paths])

    def _names_in(self, path: Path) -> set[str]:
        """Return the formats of the first records of a file."""
        if self.format != "auto":
            return {self.format}
        find = Detector(self._formats()).find
        found = set()
        for each in islice(read_records(path), _LOOKED_AT):
            if not isinstance(each, Failure):
                with suppress(BadRecord):
                    found.add(find(each.value).name)
        return found

    def read(self, seed: int = 0) -> Iterator[Example | Failure]:
        """Yield the examples of the whole source in order, and what could not be read or was left out."""
        return self._examples(self._reader(), seed)

    def read_questions(self, seed: int = 0) -> Iterator[Example | Failure]:
        """Yield what the rows ask, without an answer that they may have, and what could not be read.

        A labelled table needs its labels here too: they are what tells a whole row from a broken one.
        """
        if self.fields is not None:
            return self._examples(self.fields.questions(), seed)
        if self.task is not None:
            return self._examples(self.task.reader(), seed, question_of)
        return self._examples(question_reader(self._formats()), seed, question_of)

    def _examples(
        self, read: Read, seed: int, made: Callable[[Row], Row] = lambda row: row
    ) -> Iterator[Example | Failure]:
        origin = self.origin
        for path in files_of(self.path, SUFFIXES):
            for each in self._rows(read_records(path), read, seed):
                if isinstance(each, Row):
                    yield example(made(each), origin)
                elif isinstance(each, Excluded):
                    yield Failure(each.place, f"left out by {each.reason}", each.line)
                else:
                    yield each

    def _rows(self, records: Iterable[RawRecord | Failure], read: Read, seed: int) -> FileRows:
        where = None if self.where is None else condition(self.where)
        return FileRows(records, read, where, seed, keep_tools=self.tool_turns == "keep")

    def _formats(self) -> tuple[Format, ...]:
        return tuple(FORMATS.values()) if self.format == "auto" else (FORMATS[self.format],)

    def _reader(self) -> Read:
        if self.fields is not None:
            return self.fields.reader()
        if self.task is not None:
            return self.task.reader()
        if self.format != "auto":
            return FORMATS[self.format].read
        find = Detector(self._formats()).find
        return lambda record: find(record).read(record)

"""A corpus that lies in files of the user's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from instil.config.base import InputPath
from instil.corpora.base import BadRecord, CorpusConfigBase, Failure, Format, Record
from instil.corpora.formats import FORMATS
from instil.corpora.records import read_records
from instil.data.examples import Example, Origin
from instil.data.messages import Message
from instil.errors import StageError

_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
_KEYS_SHOWN = 12
_UNUSED = "(not used)"
_ASKING = ("user", "human", "client")
_TURNS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("messages", "role", {"role": "assistant", "content": _UNUSED}),
    ("conversations", "from", {"from": "gpt", "value": _UNUSED}),
)


class FilesConfig(CorpusConfigBase):
    """Rows from a file, or from every JSON file of a directory."""

    kind: Literal["files"]
    path: InputPath
    """A file, or a directory of `.json` and `.jsonl` files (also `.gz`)."""
    format: str = "auto"
    """Name of a format, or `auto` to tell it from the fields of each record."""
    license: str | None = None
    """The licence of the rows; kept with each of them."""

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        if value != "auto" and value not in FORMATS:
            raise ValueError(f"{value!r} is not one of auto, {', '.join(FORMATS)}")
        return value

    def read(self) -> Iterator[Example | Failure]:
        """Yield the examples, and what could not be read."""
        return self._read(lambda record: record)

    def read_questions(self) -> Iterator[Example | Failure]:
        """Yield what the rows ask, without an answer that they may have, and what could not be read."""
        formats = FORMATS.values() if self.format == "auto" else [FORMATS[self.format]]
        for each in self._read(lambda record: _answered(record, formats)):
            if isinstance(each, Example):
                each = each.model_copy(update={"messages": each.conversation.prompt})
            yield each

    def _read(self, prepare: Callable[[Record], Record]) -> Iterator[Example | Failure]:
        origin = Origin(kind="corpus", name=self.name, license=self.license)
        for path in self._files():
            for each in read_records(path):
                if isinstance(each, Failure):
                    yield each
                    continue
                place, record = each
                try:
                    yield Example(messages=_format(self.format, prepare(record)), origin=origin)
                except BadRecord as error:
                    yield Failure(place, str(error))

    def _files(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        found = sorted(path for path in self.path.iterdir() if path.name.endswith(_SUFFIXES))
        if not found:
            raise StageError(f"no {' or '.join(_SUFFIXES)} file in {str(self.path)!r}")
        return found


def _answered(record: Record, formats: Iterable[Format]) -> Record:
    """Return a record with some answer where it lacks one, so that its question can be read."""
    for key, who, turn in _TURNS:
        turns = record.get(key)
        if (
            isinstance(turns, list)
            and turns
            and isinstance(turns[-1], dict)
            and turns[-1].get(who) in _ASKING
        ):
            return {**record, key: [*turns, turn]}
    for each in formats:
        if each.answer is None:
            continue
        given, filled = record.get(each.answer), {**record, each.answer: _UNUSED}
        if each.matches(filled):
            return filled if given is None or given == [] or not str(given).strip() else record
    return record


def _format(name: str, record: Record) -> tuple[Message, ...]:
    if name != "auto":
        return FORMATS[name].messages(record)
    found = next((each for each in FORMATS.values() if each.matches(record)), None)
    if found is None:
        keys = sorted(record)
        more = f" and {len(keys) - _KEYS_SHOWN} more" if len(keys) > _KEYS_SHOWN else ""
        raise BadRecord(f"no known format has the keys {', '.join(keys[:_KEYS_SHOWN]) or '(none)'}{more}")
    return found.messages(record)

"""Extraction: a text, and the words in it that are of some types."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from instil.corpora.base import BadRecord, Record
from instil.corpora.columns import Column, texts, values
from instil.corpora.tasks.base import Labelled, Surface
from instil.corpora.tasks.config import Labels, TaskConfigBase, different
from instil.corpora.tasks.language import Language, inline
from instil.corpora.tasks.spans import Span, join_tokens, read_spans, read_tags

_NONE = {"en": "none", "zh": "无"}
_IS = {"en": ": ", "zh": "："}
_NEXT = {"en": "; ", "zh": "；"}


@dataclass(frozen=True, slots=True)
class Extraction(Labelled):
    """A text with spans of some types: named entities, symptoms, drugs."""

    kind: ClassVar[str] = "extraction"
    names: ClassVar[frozenset[str]] = frozenset({"text", "types", "nothing"})
    forms: ClassVar[tuple[str, ...]] = ("inline", "lines", "by_type", "json")

    text: str
    spans: tuple[Span, ...]
    """The words and their type, as it is said, in the order of the text; none where there are none."""
    types: tuple[str, ...] = ()
    """All types that are looked for, as they are said; none where they are not known."""

    def written(self) -> str:
        """Return the spans as a JSON list of `[words, type]`."""
        return json.dumps(self.spans, ensure_ascii=False)

    def content(self) -> tuple[str, ...]:
        """Return the text and the spans."""
        return self.text, *(part for span in self.spans for part in span)

    def has(self) -> frozenset[str]:
        """Return the names; without the types where these are not known."""
        return self.names if self.types else self.names - {"types"}

    def say(self, name: str, language: Language) -> str:
        """Return what one of the names stands for."""
        match name:
            case "text":
                return self.text
            case "types":
                return inline(self.types, language)
            case _:
                return _NONE[language]

    def surface(self, form: str, language: Language) -> Surface:
        """Return the spans in one of the forms, or that there are none.

        `aspirin: drug; fever: symptom`, the same on lines of their own, `drug: aspirin` and
        `symptom: fever` on lines by type, or JSON.
        """
        if form == "json":
            found = [{"text": words, "type": kind} for words, kind in self.spans]
            return Surface(json.dumps(found, ensure_ascii=False))
        if not self.spans:
            return Surface(_NONE[language])
        colon = _IS[language]
        if form == "by_type":
            kinds = dict.fromkeys(kind for _, kind in self.spans)
            words = {kind: [each for each, its in self.spans if its == kind] for kind in kinds}
            return Surface("\n".join(f"{kind}{colon}{inline(words[kind], language)}" for kind in kinds))
        between = "\n" if form == "lines" else _NEXT[language]
        return Surface(between.join(f"{words}{colon}{kind}" for words, kind in self.spans))


def _numbered(names: object) -> object:
    if isinstance(names, list | tuple):
        return {str(number): name for number, name in enumerate(names)}
    return names


TagNames = Annotated[dict[str, str], BeforeValidator(_numbered), Field(min_length=1)]
"""Names by their number."""


class ExtractionConfig(TaskConfigBase):
    """A text and the words in it that are of some types: named entities, symptoms, drugs.

    Templates can say `text`, `types`, and `nothing`, the word for no spans. The answer has the form `inline`
    (`aspirin: drug; fever: symptom`), `lines`, `by_type` or `json`.
    """

    task = Extraction

    kind: Literal["extraction"]
    text: Column
    """The column of the text; with `tags` the column of the list of tokens."""
    spans: Column | None = None
    """The column of the spans: a list of mappings with the words or their start and end, and a type; of
    `[start, end, type]`; of `[words, type]`; or a mapping of types to words. The end is not included."""
    tags: Column | None = None
    """The column of one tag for each token (`B-drug`, `I-drug`, `O`), in place of `spans`."""
    tag_names: TagNames | None = None
    """What the tags are called where they are numbers: a list from 0, or a mapping of numbers to names."""
    types: Labels | None = None
    """How each type is said, by how the table writes it, or a list of types. A type that is not among them
    is a failure. If it is not given, types are said as they are written, and the question lists none."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.spans is None) == (self.tags is None):
            raise ValueError("either spans or tags must be given")
        if self.tag_names is not None and self.tags is None:
            raise ValueError("tag_names needs tags")
        return self

    def labelled(self) -> Callable[[Record], Labelled]:
        """Return what makes a task of a record."""
        said = {**self.types} if self.types else None
        spans_of = self._from_tags() if self.spans is None else self._from_spans(self.spans)
        types = different(said)

        def read(record: Record) -> Labelled:
            text, spans = spans_of(record)
            return Extraction(text, tuple((words, _said(kind, said)) for words, kind in spans), types)

        return read

    def _from_spans(self, column: str) -> Callable[[Record], tuple[str, tuple[Span, ...]]]:
        text, found = texts(self.text), values(column)

        def read(record: Record) -> tuple[str, tuple[Span, ...]]:
            said = text(record)
            return said, read_spans(found(record), said)

        return read

    def _from_tags(self) -> Callable[[Record], tuple[str, tuple[Span, ...]]]:
        assert self.tags is not None
        tokens_of, tags_of, names = values(self.text), values(self.tags), self.tag_names

        def read(record: Record) -> tuple[str, tuple[Span, ...]]:
            tokens: Any = tokens_of(record)
            tags = tags_of(record)
            text, cut = join_tokens(tokens)
            if not text.strip():
                raise BadRecord("the text is empty")
            if not isinstance(tags, list | tuple) or len(tags) != len(tokens):
                raise BadRecord("there is not one tag for each token")
            found = ((cut(first, behind), kind) for first, behind, kind in read_tags(tags, names))
            return text, tuple(dict.fromkeys(found))

        return read


def _said(kind: str, said: dict[str, str] | None) -> str:
    if said is None:
        return kind
    if kind not in said:
        raise BadRecord(f"the type {kind!r} is not one of {', '.join(said)}")
    return said[kind]

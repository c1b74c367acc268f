"""Summarisation: a text and its summary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from instil.corpora.base import Record
from instil.corpora.columns import Column, texts
from instil.corpora.tasks.base import Labelled, Surface
from instil.corpora.tasks.config import TaskConfigBase
from instil.corpora.tasks.language import Language


@dataclass(frozen=True, slots=True)
class Summarization(Labelled):
    """A text that has a summary."""

    kind: ClassVar[str] = "summarization"
    names: ClassVar[frozenset[str]] = frozenset({"text"})

    text: str
    summary: str

    def written(self) -> str:
        """Return the summary."""
        return self.summary

    def content(self) -> tuple[str, ...]:
        """Return both texts."""
        return self.text, self.summary

    def surface(self, form: str, language: Language) -> Surface:  # noqa: ARG002
        """Return the summary."""
        return Surface(self.summary)


class SummarizationConfig(TaskConfigBase):
    """A text and its summary. Templates can say `text`."""

    task = Summarization

    kind: Literal["summarization"]
    text: Column
    """The column of the text."""
    summary: Column
    """The column of the summary."""

    def labelled(self) -> Callable[[Record], Labelled]:
        """Return what makes a task of a record."""
        text, summary = texts(self.text), texts(self.summary)
        return lambda record: Summarization(text(record), summary(record))

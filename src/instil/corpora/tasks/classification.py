"""Classification: a text and its label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from instil.corpora.base import Record
from instil.corpora.columns import Column, texts
from instil.corpora.tasks.base import Labelled, Surface
from instil.corpora.tasks.config import Labels, TaskConfigBase, different, label_in
from instil.corpora.tasks.language import Language, alternatives, bullets, inline

_MOST_LISTED = 20
"""With more labels than these a question would be mostly labels."""

_ASPECT = {"en": "category", "zh": "类别"}
_WITHOUT_LABELS = frozenset({"text", "aspect"})


@dataclass(frozen=True, slots=True)
class Classification(Labelled):
    """A text that has one of several labels."""

    kind: ClassVar[str] = "classification"
    names: ClassVar[frozenset[str]] = frozenset({"text", "aspect", "options", "inline", "alternatives"})

    text: str
    label: str
    """The label as it is said."""
    labels: tuple[str, ...] = ()
    """All labels as they are said; none where they are not known."""
    value: str | None = None
    """The label as the table writes it, where that differs."""
    aspect: str | None = None
    """What the labels say of the text, such as `sentiment` or `department`."""

    def written(self) -> str:
        """Return the label as the table writes it."""
        return self.label if self.value is None else self.value

    def content(self) -> tuple[str, ...]:
        """Return the text and the label."""
        return self.text, self.label

    def surface(self, form: str, language: Language) -> Surface:  # noqa: ARG002
        """Return the label with all others."""
        return Surface(self.label, self.labels)

    def has(self) -> frozenset[str]:
        """Return the names; without those of the labels where these are not known."""
        return self.names if self.labels else _WITHOUT_LABELS

    def offers(self) -> frozenset[str]:
        """Return the names; too many labels are not listed."""
        return self.names if 1 < len(self.labels) <= _MOST_LISTED else _WITHOUT_LABELS

    def say(self, name: str, language: Language) -> str:
        """Return what one of the names stands for."""
        match name:
            case "text":
                return self.text
            case "aspect":
                return self.aspect or _ASPECT[language]
            case "options":
                return bullets(self.labels)
            case "inline":
                return inline(self.labels, language)
            case _:
                return alternatives(self.labels, language)


class ClassificationConfig(TaskConfigBase):
    """A text and its label: sentiment, topic, the department that a patient belongs to.

    Templates can say `text`, `aspect`, and the labels as `options` (a list), `inline` or `alternatives`
    (a, b or c).
    """

    task = Classification

    kind: Literal["classification"]
    text: Column
    """The column of the text; several with a template, such as `"{{ title }}\\n\\n{{ body }}"`."""
    label: Column
    """The column of the label."""
    labels: Labels | None = None
    """How each label is said, by how the table writes it (`{1: negative, 5: positive}`), or a list of labels
    that are said as they are written. A label that is not among them is a failure. If it is not given,
    labels are said as they are written, and the question lists none."""
    aspect: str | None = Field(default=None, min_length=1)
    """What the labels say of the text, as a word for the question, such as `sentiment` or `department`."""

    def labelled(self) -> Callable[[Record], Labelled]:
        """Return what makes a task of a record."""
        text, label = texts(self.text), label_in(self.label, self.labels)
        labels, aspect = different(self.labels), self.aspect

        def read(record: Record) -> Labelled:
            written, said = label(record)
            return Classification(text(record), said, labels, written, aspect)

        return read

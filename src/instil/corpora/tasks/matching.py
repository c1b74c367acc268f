"""Matching: two texts, and how they relate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from instil.corpora.base import Record
from instil.corpora.columns import Column, texts
from instil.corpora.tasks.base import Labelled, Surface
from instil.corpora.tasks.config import Labels, TaskConfigBase, different, label_in
from instil.corpora.tasks.language import Language, alternatives, bullets, inline

Relation = Literal["paraphrase", "entailment", "relevance"]


@dataclass(frozen=True, slots=True)
class Matching(Labelled):
    """Two texts that are related in one of several ways."""

    kind: ClassVar[str] = "matching"
    names: ClassVar[frozenset[str]] = frozenset({"first", "second", "options", "inline", "alternatives"})

    first: str
    second: str
    label: str
    """The label as it is said."""
    labels: tuple[str, ...]
    """All labels as they are said, such as yes and no."""
    relation: Relation = "paraphrase"
    value: str | None = None
    """The label as the table writes it, where that differs."""

    def written(self) -> str:
        """Return the label as the table writes it."""
        return self.label if self.value is None else self.value

    def content(self) -> tuple[str, ...]:
        """Return both texts and the label."""
        return self.first, self.second, self.label

    def wording(self) -> str:
        """Return the templates of the relation: what is asked differs."""
        return f"matching_{self.relation}"

    def surface(self, form: str, language: Language) -> Surface:  # noqa: ARG002
        """Return the label with all others."""
        return Surface(self.label, self.labels)

    def say(self, name: str, language: Language) -> str:
        """Return what one of the names stands for."""
        match name:
            case "first":
                return self.first
            case "second":
                return self.second
            case "options":
                return bullets(self.labels)
            case "inline":
                return inline(self.labels, language)
            case _:
                return alternatives(self.labels, language)


class MatchingConfig(TaskConfigBase):
    """Two texts and how they relate: paraphrase, natural language inference, relevance.

    Templates can say `first`, `second`, and the labels as `options` (a list), `inline` or `alternatives`
    (yes or no).
    """

    task = Matching

    kind: Literal["matching"]
    first: Column
    """The column of the first text: for entailment the premise, for relevance the question."""
    second: Column
    """The column of the second text: for entailment the hypothesis, for relevance what may answer it."""
    label: Column
    """The column of the label."""
    labels: Labels
    """How each label is said, by how the table writes it, such as `{0: no, 1: yes}`. A label that is not
    among them is a failure."""
    relation: Relation = "paraphrase"
    """What is asked: whether the texts mean the same, whether the second follows from the first, or whether
    the second is relevant to the first."""

    def labelled(self) -> Callable[[Record], Labelled]:
        """Return what makes a task of a record."""
        first, second = texts(self.first), texts(self.second)
        label, labels, relation = label_in(self.label, self.labels), different(self.labels), self.relation

        def read(record: Record) -> Labelled:
            written, said = label(record)
            return Matching(first(record), second(record), said, labels, relation, written)

        return read

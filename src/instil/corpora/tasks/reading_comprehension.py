"""Reading comprehension: a passage, a question about it, and the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal

from instil.corpora.base import BadRecord, Record
from instil.corpora.columns import Column, as_text, optional, texts, values
from instil.corpora.expressions import is_template
from instil.corpora.tasks.base import Labelled, Surface
from instil.corpora.tasks.config import Labels, TaskConfigBase, different, label_in
from instil.corpora.tasks.language import Language, alternatives, bullets, inline

_LONGEST_INLINE = 80
"""Characters of choices that can be read in one sentence."""


@dataclass(frozen=True, slots=True)
class ReadingComprehension(Labelled):
    """A passage with a question that it answers."""

    kind: ClassVar[str] = "reading_comprehension"
    names: ClassVar[frozenset[str]] = frozenset(
        {"passage", "question", "options", "inline", "alternatives", "explanation"}
    )

    passage: str
    question: str
    answer: str
    choices: tuple[str, ...] = ()
    """The possible answers, such as yes, no and maybe; none where the answer is free."""
    explanation: str | None = None
    """A longer answer, where there is one."""
    value: str | None = None
    """The answer as the table writes it, where that differs."""

    def written(self) -> str:
        """Return the answer as the table writes it."""
        return self.answer if self.value is None else self.value

    def content(self) -> tuple[str, ...]:
        """Return the question and the passage."""
        return self.question, self.passage

    def group(self) -> str:
        """Return the passage: it has several questions in many corpora."""
        return self.passage

    def has(self) -> frozenset[str]:
        """Return the names; without those of the choices and the explanation where there are none."""
        explained = bool(self.explanation and not self.explanation.isspace())
        return _names(explained=explained, listed=bool(self.choices), in_line=bool(self.choices))

    def offers(self) -> frozenset[str]:
        """Return the names; long choices do not go into one line."""
        explained = bool(self.explanation and not self.explanation.isspace())
        in_line = bool(self.choices) and sum(map(len, self.choices)) <= _LONGEST_INLINE
        return _names(explained=explained, listed=bool(self.choices), in_line=in_line)

    def surface(self, form: str, language: Language) -> Surface:  # noqa: ARG002
        """Return the answer with all others that are possible.

        Raises:
            BadRecord: it is none of the choices.
        """
        if self.choices and self.answer not in self.choices:
            raise BadRecord(f"the answer {self.answer!r} is not one of {', '.join(self.choices)}")
        return Surface(self.answer, self.choices)

    def say(self, name: str, language: Language) -> str:
        """Return what one of the names stands for."""
        match name:
            case "passage":
                return self.passage
            case "question":
                return self.question
            case "options":
                return bullets(self.choices)
            case "inline":
                return inline(self.choices, language)
            case "alternatives":
                return alternatives(self.choices, language)
            case _:
                return self.explanation or ""


@cache
def _names(*, explained: bool, listed: bool, in_line: bool) -> frozenset[str]:
    without = {
        "explanation": not explained,
        "options": not listed,
        "inline": not in_line,
        "alternatives": not in_line,
    }
    return frozenset(name for name in ReadingComprehension.names if not without.get(name))


class ReadingComprehensionConfig(TaskConfigBase):
    """A passage, a question about it, and the answer.

    Templates can say `passage`, `question`, `explanation`, and the choices, where there are any, as `options`
    (a list), `inline` or `alternatives` (yes, no or maybe).
    """

    task = ReadingComprehension

    kind: Literal["reading_comprehension"]
    passage: Column
    """The column of the passage; a list of texts is joined by line breaks."""
    question: Column
    """The column of the question."""
    answer: Column
    """The column of the answer; in a list by its position, such as `answers.text.0`."""
    choices: Labels | None = None
    """The answers that are possible, by how the table writes them, or a list of them. If it is not given, the
    answer is free."""
    explanation: Column | None = None
    """The column of a longer answer; rows in which it is empty are asked without."""

    def labelled(self) -> Callable[[Record], Labelled]:
        """Return what makes a task of a record."""
        passage, question, explanation = (
            _joined(self.passage),
            texts(self.question),
            optional(self.explanation),
        )
        free, chosen = texts(self.answer), label_in(self.answer, self.choices)
        choices = different(self.choices)

        def read(record: Record) -> Labelled:
            written, said = chosen(record) if choices else (None, free(record))
            return ReadingComprehension(
                passage(record), question(record), said, choices, explanation(record) or None, written
            )

        return read


def _joined(column: str) -> Callable[[Record], str]:
    if is_template(column):
        return texts(column)
    value_of, name = values(column), column

    def read(record: Record) -> str:
        value: Any = value_of(record)
        if isinstance(value, list | tuple):
            value = "\n".join(as_text(each, f"a text of {name!r}") for each in value)
        value = as_text(value, repr(name))
        if not value.strip():
            raise BadRecord(f"{name!r} is empty")
        return str(value)

    return read

"""Multiple choice: a question, its choices, and which of them is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from string import ascii_uppercase
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from instil.config.base import Items
from instil.corpora.base import BadRecord, Record
from instil.corpora.columns import Column, as_text, optional, texts, values
from instil.corpora.tasks.base import Labelled, Surface
from instil.corpora.tasks.config import TaskConfigBase
from instil.corpora.tasks.language import Language, bullets

_LONGEST_INLINE = 240
"""Characters of choices that can be read in one line."""


@dataclass(frozen=True, slots=True)
class MultipleChoice(Labelled):
    """A question with choices, one of them right."""

    kind: ClassVar[str] = "multiple_choice"
    names: ClassVar[frozenset[str]] = frozenset({"question", "options", "bullets", "inline", "explanation"})
    forms: ClassVar[tuple[str, ...]] = ("letter", "text", "letter_and_text")

    question: str
    choices: tuple[str, ...]
    answer: int
    """The position of the right choice, from 0."""
    explanation: str | None = None
    """Why it is right, where that is known."""
    letters: Sequence[str] | None = None
    """What the choices are called, if not A, B, C, …"""

    def written(self) -> str:
        """Return the letter of the right choice."""
        return self._called()[self.answer]

    def content(self) -> tuple[str, ...]:
        """Return the question and the choices."""
        return self.question, *self.choices

    def has(self) -> frozenset[str]:
        """Return the names; without the explanation where there is none."""
        return _names(explained=bool(self.explanation and not self.explanation.isspace()), in_line=True)

    def offers(self) -> frozenset[str]:
        """Return the names; long choices do not go into one line."""
        explained = bool(self.explanation and not self.explanation.isspace())
        return _names(explained=explained, in_line=sum(map(len, self.choices)) <= _LONGEST_INLINE)

    def surface(self, form: str, language: Language) -> Surface:  # noqa: ARG002
        """Return the right choice with all others: its letter, its text, or `B. text`.

        Raises:
            BadRecord: there is no such choice, or more than there are letters.
        """
        letters = self._called()
        if not 0 <= self.answer < len(self.choices) or len(letters) < len(self.choices):
            raise BadRecord(f"no choice {self.answer} of {len(self.choices)} with {len(letters)} letters")
        if form == "letter":
            said = tuple(letters[: len(self.choices)])
        elif form == "text":
            said = self.choices
        else:
            said = tuple(self._lettered())
        return Surface(said[self.answer], said)

    def say(self, name: str, language: Language) -> str:  # noqa: ARG002
        """Return what one of the names stands for."""
        match name:
            case "question":
                return self.question
            case "options":
                return "\n".join(self._lettered())
            case "bullets":
                return bullets(self.choices)
            case "inline":
                return " ".join(
                    [f"({letter}) {each}" for letter, each in zip(self._called(), self.choices, strict=False)]
                )
            case _:
                return self.explanation or ""

    def _lettered(self) -> list[str]:
        return [f"{letter}. {each}" for letter, each in zip(self._called(), self.choices, strict=False)]

    def _called(self) -> Sequence[str]:
        return self.letters or ascii_uppercase


@cache
def _names(*, explained: bool, in_line: bool) -> frozenset[str]:
    without = {"explanation": not explained, "inline": not in_line}
    return frozenset(name for name in MultipleChoice.names if not without.get(name))


class MultipleChoiceConfig(TaskConfigBase):
    """A question with choices, one of them right.

    Templates can say `question`, the choices as `options` (`A. …` on lines of their own), `inline`
    (`(A) … (B) …`) or `bullets` (without letters), and `explanation`. The answer has the form `letter`,
    `text` or `letter_and_text`.
    """

    task = MultipleChoice

    kind: Literal["multiple_choice"]
    question: Column
    """The column of the question; several with a template, such as `"{{ article }}\\n\\n{{ question }}"`."""
    choices: Annotated[tuple[Column, ...], Items] = Field(min_length=1)
    """The columns of the choices, or the one column that holds a list of them, or a mapping of letters to
    them."""
    answer: Column
    """The column of the right answer."""
    answer_as: Literal["letter", "text", "number_from_0", "number_from_1"] | None = None
    """How that column says it. If not given, it is a letter or the text of a choice, whichever it is; what
    could be both is a failure, and so is a number, which may be counted from 0 or from 1."""
    explanation: Column | None = None
    """The column that says why; rows in which it is empty are asked without."""

    def labelled(self) -> Callable[[Record], Labelled]:
        """Return what makes a task of a record."""
        question, answer = texts(self.question), values(self.answer)
        explanation, choices = optional(self.explanation), _choices(self.choices)
        said = self.answer_as

        def read(record: Record) -> Labelled:
            letters, found = choices(record)
            right = _position(answer(record), letters or ascii_uppercase, found, said)
            return MultipleChoice(question(record), found, right, explanation(record) or None, letters)

        return read


Choices = tuple[tuple[str, ...] | None, tuple[str, ...]]
"""What choices are called, if it is not A, B, C, …; and the choices."""


def _choices(columns: tuple[str, ...]) -> Callable[[Record], Choices]:
    if len(columns) == 1:
        name, value_of = columns[0], values(columns[0])
        return lambda record: _listed(value_of(record), name)
    readers = [optional(column) for column in columns]

    def read(record: Record) -> Choices:
        found = [each(record) for each in readers]
        while found and not found[-1].strip():
            found.pop()  # a question with fewer choices than the table has columns
        return None, _whole(found, ", ".join(columns))

    return read


def _listed(value: Any, name: str) -> Choices:
    match value:
        case {"text": list(said), "label": list(letters)}:  # as ARC and CommonsenseQA have them
            return tuple(map(str, letters)), _whole(said, name)
        case dict():
            return tuple(map(str, value)), _whole([*value.values()], name)
        case list() | tuple():
            return None, _whole([*value], name)
    raise BadRecord(f"{name!r} is not a list of choices")


def _whole(choices: list[Any], name: str) -> tuple[str, ...]:
    found = tuple(as_text(each, f"a choice of {name!r}") for each in choices)
    if not 2 <= len(found) <= len(ascii_uppercase):
        raise BadRecord(f"{name!r} holds {len(found)} choices, not two to {len(ascii_uppercase)}")
    if not all(map(str.strip, found)):
        raise BadRecord(f"a choice of {name!r} is empty")
    return found


def _position(value: Any, letters: Sequence[str], choices: tuple[str, ...], said: str | None) -> int:
    """Return the position of the right choice.

    Raises:
        BadRecord: it is none of them, or could be two.
    """
    number = _whole_number(value)
    if said is not None and said.startswith("number"):
        first = int(said[-1])
        if number is None or not first <= number < first + len(choices):
            last = first + len(choices) - 1
            raise BadRecord(f"the answer {value!r} is not a number from {first} to {last}")
        return number - first
    if number is not None and said is None:
        raise BadRecord(f"the answer is the number {number}; say in answer_as what it counts")
    text = as_text(value, "the answer").strip()
    found: set[int] = set()
    if said != "text":
        found.update(n for n, _ in enumerate(choices) if letters[n] in (text, text.upper()))
    if said != "letter":
        found.update(n for n, choice in enumerate(choices) if choice.strip() == text)
    if len(found) == 1:
        return found.pop()
    if found:
        raise BadRecord(f"the answer {text!r} could be two of the choices; say answer_as in the recipe")
    raise BadRecord(f"the answer {text!r} is none of the choices")


def _whole_number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else None

"""What the recipe says of a labelled table, whatever its kind of task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from instil.config.base import Config, Items
from instil.corpora.base import BadRecord, Record, Row, Task
from instil.corpora.columns import values
from instil.corpora.expressions import names_in
from instil.corpora.tasks.base import Labelled
from instil.corpora.tasks.wording import Templates, compiled

_NAMED = 12


def _template(source: str) -> str:
    names_in(source)
    return source


JinjaText = Annotated[str, Field(min_length=1), AfterValidator(_template)]
"""A Jinja template over the names of a task and the columns of its record."""


class TemplateConfig(Config):
    """A wording of the recipe's own; it can name what the task has, and columns."""

    user: JinjaText
    """What is asked."""
    assistant: JinjaText = "{{ answer }}"
    """What is answered; `{{ answer }}` must stand in it."""
    system: JinjaText | None = None
    """A system prompt."""
    answer: str | None = None
    """The form of the answer, where the task has several."""
    name: str | None = Field(default=None, min_length=1)
    """What the labels of its rows call it; otherwise its number."""

    @field_validator("assistant")
    @classmethod
    def _answers(cls, value: str) -> str:
        if "answer" not in names_in(value):
            raise ValueError("it does not say {{ answer }}, so that nothing would be learned of the label")
        return value


class TaskConfigBase(Config):
    """What every kind of task has."""

    task: ClassVar[type[Labelled]]

    templates: Annotated[tuple[TemplateConfig, ...], Items] = ()
    """Wordings in place of the packaged ones; which of them a row gets, its content and the seed decide."""

    @field_validator("templates")
    @classmethod
    def _forms_exist(cls, templates: tuple[TemplateConfig, ...]) -> tuple[TemplateConfig, ...]:
        for each in templates:
            if each.answer is not None and each.answer not in cls.task.forms:
                raise ValueError(f"the answer {each.answer!r} is not one of {', '.join(cls.task.forms)}")
        return templates

    @abstractmethod
    def labelled(self) -> Callable[[Record], Labelled]:
        """Return what makes a task of a record; it raises BadRecord where the record is none."""

    def reader(self) -> Callable[[Record], tuple[Task]]:
        """Return what reads a record, as the reader of a format does."""
        labelled = self.labelled()
        if not self.templates:
            return lambda record: (labelled(record),)
        own = Templates(
            tuple(
                compiled(
                    each.name or f"recipe {number}",
                    each.model_dump(exclude={"name"}, exclude_none=True),
                    self.task.names,
                    self.task.forms,
                )
                for number, each in enumerate(self.templates, start=1)
            ),
            own=True,
        )
        return lambda record: (Worded(labelled(record), own, record),)


@dataclass(frozen=True, slots=True)
class Worded:
    """A task to be worded by templates of the recipe, which can name its columns."""

    task: Labelled
    templates: Templates
    columns: Record

    def row(self, seed: int) -> Row:
        """Return it in the words of the template that the seed and its content choose."""
        return self.task.worded(self.templates, self.columns, seed)


def _as_mapping(labels: object) -> object:
    """Let labels that are said as they are written stand in a list."""
    if isinstance(labels, list | tuple):
        return {each if isinstance(each, str) else str(each): each for each in labels}
    return labels


Labels = Annotated[dict[str, str], BeforeValidator(_as_mapping), Field(min_length=1)]
"""How each label is said, by how the table writes it."""


def label_in(column: str, labels: Mapping[str, str] | None) -> Callable[[Record], tuple[str, str]]:
    """Return what reads a label as the table writes it, and as it is said.

    What is read raises BadRecord where it is missing or not one of the labels.

    Args:
        column: where it stands.
        labels: how each is said; None: as it is written.
    """
    value_of = values(column)

    def read(record: Record) -> tuple[str, str]:
        written = _written(value_of(record), column)
        if labels is None:
            return written, written
        surface = labels.get(written)
        if surface is None:
            known = [*labels][:_NAMED] + (["…"] if len(labels) > _NAMED else [])
            raise BadRecord(f"the label {written!r} of {column!r} is not one of {', '.join(known)}")
        return written, surface

    return read


def _written(value: Any, column: str) -> str:
    match value:
        case str():
            written = value.strip()
        case bool():
            written = str(value).lower()
        case float() if value.is_integer():
            written = str(int(value))  # a column of whole numbers with gaps is read as floats
        case int() | float():
            written = str(value)
        case _:
            raise BadRecord(f"{column!r} is a {type(value).__name__}, not a label")
    if not written:
        raise BadRecord(f"{column!r} is empty")
    return written


def different(labels: Mapping[str, str] | None) -> tuple[str, ...]:
    """Return how labels are said, each once, in their order."""
    return tuple(dict.fromkeys((labels or {}).values()))

"""What all labelled tasks have: what templates can say of them, and the answer in each of its forms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from instil.corpora.base import Row
from instil.corpora.tasks.language import Language, language_of
from instil.corpora.tasks.wording import Templates, packaged
from instil.data.examples import Label
from instil.data.messages import Turn
from instil.data.random import rank


class Surface(NamedTuple):
    """How a label is said."""

    answer: str
    choices: tuple[str, ...] = ()
    """How every label is said that the row could have, where they are known."""


class Labelled(ABC):
    """A labelled record: a task with its answer, not yet in words."""

    __slots__ = ()

    kind: ClassVar[str]
    """The kind of task."""
    names: ClassVar[frozenset[str]]
    """What a template can say, besides `answer`."""
    forms: ClassVar[tuple[str, ...]] = ("text",)
    """The forms that an answer can have: a template asks for one of them, the first is the usual."""

    @abstractmethod
    def written(self) -> str:
        """Return the label as the table writes it."""

    @abstractmethod
    def content(self) -> tuple[str, ...]:
        """Return the texts that make two records different; the template is chosen by them."""

    @abstractmethod
    def surface(self, form: str, language: Language) -> Surface:
        """Return how the label is said in one of `forms`.

        Raises:
            BadRecord: the record has no such label.
        """

    def group(self) -> str:
        """Return the text that records share which must not be parted when rows are held out."""
        return self.content()[0]

    def wording(self) -> str:
        """Return the name of the file of templates that words it."""
        return self.kind

    def languages(self) -> tuple[Language, ...]:
        """Return the languages in which it may be asked."""
        return (language_of(self.content()[0]),)

    def has(self) -> frozenset[str]:
        """Return those of `names` that it has something for."""
        return self.names

    def offers(self) -> frozenset[str]:
        """Return those of them that read well; the packaged templates say no others."""
        return self.has()

    def say(self, name: str, language: Language) -> str:  # noqa: ARG002 (for those that differ)
        """Return what one of `names` stands for."""
        return str(getattr(self, name))

    def row(self, seed: int) -> Row:
        """Return it in the words of the packaged template that the seed and its content choose."""
        return self.worded(packaged(self.wording(), self.names, self.forms), {}, seed)

    def worded(self, templates: Templates, columns: Mapping[str, Any], seed: int) -> Row:
        """Return it in the words of one of some templates.

        Which one depends on the seed and on `content`, never on what stands before it or in which file.

        Args:
            templates: those that the recipe allows.
            columns: what a template can say besides the names of the task.
            seed: the mixture's.

        Raises:
            BadRecord: it has no such label, or no template can word it.
        """
        languages = self.languages()
        number = rank(seed, "template", self.kind, "\n".join(self.content()))
        template = templates.choose(languages, self.has() if templates.own else self.offers(), number)
        language = template.language or languages[0]
        surface = self.surface(template.form, language)
        said = {name: self.say(name, language) for name in template.says}
        values = {**columns, **said, "answer": surface.answer}
        turns: tuple[Turn, ...] = (
            ("user", template.user(values)),
            ("assistant", template.assistant(values)),
        )
        if template.system is not None:
            turns = (("system", template.system(values)), *turns)
        label = Label(
            task=self.kind,
            template=template.name,
            value=self.written(),
            answer=surface.answer,
            choices=surface.choices,
        )
        return Row(turns, label, group=self.group())

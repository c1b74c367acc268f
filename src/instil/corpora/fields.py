"""A table of the user's own shape: which of its columns is the question, and which the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Self

from pydantic import model_validator

from instil.config.base import Config
from instil.corpora.base import BadRecord, Record, Row, Task, lead
from instil.corpora.columns import Column, optional, texts, values
from instil.corpora.expressions import as_list
from instil.corpora.formats import FORMATS
from instil.corpora.formats.turns import conversation
from instil.corpora.questions import question_of, question_reader
from instil.data.messages import Turn

_SAME = (("user", "instruction"), ("assistant", "output"))
_MESSAGES = "messages"


class FieldsConfig(Config):
    """Which columns hold what.

    A value is the name of a column, dotted where it is nested (`meta.question`, `answers.0.text`), or a Jinja
    template if it holds `{{` (`"{{ title }}: {{ body }}"`; a column whose name is no word is
    `{{ record["chief complaint"] }}`, and a list that was written as text becomes one by `| as_list`). A row
    in which the question or the answer is missing or empty is a failure.
    """

    user: Column | None = None
    """What is asked."""
    instruction: Column | None = None
    """The same as `user`, as Alpaca calls it."""
    input: Column | None = None
    """What stands on a line below the question; it may be empty."""
    assistant: Column | None = None
    """What is answered. It is not needed where a teacher is to answer."""
    output: Column | None = None
    """The same as `assistant`, as Alpaca calls it."""
    history: Column | None = None
    """Earlier turns, a list of `[question, answer]`; it may be empty."""
    messages: Column | None = None
    """The column of a whole conversation, a list of turns with `role` and `content` or `from` and `value`; in
    place of all of these."""
    system: Column | None = None
    """The system prompt; it may be empty."""

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        for names in _SAME:
            if set(names) <= set(given):
                raise ValueError(f"{' and '.join(names)} are the same; one of them is enough")
        beside = [name for name in given if name not in (_MESSAGES, "system")]
        if self.messages is not None and beside:
            raise ValueError(
                f"messages is the whole conversation; {', '.join(beside)} cannot stand beside it"
            )
        if not {"user", "instruction", _MESSAGES} & set(given):
            raise ValueError("it does not say which column is the question; user is missing")
        return self

    @property
    def answered(self) -> bool:
        """Whether it says where the answer stands."""
        return any(each is not None for each in (self.assistant, self.output, self.messages))

    def reader(self) -> Callable[[Record], Iterable[Row | Task]]:
        """Return what reads a record, as the reader of a format does."""
        if self.messages is not None:
            return self._chat(self.messages, FORMATS[_MESSAGES].read)
        question, answer = self._question(), texts(self.assistant or self.output or "")

        def read(record: Record) -> tuple[Row]:
            before, turns = question(record)
            turns = (*turns, ("assistant", answer(record)))
            # Earlier turns may be empty, or follow one another; a question and an answer cannot.
            return (Row(conversation([*before, *turns]) if len(before) > 1 else (*before, *turns)),)

        return read

    def questions(self) -> Callable[[Record], Iterable[Row | Task]]:
        """Return what reads a record without its answer, which it need not have."""
        if self.messages is not None:
            read = self._chat(self.messages, question_reader((FORMATS[_MESSAGES],)))
            return lambda record: [question_of(each) for each in read(record) if isinstance(each, Row)]
        question = self._question()

        def ask(record: Record) -> tuple[Row]:
            before, turns = question(record)
            return (Row((*before, *turns)),)

        return ask

    def _question(self) -> Callable[[Record], tuple[tuple[Turn, ...], tuple[Turn, ...]]]:
        question = texts(self.user or self.instruction or "")
        below, system, earlier = optional(self.input), optional(self.system), _history(self.history)

        def read(record: Record) -> tuple[tuple[Turn, ...], tuple[Turn, ...]]:
            asked, context = question(record), below(record)
            turn: Turn = ("user", f"{asked}\n{context}" if context.strip() else asked)
            return (*lead(system(record)), *earlier(record)), (turn,)

        return read

    def _chat(
        self, column: str, read: Callable[[Record], Iterable[Row | Task]]
    ) -> Callable[[Record], Iterable[Row | Task]]:
        turns, system = values(column), optional(self.system)
        return lambda record: read({_MESSAGES: turns(record), "system": system(record)})


def _history(column: str | None) -> Callable[[Record], list[Turn]]:
    if column is None:
        return lambda _: []
    value_of, name = values(column), repr(column)

    def read(record: Record) -> list[Turn]:
        try:
            pairs = value_of(record)
        except BadRecord:
            return []  # a conversation that begins here
        if isinstance(pairs, str) and not pairs.strip():
            return []
        turns: list[Turn] = []
        for pair in as_list(pairs):
            match pair:
                case [str(asked), str(answered)]:
                    turns += [("user", asked), ("assistant", answered)]
                case _:
                    raise BadRecord(f"{name} is not a list of [question, answer]")
        return turns

    return read

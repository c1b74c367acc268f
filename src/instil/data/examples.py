"""Seed tasks, training examples, and the recorded no."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, field_validator

from instil.data.fingerprint import fingerprint
from instil.data.messages import Conversation, Message, Value


class Instance(Value):
    """One input and output of a seed task."""

    input: str = ""
    output: str


class SeedTask(Value):
    """A task that a human wrote, in the Self-Instruct format."""

    id: str
    name: str
    instruction: str
    instances: tuple[Instance, ...] = ()
    is_classification: bool = False

    @field_validator("instruction")
    @classmethod
    def _has_instruction(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("the instruction is empty")
        return value


class Evidence(Value):
    """The passage of a user's document that an example was written from."""

    document: str
    """The document's name."""
    place: str
    """Where in it: `page 3`, `lines 10-24`, `## Heading > Sub`."""
    text: str
    """The passage, with the headings that it stands under."""
    quote: str | None = None
    """The words of the passage that the teacher gave as its ground, where it gave any."""


class Origin(Value):
    """Where an example came from."""

    kind: Literal["seed", "teacher", "corpus"]
    name: str
    """The seed file, the teacher's model, or the corpus."""
    license: str | None = None
    parents: tuple[str, ...] = ()
    """Seed tasks and earlier examples that the teacher was shown."""
    task: str | None = None
    """The type of task that was asked for."""
    entities: tuple[str, ...] = ()
    """Entities that the teacher was given for this item."""
    about: tuple[str, ...] = ()
    """Those of the entities that this item is about, where that can be told."""
    attributes: Mapping[str, str] = Field(default_factory=dict)
    """What else was asked of it, such as a language, a persona or a difficulty."""
    method: str | None = None
    """How its instruction was made of an earlier one."""
    request: str | None = None
    """Key of the teacher call in the journal, for replay."""
    evidence: Evidence | None = None
    """What a grounded example rests on."""


# Left out of a row where they say nothing.
_OPTIONAL = ("task", "about", "attributes", "method", "evidence")


class Label(Value):
    """What a row of a labelled table holds besides its text; evaluation compares answers with it."""

    task: str
    """The kind of task: `classification`, `multiple_choice`, …"""
    template: str
    """Which of the task's templates worded the row."""
    value: str
    """The label as the table writes it."""
    answer: str
    """The label's surface form: how the assistant's answer says it."""
    choices: tuple[str, ...] = ()
    """The surface forms of all labels that the row could have, where they are known."""


class Example(Value):
    """One training row: a conversation in the OpenAI chat form, and where it came from."""

    messages: tuple[Message, ...] = Field(min_length=1)
    origin: Origin
    scores: Mapping[str, float] = Field(default_factory=dict)
    similar: Mapping[str, float] = Field(default_factory=dict)
    """The most similar instructions accepted before, with their scores, where that was asked for."""
    label: Label | None = None
    """What the answer must say, for rows of labelled tables."""

    @cached_property
    def conversation(self) -> Conversation:
        """The messages as a conversation."""
        return Conversation(messages=self.messages)

    @property
    def id(self) -> str:
        """Same conversation, same id, on every machine."""
        return fingerprint([message.model_dump() for message in self.messages])

    def row(self) -> dict[str, Any]:
        """Return what is written to a file; it reads back as an equal example."""
        row = self.model_dump(mode="json")
        if not self.scores:
            del row["scores"]
        if not self.similar:
            del row["similar"]
        if self.label is None:
            del row["label"]
        for name in _OPTIONAL:
            if row["origin"][name] in (None, [], {}):
                del row["origin"][name]
        return row


class Rejection(Value):
    """Something that was not kept, and why."""

    filter: str
    """What said no: a filter, or `parse`."""
    reason: str
    example: Example | None = None
    text: str | None = None
    """What the teacher wrote, where it did not amount to an example."""
    request: str | None = None
    score: float | None = None
    nearest: str | None = None
    """For novelty: the accepted instruction that is most similar."""

    def row(self) -> dict[str, Any]:
        """Return what is written to a file."""
        row = self.model_dump(mode="json", exclude_none=True, exclude={"example"})
        if self.example is not None:
            row["example"] = self.example.row()
        return row


class Counts(Value):
    """How many rows a stage was asked for, and what became of each of them."""

    asked: int = Field(ge=0)
    kept: int = Field(ge=0)
    rejected: int = Field(default=0, ge=0)
    failed: int = Field(default=0, ge=0)
    reasons: Mapping[str, int] = Field(default_factory=dict)
    """Rejected and failed rows by reason; they add up to `rejected + failed`."""

    @property
    def adds_up(self) -> bool:
        """Whether nothing was lost: asked == kept + rejected + failed, reason by reason."""
        lost = self.rejected + self.failed
        return self.asked == self.kept + lost and sum(self.reasons.values()) == lost

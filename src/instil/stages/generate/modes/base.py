"""What a mode of generation is: which calls to make, what to say in each, and how to read the answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from instil.config.base import Config
from instil.data.examples import Evidence, Example
from instil.data.messages import Message
from instil.stages.generate.calls import Call, Plan
from instil.stages.generate.coverage import Coverage
from instil.stages.generate.modes.schemas import Schema
from instil.stages.generate.parse import Item, Malformed
from instil.stages.generate.prompts import PromptTemplate


@dataclass(frozen=True)
class Draft:
    """One item of an answer, as a conversation."""

    messages: tuple[Message, ...]
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Step:
    """What an answer gives another call to go on from; the item is counted when that one ends."""

    call: Call
    instruction: str


Read = Draft | Step | Malformed


def drafted(item: Item, evidence: Evidence | None = None) -> Draft:
    """Return an item as a question and its answer."""
    question = Message(role="user", content=item.question)
    return Draft((question, Message(role="assistant", content=item.output)), evidence)


@dataclass(frozen=True)
class Setting:
    """What a mode works with.

    Attributes:
        plan: seeds, entities and attributes, and how many of them a call shows.
        coverage: what was kept so far.
        prompt: the recipe's template, if it names one.
        system: the system prompt for the teacher, if there is one.
        answers: the form in which the teacher is asked to answer.
        num_examples: items to ask for.
        wave_calls: calls after which the next ones are steered; None for all calls in one wave.
        evenly: whether calls cover cells and entities evenly; else each is drawn by itself.
    """

    plan: Plan
    coverage: Coverage
    prompt: PromptTemplate | None
    system: str | None
    answers: str
    num_examples: int
    wave_calls: int | None
    evenly: bool


class Mode(Protocol):
    """Makes the calls of a run and reads their answers.

    The answers of a wave are all read, in the order of its calls, before the next wave is asked for; so
    what a mode learns from them does not depend on when they came.
    """

    @property
    def details(self) -> Mapping[str, Any]:
        """What the manifest should say of what it worked on; JSON values."""
        ...

    def waves(self) -> Iterator[Iterable[Call]]:
        """Yield the calls, wave by wave."""
        ...

    def more(self, missing: int) -> Iterable[Call]:
        """Return calls for about `missing` more items; none where this mode has nothing more to ask."""
        ...

    def messages(self, call: Call) -> tuple[Message, ...]:
        """Return what a call says to the teacher."""
        ...

    def schema(self, call: Call) -> Schema | None:
        """Return the form of the answer that a call asks for, where it is JSON."""
        ...

    def read(self, call: Call, text: str, *, cut_off: bool) -> Iterator[Read]:
        """Yield what an answer holds, in order."""
        ...

    def keep(self, call: Call, example: Example) -> None:
        """Take note of an example that was kept."""
        ...


class ModeConfigBase(Config):
    """What every mode of generation has."""

    @property
    def packaged_prompt(self) -> str | None:
        """The packaged prompt that is used where the recipe names none."""
        return None

    @property
    def template_values(self) -> frozenset[str]:
        """What a template can use in this mode besides seeds, entities, attributes and item_count."""
        return frozenset()

    @property
    def needs_seeds(self) -> bool:
        """Whether there must be seed tasks."""
        return False

    @property
    def seeds_are_instructions(self) -> bool:
        """Whether the seed tasks are what is answered, so that no row can be compared with them."""
        return False

    @property
    def learns(self) -> bool:
        """Whether later calls depend on the answers to earlier ones."""
        return False

    @property
    def unused(self) -> frozenset[str]:
        """Settings of `generate` that would change nothing in this mode."""
        return frozenset()

    @property
    def seeds_in_call(self) -> int | None:
        """How many seed tasks a call shows, where this is not `seeds_per_prompt`."""
        return None

    def calls(self, num_examples: int, items_per_call: int) -> int:
        """Return how many calls are made at most, as far as that is known before."""
        return -(-num_examples // items_per_call)

    def preflight(self) -> None:
        """Find what is missing before anything starts.

        Raises:
            RequestError: something is missing.
        """

    @abstractmethod
    def open(self, setting: Setting) -> Mode:
        """Return the mode, ready to make calls."""

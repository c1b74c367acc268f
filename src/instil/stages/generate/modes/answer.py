"""Instructions are given, responses are wanted: the mode `answer`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Literal

from pydantic import Field

from instil.corpora.base import Failure
from instil.corpora.files import FilesConfig
from instil.data.examples import Example, Origin
from instil.data.messages import Message
from instil.stages.generate.calls import Call, Plan
from instil.stages.generate.modes.base import Draft, Mode, ModeConfigBase, Read, Setting
from instil.stages.generate.parse import Malformed

UNUSED = frozenset(
    {"answers", "attributes", "coverage", "entities", "shortfall", "task_weights", "wave_calls"}
)
"""What means nothing where every call has an instruction of its own."""


LeftOut = dict[str, dict[str, Any]]


class GivenInstructions(ModeConfigBase):
    """What the modes have that work on instructions somebody else wrote."""

    instructions: FilesConfig | None = None
    """A corpus whose questions are used, its answers are not; the recipe's seed tasks if not given."""

    @property
    def template_values(self) -> frozenset[str]:
        """What a template can use in this mode besides seeds, entities, attributes and item_count."""
        return frozenset({"instruction"})

    @property
    def needs_seeds(self) -> bool:
        """Whether there must be seed tasks."""
        return self.instructions is None


class AnswerMode(GivenInstructions):
    """Each call asks one given instruction; the teacher's answer becomes the response."""

    kind: Literal["answer"]
    answers_per_instruction: int = Field(default=1, gt=0)
    """How many answers each instruction gets; `num_examples` is the most in all."""

    @property
    def seeds_are_instructions(self) -> bool:
        """Whether the seed tasks are what is answered, so that no row can be compared with them."""
        return self.instructions is None

    @property
    def unused(self) -> frozenset[str]:
        """Settings of `generate` that would change nothing in this mode."""
        return UNUSED

    def calls(self, num_examples: int, items_per_call: int) -> int:  # noqa: ARG002
        """Return how many calls are made at most, as far as that is known before."""
        return num_examples

    def open(self, setting: Setting) -> Mode:
        """Return the mode, ready to make calls."""
        return _Answers(setting, self)


class _Answers:
    def __init__(self, setting: Setting, config: AnswerMode) -> None:
        self._left_out: LeftOut = {}
        self.details: dict[str, Any] = {"instructions left out": self._left_out}
        self._setting, self._config = setting, config

    def waves(self) -> Iterator[Iterable[Call]]:
        """Yield one wave: every instruction, then every one again for a further answer."""
        yield islice(self._calls(), self._setting.num_examples)

    def more(self, missing: int) -> Iterable[Call]:  # noqa: ARG002
        """Return no calls: an instruction whose answer was not kept would not get a better one."""
        return ()

    def messages(self, call: Call) -> tuple[Message, ...]:
        """Return the instruction, inside the recipe's template if it names one."""
        return question(self._setting, call)

    def schema(self, call: Call) -> None:
        """Leave the form to the teacher: its answer is kept as it is."""

    def read(self, call: Call, text: str, *, cut_off: bool) -> Iterator[Read]:
        """Yield the one conversation."""
        yield response(call, text, cut_off=cut_off)

    def keep(self, call: Call, example: Example) -> None:
        """Take no note."""

    def _calls(self) -> Iterator[Call]:
        for number in range(self._config.answers_per_instruction):
            # Every time it is the same rows that cannot be read.
            left_out = {} if number else self._left_out
            for source in given_instructions(self._config.instructions, self._setting.plan, left_out):
                yield Call(task=source.origin.task, seeds=(), entities={}, source=source)


def given_instructions(corpus: FilesConfig | None, plan: Plan, left_out: LeftOut) -> Iterator[Example]:
    """Yield what is to be answered, without the answer that it may have.

    Args:
        corpus: where it comes from; the seed tasks if there is none.
        plan: holds the seed tasks.
        left_out: is told what cannot be read: by its reason, how many rows and the first of them.
    """
    if corpus is None:
        for seed in plan.seeds:
            instance = seed.instances[0] if seed.instances else None
            text = (
                f"{seed.instruction}\n{instance.input}" if instance and instance.input else seed.instruction
            )
            origin = Origin(kind="seed", name=seed.id, task=seed.name)
            yield Example(messages=(Message(role="user", content=text),), origin=origin)
        return
    for row in corpus.read_questions():
        if isinstance(row, Failure):
            entry = left_out.setdefault(row.reason, {"rows": 0, "first": row.where})
            entry["rows"] += 1
        else:
            yield row


def question(setting: Setting, call: Call) -> tuple[Message, ...]:
    """Return what is said to a teacher that is to answer the call's instruction."""
    assert call.source is not None
    *lead, last = call.source.messages
    if setting.prompt is not None:
        text = setting.prompt.render(call, {"instruction": last.content})
        last = Message(role="user", content=text)
    if setting.system is not None:
        lead = [Message(role="system", content=setting.system), *(m for m in lead if m.role != "system")]
    return (*lead, last)


def response(call: Call, text: str, *, cut_off: bool) -> Draft | Malformed:
    """Return the call's instruction with the teacher's answer, which is kept as it is."""
    assert call.source is not None
    if not text.strip():
        return Malformed("empty answer", text)
    if cut_off:
        return Malformed("cut off at max_tokens", text)
    return Draft((*call.source.messages, Message(role="assistant", content=text)))

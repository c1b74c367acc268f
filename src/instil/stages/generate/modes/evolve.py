"""Instructions are made harder or rarer, round by round, and answered: the mode `evolve`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from instil.config.base import Items
from instil.data.examples import Example
from instil.data.messages import Message, ask
from instil.data.words import words
from instil.stages.generate.calls import Call
from instil.stages.generate.modes.answer import (
    UNUSED,
    GivenInstructions,
    LeftOut,
    given_instructions,
    question,
    response,
)
from instil.stages.generate.modes.base import Mode, Read, Setting, Step
from instil.stages.generate.modes.schemas import INSTRUCTION, Schema
from instil.stages.generate.parse import Malformed
from instil.stages.generate.prompts import PACKAGED, PromptFile, PromptTemplate

_DECODER = json.JSONDecoder(strict=False)  # lets a newline stand inside a string
Method = Literal["constraints", "deepening", "concretizing", "reasoning_steps", "broadening"]


class EvolveMode(GivenInstructions):
    """Instructions are deepened or broadened by the teacher, then answered by it, round by round.

    Evol-Instruct (arXiv 2304.12244); each round starts from what the round before has given.
    """

    kind: Literal["evolve"]
    rounds: int = Field(default=4, gt=0)
    """How often an instruction is evolved; `num_examples` is spread over the rounds."""
    methods: Annotated[tuple[Method, ...], Items] = Field(default=get_args(Method), min_length=1)
    """What is done to an instruction: one of these is drawn each time."""
    deepen_prompt: PromptFile = PACKAGED / "evolve_depth.j2"
    """The template that asks for a harder instruction: it can use `instruction` and `method`."""
    broaden_prompt: PromptFile = PACKAGED / "evolve_breadth.j2"
    """The template that asks for a rarer instruction: it can use `instruction` and `method`."""

    @property
    def learns(self) -> bool:
        """Whether later calls depend on the answers to earlier ones."""
        return True

    @property
    def unused(self) -> frozenset[str]:
        """Settings of `generate` that would change nothing in this mode, or break it.

        With `max_calls` an instruction could be evolved, paid for, and never answered; `num_examples` limits
        both calls at once.
        """
        return UNUSED | {"max_calls"}

    def calls(self, num_examples: int, items_per_call: int) -> int:  # noqa: ARG002
        """Return how many calls are made at most: one to evolve and one to answer, for each example."""
        return 2 * num_examples

    def open(self, setting: Setting) -> Mode:
        """Return the mode, ready to make calls.

        Raises:
            RecipeError: a template uses what nobody fills.
        """
        return _Evolution(setting, self)


class _Evolution:
    """In each round every instruction is evolved, and what comes of it is answered.

    An instruction whose evolution fails goes into the next round as it was (section 3.2 of the paper).
    """

    def __init__(self, setting: Setting, config: EvolveMode) -> None:
        self._left_out: LeftOut = {}
        self.details: dict[str, Any] = {"instructions left out": self._left_out}
        self._setting, self._config = setting, config
        deepen, broaden = (
            PromptTemplate(path, (), setting.plan.attributes, {"instruction", "method"})
            for path in (config.deepen_prompt, config.broaden_prompt)
        )
        self._templates: dict[str, PromptTemplate] = {
            method: broaden if method == "broadening" else deepen for method in config.methods
        }
        self._pool: list[Example] = []
        self._evolved: list[Call] = []

    def waves(self) -> Iterator[Iterable[Call]]:
        """Yield for each round a wave that evolves and a wave that answers."""
        size = math.ceil(self._setting.num_examples / self._config.rounds)
        given = list(
            islice(given_instructions(self._config.instructions, self._setting.plan, self._left_out), size)
        )
        self._pool = list(islice(cycle(given), size)) if given else []
        left = self._setting.num_examples
        for number in range(self._config.rounds):
            count = min(left, len(self._pool))
            left -= count
            self._evolved = []
            yield [self._evolve(number, place) for place in range(count)]
            yield list(self._evolved)

    def more(self, missing: int) -> Iterable[Call]:  # noqa: ARG002
        """Return no calls: what failed is in the next round already."""
        return ()

    def messages(self, call: Call) -> tuple[Message, ...]:
        """Return the request to evolve an instruction, or the instruction that is to be answered."""
        if call.method is None:
            return question(self._setting, call)
        assert call.source is not None
        values = {"instruction": call.source.messages[-1].content, "method": call.method}
        return ask(self._templates[call.method].render(call, values), system=self._setting.system)

    def schema(self, call: Call) -> Schema | None:
        """Return the form of an evolved instruction; an answer has none."""
        return INSTRUCTION if call.method else None

    def read(self, call: Call, text: str, *, cut_off: bool) -> Iterator[Read]:
        """Yield a step to answer next, or the answered instruction."""
        assert call.source is not None
        if call.method is None:
            yield response(call, text, cut_off=cut_off)
            return
        found = parse_instruction(text, cut_off=cut_off)
        if isinstance(found, Malformed):
            yield found
            return
        before = call.source.messages[-1].content
        if words(found) == words(before):
            yield Malformed("the instruction did not change", found)
            return
        origin = call.source.origin.model_copy(update={"method": call.method})
        messages = (*call.source.messages[:-1], Message(role="user", content=found))
        evolved = Example(messages=messages, origin=origin)
        answer = replace(call, source=evolved, method=None)
        self._evolved.append(answer)
        yield Step(answer, found)

    def keep(self, call: Call, example: Example) -> None:  # noqa: ARG002
        """Let the next round start from an evolved instruction whose answer was kept."""
        assert call.source is not None
        self._pool[call.place] = call.source

    def _evolve(self, number: int, place: int) -> Call:
        rng = self._setting.plan.random_for("evolve", number, place)
        source = self._pool[place]
        method = rng.choice(self._config.methods)
        return Call(source.origin.task, (), {}, source=source, method=method, place=place)


def parse_instruction(text: str, *, cut_off: bool) -> str | Malformed:
    """Return the instruction of an answer: under `instruction` in JSON, or the whole text."""
    if cut_off:
        return Malformed("cut off at max_tokens", text)
    start = text.find("{")
    if start >= 0:
        try:
            value, _ = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            return Malformed("not valid JSON", text)
        found = value.get("instruction")
        if not isinstance(found, str):
            return Malformed("no text under the key 'instruction'", text)
        text = found
    return text.strip() or Malformed("empty instruction", text)

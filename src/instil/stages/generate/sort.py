"""Put every item of an answer where it belongs: kept, rejected with its reason, or failed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from instil.data.examples import Counts, Example, Origin, Rejection
from instil.data.jsonl import JsonlWriter
from instil.errors import TeacherError, TeacherUnavailable
from instil.filters.chain import Chain
from instil.stages.base import EXAMPLES_FILE, FAILURES_FILE, REJECTED_FILE, Context
from instil.stages.generate.calls import Call
from instil.stages.generate.coverage import Coverage
from instil.stages.generate.modes import Draft, Mode, Step
from instil.stages.generate.parse import UNFINISHED, Malformed, split_thinking
from instil.teachers.base import Completion

REASONING_FILE = "reasoning.jsonl"
_LETTER = "[A-Za-z0-9\u00c0-\u024f]"  # of scripts that part words by spaces
_FILES = (EXAMPLES_FILE, REJECTED_FILE, FAILURES_FILE, REASONING_FILE)


class Sorter:
    """Reads answers in the order of their calls and writes the rows; use it in a `with` statement.

    Args:
        mode: reads answers and is told what was kept.
        coverage: is told what was kept.
        chain: the filters that decide what of the items is kept.
        context: where the rows are written.
        teacher: who is named where an answer does not say its model.
    """

    def __init__(self, mode: Mode, coverage: Coverage, chain: Chain, context: Context, teacher: str) -> None:
        self._mode, self._coverage, self._chain, self._teacher = mode, coverage, chain, teacher
        self._stack = ExitStack()
        for name in _FILES:
            (context.work / name).unlink(missing_ok=True)
        self._writers = {name: self._stack.enter_context(JsonlWriter(context.work / name)) for name in _FILES}
        self._reasons: Counter[str] = Counter()
        self.asked = self.kept = self.rejected = self.failed = 0
        self.calls = self.failed_calls = self.passing_failures = self.reasoned = 0

    def answer(self, call: Call, key: str, answer: Completion) -> None:
        """Sort the items of one answer, and every item that was asked for and is not there.

        Args:
            call: what was asked.
            key: of the request, for replay.
            answer: what the teacher said.
        """
        self.calls += 1
        thinking = split_thinking(answer.text)
        if reasoning := answer.reasoning or thinking.reasoning:
            self.reasoned += 1
            self._writers[REASONING_FILE].append({"request": key, "reasoning": reasoning})
        cut_off = answer.finish_reason == "length" or thinking.unfinished
        if thinking.unfinished and not thinking.answer.strip():
            items: list[Draft | Step | Malformed] = [Malformed(UNFINISHED, "")]
        else:
            items = list(self._mode.read(call, thinking.answer, cut_off=cut_off))
        if answer.finish_reason == "content_filter":
            # Whole items before the stop are kept; what is missing has this reason and no other.
            blocked = "stopped by the server's content filter"
            items = [Malformed(blocked, i.text) if isinstance(i, Malformed) else i for i in items]
        self._sort(call, key, items, self._origin(call, key, answer))

    def fail(self, call: Call, key: str, error: TeacherError) -> None:
        """Write down a call that failed for good."""
        passing = isinstance(error, TeacherUnavailable)
        self.calls += 1
        self.failed_calls += 1
        self.passing_failures += passing
        self.asked += call.items
        self.failed += call.items
        self._reasons["call failed"] += call.items
        row = {"request": key, "reason": str(error), "items": call.items, "asked_again": passing}
        self._writers[FAILURES_FILE].append(row)

    @property
    def counts(self) -> Counts:
        """What became of every item so far."""
        return Counts(
            asked=self.asked,
            kept=self.kept,
            rejected=self.rejected,
            failed=self.failed,
            reasons=dict(sorted(self._reasons.items())),
        )

    def sync(self) -> None:
        """Return when every row is on disk."""
        for writer in self._writers.values():
            writer.sync()

    @property
    def filters(self) -> list[dict[str, Any]]:
        """What each filter was shown and what it said."""
        return self._chain.table()

    def _sort(self, call: Call, key: str, items: Sequence[Draft | Step | Malformed], origin: Origin) -> None:
        lists = [[entity.name for entity in entities] for entities in call.entities.values()]
        for place, item in enumerate(items):
            if isinstance(item, Step):
                continue
            self.asked += 1
            if isinstance(item, Malformed):
                self._reject(Rejection(filter="parse", reason=item.reason, text=item.text, request=key))
                continue
            text = "\n".join(message.content for message in item.messages)
            about = tuple(
                name
                for names in lists
                for name in _about(text, names, place if len(items) == len(names) else None)
            )
            own = origin
            if about or item.evidence:
                own = origin.model_copy(update={"about": about, "evidence": item.evidence})
            self._keep(call, Example(messages=item.messages, origin=own))
        for _ in range(call.items - len(items)):
            self.asked += 1
            self._reject(Rejection(filter="parse", reason="asked for and not in the answer", request=key))

    def _keep(self, call: Call, example: Example) -> None:
        outcome = self._chain.decide(example)
        if isinstance(outcome, Rejection):
            self._reject(outcome)
            return
        assert isinstance(outcome, Example)  # no filter here waits for a judge
        self.kept += 1
        self._writers[EXAMPLES_FILE].append(outcome.row())
        self._coverage.keep(outcome)
        self._mode.keep(call, outcome)

    def _reject(self, rejection: Rejection) -> None:
        self.rejected += 1
        self._reasons[f"{rejection.filter}: {rejection.reason}"] += 1
        self._writers[REJECTED_FILE].append(rejection.row())

    def _origin(self, call: Call, key: str, answer: Completion) -> Origin:
        shown = [seed.id for seed in call.seeds]
        source = call.source.origin if call.source else None
        parents = (*shown, call.source.id) if call.source and call.source.origin.kind != "seed" else shown
        if source and source.kind == "seed":
            parents = (*shown, source.name)
        return Origin(
            kind="teacher",
            name=answer.model or self._teacher,
            license=source.license if source else None,
            parents=tuple(parents),
            task=call.task,
            entities=tuple(entity.name for entities in call.entities.values() for entity in entities),
            attributes=call.attributes,
            method=source.method if source else None,
            request=key,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def _about(text: str, names: Sequence[str], place: int | None) -> Sequence[str]:
    """Return which entities of a list a text is about: those that it names, else the one at its place."""
    if len(names) == 1:
        return names
    named = [name for name in names if _word(name).search(text)]
    if named and len(named) < len(names):
        # Of "angina" and "unstable angina" the longer name is meant where both are found.
        return [n for n in named if not any(n != other and _word(n).search(other) for other in named)]
    return [names[place]] if place is not None else []


@lru_cache(maxsize=4096)
def _word(name: str) -> re.Pattern[str]:
    """Return what finds a name in any case and number: "flu" is not in "fluid", 流感 is in 患流感的."""
    return re.compile(rf"(?<!{_LETTER}){re.escape(name)}(?:e?s)?(?!{_LETTER})", re.IGNORECASE)

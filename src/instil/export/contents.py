"""What the rows of a data set turn out to hold, counted while they pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from instil.data.examples import Counts, Example
from instil.data.random import stream
from instil.errors import MissingPackage

_TEXTS = 1000
"""Rows whose language is told, drawn evenly from all."""
_LEAST_SHARE = 0.05
"""Of these rows; what is rarer is a quotation or a mistake."""

# The words of the hub for our kinds of task.
_TASKS = {
    "classification": "text-classification",
    "matching": "text-classification",
    "multiple_choice": "multiple-choice",
    "reading_comprehension": "question-answering",
    "extraction": "token-classification",
    "summarization": "summarization",
    "translation": "translation",
}


@dataclass(frozen=True)
class Origins:
    """Rows of one origin."""

    kind: str
    name: str
    license: str | None
    rows: dict[str, int]
    """By split."""


@dataclass
class Contents:
    """Counts of what was written, and of what was not."""

    rows: Counter[str] = field(default_factory=Counter)
    """By split."""
    rejected: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    not_alternating: int = 0
    """Rows in which questions and answers do not take turns, which LLaMA-Factory leaves out."""

    def __post_init__(self) -> None:
        self._origins: dict[tuple[str, str, str | None], Counter[str]] = {}
        self._texts: list[str] = []
        self._random = stream(0, "export", "languages")

    def add(self, example: Example, split: str) -> None:
        """Count a row that was written."""
        self.rows[split] += 1
        origin = example.origin
        key = (origin.kind, origin.name, origin.license or None)
        self._origins.setdefault(key, Counter())[split] += 1
        if example.label is not None:
            self.tasks[_TASKS.get(example.label.task, "text-generation")] += 1
        roles = [message.role for message in example.messages]
        self.not_alternating += not _take_turns(roles[1:] if roles[0] == "system" else roles)
        # Algorithm R (Vitter, Random sampling with a reservoir, 1985).
        if len(self._texts) < _TEXTS:
            self._texts.append(_said(example))
        elif (place := self._random.randrange(self.rows.total())) < _TEXTS:
            self._texts[place] = _said(example)

    def lose(self, reason: str, *, failed: bool) -> None:
        """Count a row that was not written: unreadable, or more than the format can say."""
        self.failed += failed
        self.rejected += not failed
        # What follows the colon is about one row.
        self.reasons[reason.partition(":")[0]] += 1

    @property
    def counts(self) -> Counts:
        """What became of all rows."""
        kept = self.rows.total()
        return Counts(
            asked=kept + self.rejected + self.failed,
            kept=kept,
            rejected=self.rejected,
            failed=self.failed,
            reasons=dict(sorted(self.reasons.items())),
        )

    @property
    def origins(self) -> list[Origins]:
        """Where the rows come from, most rows first."""
        found = [Origins(*key, dict(rows)) for key, rows in self._origins.items()]
        return sorted(found, key=lambda each: (-sum(each.rows.values()), each.name, each.kind))

    def languages(self) -> list[str] | None:
        """Return the ISO 639-1 codes of the languages, the most frequent first.

        None where a package is missing that tells languages of one script apart.
        """
        from instil.filters.scripts import LANGUAGES
        from instil.mixing.languages import OTHER, language

        known = frozenset(chain.from_iterable(LANGUAGES.values()))
        try:
            found = Counter(language(text, known) for text in self._texts)
        except MissingPackage:
            return None
        least = _LEAST_SHARE * len(self._texts)
        common = [(name, count) for name, count in found.items() if name != OTHER and count >= least]
        return [name for name, _ in sorted(common, key=lambda each: (-each[1], each[0]))]


def _take_turns(roles: Sequence[str]) -> bool:
    asked, answered = roles[::2], roles[1::2]
    return (
        len(asked) == len(answered)
        and all(role in ("user", "tool") for role in asked)
        and all(role == "assistant" for role in answered)
    )


def _said(example: Example) -> str:
    # An answer alone is often a name or a number, which is in no language.
    return "\n".join(message.content for message in example.messages if message.role != "system")

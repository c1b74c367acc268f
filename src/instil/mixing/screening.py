"""What is decided about single rows: nothing left, too short or long in tokens, filters, contamination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from instil.corpora.base import Row
from instil.data.examples import Example
from instil.errors import MissingPackage, StageError
from instil.filters import FilterConfig
from instil.filters.base import Filter
from instil.filters.contamination import Contamination
from instil.filters.evaluation_sets import read_evaluation_set
from instil.mixing.config import DecontaminateConfig
from instil.mixing.languages import language
from instil.mixing.rows import Batch
from instil.shingles import texts

Verdict = tuple[str, str, dict[str, Any]]
"""The step that rejects a row, its reason, and what else is to be written down."""


@dataclass(frozen=True)
class Screen:
    """What is decided about every row of a source, before rows are compared."""

    filters: tuple[FilterConfig, ...] = ()
    tokenizer: Path | None = None
    """A `tokenizer.json`; rows are counted in its tokens."""
    min_tokens: int | None = None
    max_tokens: int | None = None
    languages: tuple[str, ...] = ()
    """The languages that rows are told apart by."""
    language: str | None = None
    """The language of all rows of the source, where its recipe says it."""
    against: tuple[Path, ...] = ()
    """Evaluation sets that no row may share text with."""
    decontaminate: DecontaminateConfig = field(default_factory=DecontaminateConfig)

    def open(self) -> OpenScreen:
        """Return it with all that it needs in memory."""
        known = contamination(self.against, self.decontaminate) if self.against else None
        return OpenScreen(self, _filters(self.filters), known)


@dataclass
class Screened:
    """What was found out about the rows of a batch."""

    tokens: list[int]
    languages: list[str]
    rejected: dict[int, Verdict] = field(default_factory=dict)


class OpenScreen:
    """Decides about batches."""

    def __init__(self, screen: Screen, filters: list[Filter], contamination: Contamination | None) -> None:
        self._screen, self._filters, self._contamination = screen, filters, contamination

    def screen(self, batch: Batch, example_of: Callable[[Row], Example]) -> Screened:
        """Return what is found out about the rows, and which of them are rejected."""
        screen = self._screen
        found = Screened([0] * len(batch), [screen.language or ""] * len(batch))
        for content, text in enumerate(batch.contents):
            if not text or text.isspace():
                found.rejected[batch.row_of(content)] = ("clean", "a message has no text left", {})
        if screen.tokenizer is not None:
            found.tokens = batch.sums(_token_counts(batch.contents, screen.tokenizer)).tolist()
            self._lengths(found)
        if screen.languages and not screen.language:
            found.languages = [
                language("\n".join(text for _, text in row.turns), screen.languages) for row in batch.rows
            ]
        if self._filters:
            self._filter(batch, found, example_of)
        if self._contamination is not None:
            self._decontaminate(batch, found, self._contamination)
        return found

    def _lengths(self, found: Screened) -> None:
        low, high = self._screen.min_tokens, self._screen.max_tokens
        for index, count in enumerate(found.tokens):
            if low is not None and count < low:
                found.rejected.setdefault(index, ("tokens", f"fewer than {low} tokens", {"tokens": count}))
            if high is not None and count > high:
                found.rejected.setdefault(index, ("tokens", f"more than {high} tokens", {"tokens": count}))

    def _filter(self, batch: Batch, found: Screened, example_of: Callable[[Row], Example]) -> None:
        for index, row in enumerate(batch.rows):
            if index in found.rejected:
                continue
            example = example_of(row)
            for each in self._filters:
                rejection = each.check(example)
                if rejection is not None:
                    said = {"score": rejection.score, "nearest": rejection.nearest}
                    more = {key: value for key, value in said.items() if value is not None}
                    found.rejected[index] = (rejection.filter, rejection.reason, more)
                    break

    def _decontaminate(self, batch: Batch, found: Screened, contamination: Contamination) -> None:
        for index, match in enumerate(contamination.find(texts(batch.lists))):
            if match is not None:
                more = {"nearest": match.place, "words": " ".join(match.words)}
                found.rejected.setdefault(index, ("contamination", _SHARED[match.rule], more))


_SHARED = {
    "run": "a run of words as in an evaluation set",
    "text": "a whole text as in an evaluation set",
    "question": "a question of an evaluation set",
}


@lru_cache(maxsize=2)
def contamination(against: tuple[Path, ...], config: DecontaminateConfig) -> Contamination:
    """Return what finds the text of evaluation sets; read once in a process."""
    items = (item for path in against for item in read_evaluation_set(path))
    return Contamination(items, config.ngram, answers=config.answers)


@lru_cache(maxsize=4)
def _built(configs: str, kinds: tuple[FilterConfig, ...]) -> list[Filter]:  # noqa: ARG001 (the text is the key)
    return [each.build() for each in kinds]


def _filters(configs: tuple[FilterConfig, ...]) -> list[Filter]:
    # Word lists and models are loaded once in a process, not once for each part.
    return _built(repr(configs), configs) if configs else []


@cache
def _tokenizer(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise MissingPackage("counting tokens", "tokenizers", "train") from error
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise StageError(f"{str(path)!r} is not a tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _token_counts(texts: list[str], path: Path) -> list[int]:
    return [len(each) for each in _tokenizer(path).encode_batch_fast(texts, add_special_tokens=False)]

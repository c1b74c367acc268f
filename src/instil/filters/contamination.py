"""Reject examples that share text with an evaluation set.

The rule is that of GPT-3 (Brown et al., 2020, appendix C), which lm-evaluation-harness and NeMo Curator took
over: a run of 13 words in common is contamination. It is blind to short texts, such as 2,582 of the 4,183
questions of MedMCQA. Shorter runs would hit common phrases, so that short texts count as wholes, on request:
nobody comes upon a question or an answer of 8 words by chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field

from instil.config.base import InputFile, Items
from instil.data.examples import Example, Rejection
from instil.data.words import words
from instil.filters.base import FilterConfigBase, Stateless
from instil.filters.evaluation_sets import EvaluationItem, read_evaluation_set

if TYPE_CHECKING:
    from instil.shingles import Texts

SHORT_TEXT, SHORT_QUESTION = 8, 4
"""The least words of a text that counts as a whole anywhere, which is the shortest run of GPT-3, and of a
question that counts where it is a whole message; two characters of a script without spaces are one word."""
MOST_ITEMS = 10
"""What more items than this have in common is a template or a shared passage, and no item's own."""

_MOSTLY = 0.75
"""Words a piece below which a text is in a script without spaces, for the most part."""

Rule = Literal["run", "text", "question"]


class ContaminationConfig(FilterConfigBase):
    """Reject an example that has a run of `ngram` words in common with an evaluation set.

    Runs that more than 10 items of the sets have are templates or shared passages, and do not count.
    """

    kind: Literal["contamination"]
    against: Annotated[tuple[InputFile, ...], Items] = Field(min_length=1)
    """Evaluation sets whose text must not be in the training data: JSON Lines or JSON, of any form."""
    ngram: int = Field(default=13, gt=1)
    """Length of the run in words (13 as in GPT-3); twice as many characters in scripts without spaces."""
    answers: bool = False
    """Also reject an example that has a whole text of an evaluation item which is too short for a run.

    Answers, questions and other texts of 8 words or more count anywhere, questions of 4 to 7 words where they
    are a whole message. Two characters of a script without spaces are one word here.
    """

    def build(self) -> ContaminationFilter:
        """Read the evaluation sets.

        Raises:
            RecipeError: a set is not JSON.
        """
        items = (item for path in self.against for item in read_evaluation_set(path))
        return ContaminationFilter(Contamination(items, self.ngram, answers=self.answers))


class Match(NamedTuple):
    """What a row has in common with an evaluation item."""

    place: str
    """Where the item is: `file:line`."""
    words: tuple[str, ...]
    """The words that matched."""
    rule: Rule
    """A run of words; a whole text of the item; or its question, as a whole message."""


class Contamination:
    """Finds what rows of text have in common with evaluation items. Pickles.

    Args:
        items: the evaluation items; where several have the same words, the first one is named.
        ngram: words in a run.
        answers: whether short texts count as wholes.
    """

    unseen: tuple[str, ...]
    """Where the items are that would not be found though a row had all of their texts: too short, or had by
    too many items."""

    def __init__(self, items: Iterable[EvaluationItem], ngram: int = 13, *, answers: bool = False) -> None:
        from instil.shingles import Ngrams

        items = list(items)
        runs: dict[int, list[tuple[str, str]]] = {}
        questions: dict[int, list[tuple[str, str]]] = {}
        for item in items:
            for text in item.texts:
                runs.setdefault(_run(words(text), ngram), []).append((text, item.place))
            asked = words(item.question or "") if answers else []
            if item.question and _size(asked) >= SHORT_QUESTION:
                questions.setdefault(_run(asked, ngram), []).append((item.question, item.place))
        self._runs = tuple(
            Ngrams(runs.get(length, ()), length, whole=questions.get(length, ()), most_names=MOST_ITEMS)
            for length in sorted({*runs, *questions})
        )
        self._short = _ShortTexts(items, ngram) if answers else None
        self.unseen = self._unseen(items)

    def find(self, texts: Texts) -> list[Match | None]:
        """Return the first match of each row: a run or a question where there is one, else a short text."""
        matches: list[Match | None] = [None] * texts.row_count
        for runs in self._runs:
            found = runs.find(texts)
            for row in (found.sources >= 0).nonzero()[0].tolist():
                matched = tuple(runs.words(texts, found, row))
                rule: Rule = "run" if len(matched) == runs.ngram else "question"
                matches[row] = matches[row] or Match(runs.names[found.sources[row]], matched, rule)
        for row, match in self._short.find(texts) if self._short else ():
            matches[row] = matches[row] or match
        return matches

    def _unseen(self, items: list[EvaluationItem]) -> tuple[str, ...]:
        from instil.shingles import Texts

        verbatim = [(*item.texts, item.question or "") for item in items]
        matches = self.find(Texts.of(verbatim))
        return tuple(item.place for item, match in zip(items, matches, strict=True) if not match)


class _ShortTexts:
    """Texts of items that are too short to have a run, and yet so long that they are found anywhere."""

    def __init__(self, items: Iterable[EvaluationItem], ngram: int) -> None:
        from instil.shingles import Ngrams

        self._beginning = min(SHORT_TEXT, ngram)
        self._texts: dict[tuple[str, ...], list[tuple[tuple[str, ...], str]]] = {}
        for item in items:
            for text in item.texts:
                found = tuple(words(text))
                if self._beginning <= len(found) < _run(found, ngram) and _size(found) >= SHORT_TEXT:
                    self._texts.setdefault(found[: self._beginning], []).append((found, item.place))
        # Rows that have the beginning of one are found at speed; there are few, and they are then looked at.
        self._beginnings = Ngrams(((" ".join(each), "") for each in self._texts), self._beginning)

    def find(self, texts: Texts) -> Iterator[tuple[int, Match]]:
        """Yield the rows that have one, with the first of it."""
        if not self._texts:
            return
        for row in (self._beginnings.find(texts).sources >= 0).nonzero()[0].tolist():
            strings = range(texts.rows[row], texts.rows[row + 1])
            match = next(filter(None, (self._match(words(texts.string(each))) for each in strings)), None)
            if match:
                yield row, match

    def _match(self, found: list[str]) -> Match | None:
        for start in range(len(found)):
            for short, place in self._texts.get(tuple(found[start : start + self._beginning]), ()):
                if tuple(found[start : start + len(short)]) == short:
                    return Match(place, short, "text")
        return None


class ContaminationFilter(Stateless):
    """Looks every message up in the evaluation sets."""

    def __init__(self, contamination: Contamination) -> None:
        self._contamination = contamination
        self._reasons: dict[Rule, str] = {
            "run": "a run of words as in an evaluation set",
            "text": "a whole text as in an evaluation set",
            "question": "a question of an evaluation set",
        }

    def check(self, example: Example) -> Rejection | None:
        """Return a rejection that names the evaluation row, or None."""
        from instil.shingles import Texts

        match = self._contamination.find(Texts.of([[message.content for message in example.messages]]))[0]
        if match is None:
            return None
        return Rejection(
            filter="contamination",
            reason=self._reasons[match.rule],
            example=example,
            nearest=match.place,
        )


def _size(found: Sequence[str]) -> float:
    """Return how many words there are, a character of a script without spaces being half a one."""
    return sum(0.5 if len(word) == 1 and word >= "\u0e00" else 1.0 for word in found)


def _run(found: Sequence[str], ngram: int) -> int:
    """Return the length of a run in a text of these words: characters are half a word each."""
    unspaced = len(found) > 0 and _size(found) < _MOSTLY * len(found)
    return 2 * ngram if unspaced else ngram

"""Reject what holds a term of a list that the user gives.

Words stand between word borders in scripts with spaces and anywhere in scripts without. What is unsafe
differs by country, domain and year, so no list comes with instil.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from instil.config.base import InputFile, Items
from instil.data.examples import Example, Rejection
from instil.data.text import read_text
from instil.data.words import words
from instil.errors import MissingPackage, RecipeError
from instil.filters.base import FilterConfigBase, Stateless

_PATTERN = "re:"


class UnsafeConfig(FilterConfigBase):
    """Reject examples that hold a term of a list; the reason names the list, `nearest` the term.

    A list has one term a line; `# …` is a comment, and a line that begins with `re:` is a regular
    expression. Case, full width and decomposed accents do not matter.
    """

    kind: Literal["unsafe"]
    lists: Annotated[tuple[InputFile, ...], Items] = Field(min_length=1)
    """The lists."""
    questions: bool = True
    """Whether questions are looked at too: a safe answer to an unsafe question may be worth keeping."""

    def build(self) -> UnsafeFilter:
        """Read the lists.

        Raises:
            MissingPackage: pyahocorasick is not installed.
            RecipeError: a list has no term, or a line is not a regular expression.
        """
        return UnsafeFilter([_read(path) for path in self.lists], questions=self.questions)


@dataclass(frozen=True)
class TermList:
    """What one file holds."""

    name: str
    terms: tuple[str, ...]
    """Words and phrases, folded."""
    patterns: tuple[re.Pattern[str], ...]


class UnsafeFilter(Stateless):
    """Finds all terms of all lists in one pass (A. Aho and M. Corasick, 1975), whatever their number.

    Args:
        lists: what to look for; the first list that holds a term is named.
        questions: whether questions are looked at too.
    """

    def __init__(self, lists: Sequence[TermList], *, questions: bool) -> None:
        self._lists, self._questions = lists, questions
        self._terms = _automaton(lists)

    def check(self, example: Example) -> Rejection | None:
        """Return a rejection with the list and the term, or None."""
        for message in example.messages:
            if message.role == "assistant" or (self._questions and message.role == "user"):
                for term, name in self._find(folded(message.content)):
                    reason = f"a term of the list {name!r}"
                    return Rejection(filter="unsafe", reason=reason, example=example, nearest=term)
        return None

    def _find(self, text: str) -> Iterator[tuple[str, str]]:
        for last, (term, name) in self._terms.iter(text) if self._terms else ():
            if _stands_alone(text, last + 1 - len(term), last + 1):
                yield term, name
        for each in self._lists:
            yield from ((pattern.pattern, each.name) for pattern in each.patterns if pattern.search(text))


def _automaton(lists: Sequence[TermList]) -> Any:
    try:
        from ahocorasick import Automaton
    except ModuleNotFoundError as error:
        raise MissingPackage("the filter 'unsafe'", "pyahocorasick", "filters") from error
    found = Automaton()
    for each in lists:
        for term in each.terms:
            if term not in found:
                found.add_word(term, (term, each.name))
    found.make_automaton()
    return found if len(found) else None


def folded(text: str) -> str:
    """Return text in which equal words are equal: NFKC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no word goes on across an end of `text[start:end]`."""
    return not (_goes_on(text[start - 1 : start + 1]) or _goes_on(text[end - 1 : end + 1]))


def _goes_on(pair: str) -> bool:
    # In scripts without spaces each character counts as a word, and words have no border to look for.
    return len(pair) == 2 and all(len(words(char * 2)) == 1 for char in pair)


def _read(path: Path) -> TermList:
    terms, patterns = [], []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if not text.startswith(_PATTERN):
            terms.append(folded(text))
            continue
        source = text.removeprefix(_PATTERN).strip()
        try:
            patterns.append(re.compile(source, re.IGNORECASE))
        except re.error as error:
            raise RecipeError(f"{path}:{number}: {source!r} is not a regular expression: {error}") from error
    if not terms and not patterns:
        raise RecipeError(f"{path}: there is no term in it", hint="write one term a line")
    return TermList(path.stem, tuple(terms), tuple(patterns))

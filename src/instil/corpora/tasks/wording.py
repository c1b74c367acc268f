"""Templates that put a labelled record into words, and which of them words which record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from instil.corpora.base import BadRecord
from instil.corpora.expressions import names_in, text_of
from instil.corpora.tasks.language import LANGUAGES, Language

CHOICES = frozenset({"options", "bullets", "inline", "alternatives", "types"})
"""What shows the possible answers: where a row has some, the question shows them in one of these ways."""

_PACKAGED = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Template:
    """One way to ask for a label and to say it."""

    name: str
    form: str
    """The form in which the answer is said."""
    user: Callable[[Mapping[str, Any]], str]
    assistant: Callable[[Mapping[str, Any]], str]
    system: Callable[[Mapping[str, Any]], str] | None = None
    language: Language | None = None
    """None: whatever the record's is."""
    says: frozenset[str] = frozenset()
    """Which names of the task it uses."""


@dataclass(frozen=True)
class Templates:
    """The templates that a row's is chosen from."""

    templates: tuple[Template, ...]
    own: bool = False
    """Whether they are the recipe's, which words every row with every template that it can."""
    _usable: dict[tuple[tuple[Language, ...], frozenset[str]], list[Template]] = field(default_factory=dict)

    def choose(self, languages: tuple[Language, ...], offers: frozenset[str], number: int) -> Template:
        """Return the template for a record, all of those that can word it being as likely.

        Args:
            languages: those in which it may be asked.
            offers: the names that it has something for.
            number: a uniform number of 64 bits.

        Raises:
            BadRecord: no template can word it.
        """
        key = (languages, offers)
        usable = self._usable.get(key)
        if usable is None:
            usable = self._usable[key] = [each for each in self.templates if self._can(each, *key)]
        if not usable:
            missing = {name for each in self.templates for name in each.says - offers}
            raise BadRecord(f"no template can word it without {' and '.join(sorted(missing))}")
        return usable[number * len(usable) >> 64]

    def _can(self, template: Template, languages: tuple[Language, ...], offers: frozenset[str]) -> bool:
        if not template.says <= offers:
            return False
        if self.own:
            return True
        return template.language in languages and bool(template.says & CHOICES) == bool(offers & CHOICES)


def compiled(
    name: str,
    words: Mapping[str, str],
    names: Collection[str],
    forms: tuple[str, ...],
    language: Language | None = None,
) -> Template:
    """Return a template made of its texts.

    Args:
        name: what a row's label calls it.
        words: `user`, and `assistant`, `system` and `answer` (the form) where they are not the usual.
        names: what the task can say.
        forms: the forms of the task's answer; the first is the usual.
        language: None for any.

    Raises:
        ValueError: a text is not a Jinja template.
    """
    sources = [words[part] for part in ("user", "assistant", "system") if words.get(part)]
    return Template(
        name=name,
        form=str(words.get("answer") or forms[0]),
        user=text_of(words["user"]),
        assistant=text_of(words.get("assistant") or "{{ answer }}"),
        system=text_of(words["system"]) if words.get("system") else None,
        language=language,
        says=frozenset(names) & {name for source in sources for name in names_in(source)},
    )


@cache
def packaged(wording: str, names: frozenset[str], forms: tuple[str, ...]) -> Templates:
    """Return the templates of `templates/WORDING.yaml`."""
    from instil.config.yaml import read_yaml

    path = _PACKAGED / f"{wording}.yaml"
    data = read_yaml(path.read_text(encoding="utf-8"), path.name, _PACKAGED).data
    return Templates(
        tuple(
            compiled(f"{language}/{name}", words, names, forms, language)
            for language in LANGUAGES
            for name, words in data[language].items()
        )
    )

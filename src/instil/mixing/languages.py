"""The language of a text by its script, and by py3langid where several languages share the script."""

from __future__ import annotations

from collections.abc import Collection

from instil.filters.language import most_probable
from instil.filters.scripts import LANGUAGES, count_scripts

OTHER = "other"
"""A text in none of the languages that are asked for."""
_KANA = 0.1  # from this share of kana on, Han characters are Japanese
_LONGEST = 400  # characters that are looked at


def language(text: str, wanted: Collection[str]) -> str:
    """Return which of some languages a text is in, by its ISO 639-1 code, or OTHER.

    Raises:
        MissingPackage: a wanted language shares its script with others and py3langid is not installed.
    """
    text = text[:_LONGEST]
    scripts = count_scripts(text)
    if scripts["kana"] >= _KANA * (scripts["Han"] + scripts["kana"]):
        scripts["kana"] += scripts.pop("Han", 0)
    if not scripts.total():
        return OTHER
    languages = LANGUAGES[max(sorted(scripts), key=lambda script: scripts[script])]
    if not any(each in wanted for each in languages):
        return OTHER
    found = languages[0] if len(languages) == 1 else most_probable(text, languages)
    return found if found in wanted else OTHER

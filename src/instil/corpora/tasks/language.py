"""The languages that templates are written in, and how each of them lists things."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

Language = Literal["en", "zh"]
"""A language that packaged templates are written in."""

LANGUAGES: tuple[Language, ...] = get_args(Language)

_LOOKED_AT = 400
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_KANA = re.compile("[\u3041-\u30fa]")
_WORD = re.compile(r"[A-Za-z]+")


def language_of(text: str) -> Language:
    """Return the language whose templates go with a text: Chinese if its script is mostly Han.

    A Han character counts as much as a word in Latin letters, so that the names of drugs and genes do not
    make a Chinese text English. Kana make it Japanese, which is asked in English, like all else.
    """
    if text.isascii():
        return "en"
    text = text[:_LOOKED_AT]
    han = sum(map(len, _HAN.findall(text)))
    if not han or han < len(_WORD.findall(text)) or _KANA.search(text):
        return "en"
    return "zh"


def bullets(items: Sequence[str]) -> str:
    """Return items as a list, one a line."""
    return "- " + "\n- ".join(items)


def inline(items: Sequence[str], language: Language) -> str:
    """Return items in one line."""
    return ("、" if language == "zh" else ", ").join(items)


def alternatives(items: Sequence[str], language: Language) -> str:
    """Return items in one line with an "or" before the last."""
    if len(items) == 1:
        return items[0]
    last = "或" if language == "zh" else " or "
    return f"{inline(items[:-1], language)}{last}{items[-1]}"

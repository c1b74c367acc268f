"""Mends text: wrongly decoded characters, HTML entities, control characters, decomposed accents.

A text that needs mending is rare, so the whole batch is searched by one pattern at the speed of memory
(RE2 through Arrow), and only what it finds is looked at closely.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from html import unescape
from html.entities import html5
from unicodedata import is_normalized, normalize

import pyarrow as pa
import pyarrow.compute as pc

from instil.mixing.config import CleanConfig

# Control characters but tab and newline, and the mark that only says in which order bytes stand. What ends a
# line or a page is found here too.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]")
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c]")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
# Text that is about markup or holds code means its entities.
_MARKUP = re.compile(
    r"<[A-Za-z/!?]|`|\b(?:x?html|xml|css|entit|escap|encod|markup|javascript)|转义|实体|网页", re.IGNORECASE
)
_AROUND = 40  # characters shown before and after a change


Change = tuple[str, str, str]
"""A step, and the text around its first change before and after it."""


def clean(
    texts: Sequence[str], array: pa.StringArray, config: CleanConfig
) -> dict[int, tuple[str, list[Change]]]:
    """Return the texts that change, by position, with what was done to them.

    Args:
        texts: what to mend.
        array: the same as an Arrow array.
        config: which steps.
    """
    found: dict[int, tuple[str, list[Change]]] = {}
    for index in sorted(_suspects(texts, array, config)):
        text, changes = mend(texts[index], config)
        if changes:
            found[index] = (text, changes)
    return found


def mend(text: str, config: CleanConfig) -> tuple[str, list[Change]]:
    """Return a text with every step done, and the first change of each step that changed it.

    One step can uncover work for another: `&Atilde;&copy;` is `Ã©`, which is `é`. They are done again until
    nothing changes, so that mended text stays as it is when it is mended again.
    """
    changes: dict[str, Change] = {}
    before = None
    while text != before:
        before = text
        for step in config.steps:
            after = _STEPS[step](text)
            if after != text:
                changes.setdefault(step, (step, *_excerpts(text, after)))
                text = after
    return text, list(changes.values())


def _suspects(texts: Sequence[str], array: pa.StringArray, config: CleanConfig) -> set[int]:
    patterns = [pattern() for step, pattern in _SUSPECT.items() if getattr(config, step)]
    found: set[int] = set()
    if patterns:
        found.update(pc.indices_nonzero(pc.match_substring_regex(array, "|".join(patterns))).to_pylist())
    if config.nfc:
        found.update(
            index for index, text in enumerate(texts) if not text.isascii() and not is_normalized("NFC", text)
        )
    return found


@cache
def _mojibake_pattern() -> str:
    """Return the pattern of what ftfy takes for wrongly decoded, for RE2.

    ftfy changes no text that it does not match; but Python takes seconds where RE2 takes hundredths of one.
    """
    from ftfy.badness import BADNESS_RE

    bare = re.sub(r"(\[[^]]*\]|\\.)|#.*|\s+", lambda found: found[1] or "", BADNESS_RE.pattern)
    # Python's \w and \s know all scripts, those of RE2 only ASCII: any character will do.
    return re.sub(r"\\[ws]", "(?s:.)", bare)


_SUSPECT: dict[str, Callable[[], str]] = {
    "mojibake": _mojibake_pattern,
    "html_entities": lambda: r"&#?[0-9A-Za-z]+;",
    "control": lambda: r"[\x{0}-\x{8}\x{b}-\x{1f}\x{7f}-\x{9f}\x{feff}]",
}


def _mojibake(text: str) -> str:
    import ftfy

    return ftfy.fix_encoding(text)


def _html_entities(text: str) -> str:
    return text if _MARKUP.search(text) else _ENTITY.sub(lambda found: _character(found[0]), text)


def _character(entity: str) -> str:
    # `unescape` knows some names without their semicolon, and would read `&section;` as § with `ion;`.
    return unescape(entity) if entity[1] == "#" else html5.get(entity[1:], entity)


def _control(text: str) -> str:
    return _CONTROL.sub("", _LINE_END.sub("\n", text))


def _nfc(text: str) -> str:
    return normalize("NFC", text)


_STEPS = {"mojibake": _mojibake, "html_entities": _html_entities, "control": _control, "nfc": _nfc}


def _excerpts(before: str, after: str) -> tuple[str, str]:
    """Return both texts around the first character in which they differ."""
    shorter = min(len(before), len(after))
    first = next((index for index in range(shorter) if before[index] != after[index]), shorter)
    start = max(0, first - _AROUND)
    return before[start : first + _AROUND], after[start : first + _AROUND]

"""Mends text: wrongly decoded characters, HTML entities, control characters, decomposed accents.

A text that needs mending is rare, so the whole batch is searched by one pattern at the speed of memory
(RE2 through Arrow), and only what it finds is looked at closely.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
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
# Text that is about markup, holds code, or would become tags means its entities.
_MARKUP = re.compile(
    r"<[A-Za-z/!?]|`|(?<![A-Za-z])(?:x?html|xml|css|entit|escap|encod|markup|javascript)|转义|实体|网页"
    r"|&(?:lt|#0*60|#x0*3c);[A-Za-z/!?]",
    re.IGNORECASE,
)
# A LaTeX command whose backslash JSON took for the escape of a control character, as in `\frac`.
_LATEX = re.compile(
    r"\x07(?=lpha\b|pprox\b|ngle\b)|\x08(?=egin\{|eta\b|ar\b|inom\b|ig[lr]?\b|oxed\b|mod\b)"
    r"|\x0b(?=ec\b|arepsilon\b|dots\b)|\x0c(?=rac\b|orall\b|loor\b)"
)
_BACKSLASHED = {"\x07": r"\a", "\x08": r"\b", "\x0b": r"\v", "\x0c": r"\f"}
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
    for index, steps in sorted(_suspects(texts, array, config).items()):
        text, changes = mend(texts[index], config, steps)
        if changes:
            found[index] = (text, changes)
    return found


def mend(text: str, config: CleanConfig, needed: Collection[str] | None = None) -> tuple[str, list[Change]]:
    """Return a text with every step done, and the first change of each step that changed it.

    One step can uncover work for another: `&Atilde;&copy;` is `Ã©`, which is `é`. They are done again until
    nothing changes, so that mended text stays as it is when it is mended again.

    Args:
        text: what to mend.
        config: which steps.
        needed: steps that may change the text as it is; None: any.
    """
    changes: dict[str, Change] = {}
    before = None
    while text != before:
        before = text
        for step in config.steps:
            if needed is not None and step not in needed and not changes:
                continue
            after = _STEPS[step](text)
            if after != text:
                changes.setdefault(step, (step, *_excerpts(text, after)))
                text = after
    return text, list(changes.values())


def _suspects(texts: Sequence[str], array: pa.StringArray, config: CleanConfig) -> dict[int, set[str]]:
    """Return the steps that may change a text, for those texts that any may change."""
    found: dict[int, set[str]] = {}

    def note(step: str, places: Iterable[int]) -> None:
        for place in places:
            found.setdefault(place, set()).add(step)

    unusual = _places(pc.match_substring_regex(array, _UNUSUAL))
    patterns = {**_SUSPECT, "mojibake": _mojibake_pattern()} if unusual else {}
    some = array.take(pa.array(unusual, pa.int64()))
    for step, pattern in patterns.items():
        if getattr(config, step):
            note(step, (unusual[place] for place in _places(pc.match_substring_regex(some, pattern))))
    if config.nfc:
        foreign = _places(pc.invert(pc.string_is_ascii(array)))
        note("nfc", (place for place in foreign if not is_normalized("NFC", texts[place])))
    return found


def _places(mask: pa.BooleanArray) -> list[int]:
    places: list[int] = pc.indices_nonzero(mask).to_pylist()
    return places


@cache
def _mojibake_pattern() -> str:
    """Return the pattern of what ftfy takes for wrongly decoded, for RE2.

    ftfy changes no text that it does not match; but Python takes seconds where RE2 takes hundredths of one.
    """
    from ftfy.badness import BADNESS_RE

    bare = re.sub(r"(\[[^]]*\]|\\.)|#.*|\s+", lambda found: found[1] or "", BADNESS_RE.pattern)
    # Python's \w and \s know all scripts, those of RE2 only ASCII: any character will do.
    return re.sub(r"\\[ws]", "(?s:.)", bare)


_SUSPECT = {
    "html_entities": r"&#?[0-9A-Za-z]+;",
    "control": r"[\x{0}-\x{8}\x{b}-\x{1f}\x{7f}-\x{9f}\x{feff}]",
}
"""What a step may change, for RE2."""
_UNUSUAL = (
    r"[&\x{0}-\x{8}\x{b}-\x{1f}\x{7f}-\x{7ff}\x{2015}\x{201a}\x{201e}\x{2020}-\x{2022}"
    r"\x{2030}-\x{2fff}\x{fb00}-\x{fb06}\x{feff}\x{fffd}]"
)
"""Characters of which a text that these steps or ftfy change has one: few texts are left for other searches.

All but what English and Chinese prose is made of: ASCII, CJK, dashes, quotation marks and the ellipsis."""


def _mojibake(text: str) -> str:
    import ftfy

    return ftfy.fix_encoding(text)


def _html_entities(text: str) -> str:
    return text if _MARKUP.search(text) else _ENTITY.sub(lambda found: _character(found[0]), text)


def _character(entity: str) -> str:
    # `unescape` knows some names without their semicolon, and would read `&section;` as § with `ion;`.
    return unescape(entity) if entity[1] == "#" else html5.get(entity[1:], entity)


def _control(text: str) -> str:
    text = _LATEX.sub(lambda found: _BACKSLASHED[found[0]], text)
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

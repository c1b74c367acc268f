"""Which script each word of a text is written in, and which languages write it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

from instil.data.words import words

LANGUAGES: dict[str, tuple[str, ...]] = {
    script: tuple(codes.split())
    for script, codes in {
        "Han": "zh",
        "kana": "ja",
        "Hangul": "ko",
        "Thai": "th",
        "Lao": "lo",
        "Khmer": "km",
        "Myanmar": "my",
        "Greek": "el",
        "Hebrew": "he",
        "Armenian": "hy",
        "Georgian": "ka",
        "Ethiopic": "am",
        "Bengali": "bn as",
        "Gurmukhi": "pa",
        "Gujarati": "gu",
        "Odia": "or",
        "Tamil": "ta",
        "Telugu": "te",
        "Kannada": "kn",
        "Malayalam": "ml",
        "Sinhala": "si",
        "Devanagari": "hi mr ne sa",
        "Arabic": "ar fa ur ps ug",
        "Cyrillic": "ru uk be bg mk sr kk ky mn tg tt",
        "Latin": "af az bs ca cs cy da de en es et eu fi fr ga gl ha hr hu id ig is it lb lt lv mg ms mt nl "
        "no oc pl pt ro rw sk sl so sq sv sw tl tr uz vi xh yo zu",
    }.items()
}
"""ISO 639-1 codes by script; a language that has two scripts stands under the one used most."""

_RANGES = (
    (0x41, 0x5A, "Latin"),
    (0x61, 0x7A, "Latin"),
    (0xAA, 0xAA, "Latin"),
    (0xBA, 0xBA, "Latin"),
    (0xC0, 0x2AF, "Latin"),
    (0x370, 0x3FF, "Greek"),
    (0x400, 0x52F, "Cyrillic"),
    (0x531, 0x58F, "Armenian"),
    (0x5D0, 0x5F4, "Hebrew"),
    (0x620, 0x6FF, "Arabic"),
    (0x750, 0x77F, "Arabic"),
    (0x900, 0x97F, "Devanagari"),
    (0x980, 0x9FE, "Bengali"),
    (0xA01, 0xA76, "Gurmukhi"),
    (0xA81, 0xAFF, "Gujarati"),
    (0xB01, 0xB77, "Odia"),
    (0xB82, 0xBFA, "Tamil"),
    (0xC00, 0xC7F, "Telugu"),
    (0xC80, 0xCF2, "Kannada"),
    (0xD00, 0xD7F, "Malayalam"),
    (0xD81, 0xDF4, "Sinhala"),
    (0xE01, 0xE5B, "Thai"),
    (0xE81, 0xEDF, "Lao"),
    (0x1000, 0x109F, "Myanmar"),
    (0x10A0, 0x10FF, "Georgian"),
    (0x1100, 0x11FF, "Hangul"),
    (0x1200, 0x137C, "Ethiopic"),
    (0x1780, 0x17F9, "Khmer"),
    (0x1E00, 0x1EFF, "Latin"),
    (0x1F00, 0x1FFE, "Greek"),
    (0x3005, 0x3007, "Han"),
    (0x3041, 0x30FF, "kana"),
    (0x31F0, 0x31FF, "kana"),
    (0x3400, 0x4DBF, "Han"),
    (0x4E00, 0x9FFF, "Han"),
    (0xAC00, 0xD7A3, "Hangul"),
    (0xF900, 0xFAFF, "Han"),
    (0xFF21, 0xFF3A, "Latin"),
    (0xFF41, 0xFF5A, "Latin"),
    (0xFF66, 0xFF9F, "kana"),
    (0x20000, 0x3FFFF, "Han"),
)
"""First and last code point and script, in order (Unicode 16, Blocks.txt and Scripts.txt)."""
_STARTS = [start for start, _, _ in _RANGES]


def script_of(char: str) -> str | None:
    """Return the script of a letter; None for digits, marks and scripts that are not told apart here."""
    place = bisect_right(_STARTS, ord(char)) - 1
    return _RANGES[place][2] if place >= 0 and ord(char) <= _RANGES[place][1] else None


def count_scripts(text: str) -> Counter[str]:
    """Return how many words of a text are written in each script.

    In scripts without spaces a character is a word. A single Latin or Greek letter is none: it is a note, a
    variable or the name of an answer.
    """
    found: Counter[str] = Counter()
    for word in words(text):
        script = script_of(word[0])
        if script and (len(word) > 1 or script not in ("Latin", "Greek")):
            found[script] += 1
    return found

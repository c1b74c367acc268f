"""The marks of what teachers write for JSON, as patterns.

All look a bounded way ahead or never go back, so that no text takes more than time in its length.
"""

from __future__ import annotations

import re

_DOUBLE, SINGLE = '"＂“”„‟', "'＇‘’`´"
QUOTES = _DOUBLE + SINGLE
Q = f"[{QUOTES}]"
_CLOSERS = {
    **dict.fromkeys('"＂', '"＂”'),
    **dict.fromkeys("“”„‟", '”“"＂'),
    **dict.fromkeys("'＇", "'＇’"),
    **dict.fromkeys("‘’", "’‘'"),
    **dict.fromkeys("`´", "`´'"),
}
QUOTE_IN = {opener: re.compile(rf"\\.|[{closers}]", re.DOTALL) for opener, closers in _CLOSERS.items()}
TWIN = {"“": "”", "”": "”", "‘": "’", "’": "’"}  # what closes a quote for certain, if it is not itself
# White space, comments and marks of no width. A comment stands apart from what is before it, since a quote
# may stand before # or // in a text. Bounded and never tried in another way, so that looking ahead is cheap.
_APART = r"(?<=[\s,，{}\[\]｛｝］])"
GAP = rf"(?:[\s\ufeff\u200b]++|{_APART}(?://|\#)[^\n]{{0,500}}+|{_APART}/\*(?>.{{0,500}}?\*/))*+"
COMMA = "[,，、;；]"
COMMAS = rf"{GAP}(?:{COMMA}{GAP})*+"
_WORD = r"[^\W\d][\w-]{0,39}"
LITERALS = {"true": True, "false": False, "null": None, "none": None, "undefined": None, "nan": None}
_LITERAL = "|".join(LITERALS)
VALUE = rf"(?:{Q}|[\[［{{｛]|[-+]?\d|(?i:{_LITERAL})\b)"
KEY_TEXT = rf"[^\n:：,，{{}}{QUOTES}]{{1,60}}"
QUOTED_KEY = rf"{Q}{KEY_TEXT}{Q}{GAP}[:：]"
_BARE_KEY = rf"{_WORD}[ \t]*[:：]"
KEY = re.compile(rf"(?:({Q})({KEY_TEXT}){Q}|({_WORD})){GAP}[:：]", re.DOTALL)
SKIP = re.compile(GAP, re.DOTALL)
SKIP_COMMAS = re.compile(COMMAS, re.DOTALL)
NUMBER = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
NAME = re.compile(rf"(?i:{_LITERAL})\b")
ENDS_SCALAR = re.compile(rf"[ \t]*\n|{GAP}(?:\Z|{COMMA}|[}}｝\]］]|{QUOTED_KEY})", re.DOTALL)
_NEXT_OBJECT = rf"[{{｛]{GAP}(?:{QUOTED_KEY}|{_BARE_KEY})"
# What may come after an object or a list: a rest of its line without quotes, more JSON, a fence.
_AFTER = rf"(?:[^\n{QUOTES}{{}}]*(?:\n|\Z)|{GAP}(?:{COMMA}*{GAP}(?:\Z|[{{｛\]］}}｝]|{QUOTED_KEY})|```))"
_AFTER_STRING = {
    "quoted": rf"{COMMAS}(?:{QUOTED_KEY}|{_NEXT_OBJECT})",
    "bare": rf"(?:{GAP}(?:{COMMA}{GAP})+|[ \t]*\n{GAP}){_BARE_KEY}{GAP}{VALUE}"
    rf"|{COMMAS}(?:{QUOTED_KEY}|{_NEXT_OBJECT})",
}
_CLOSED = rf"{COMMAS}(?:[}}｝\]］]{_AFTER})"
IN_OBJECT = {
    style: re.compile(rf"(?:{after}|{_CLOSED})", re.DOTALL) for style, after in _AFTER_STRING.items()
}
IN_LIST = re.compile(rf"(?:{GAP}(?:{COMMA}{GAP})+{VALUE}|\s*\n\s*{Q}|{_CLOSED})", re.DOTALL)
AFTER_OBJECT = re.compile(_AFTER, re.DOTALL)

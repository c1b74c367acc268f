"""The objects of an answer, whatever stands around them and whatever is wrong with them.

Each is decoded strictly first; only where that fails it is read with `reader`, and only what fails there
too is a malformed part. After a malformed part the next object counts only where it cannot be something
that was quoted inside that part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from instil.stages.generate.parse import keys
from instil.stages.generate.parse.parts import (
    AMBIGUOUS,
    BROKEN,
    EMPTY,
    EMPTY_LIST,
    NO_JSON,
    Doubtful,
    EndOfText,
    Malformed,
    NotRead,
    malformed,
    without_end,
    writable,
)
from instil.stages.generate.parse.reader import Number, read_object, unique
from instil.stages.generate.parse.strings import BARE_BACKSLASH
from instil.stages.generate.parse.syntax import AFTER_OBJECT, KEY_TEXT, QUOTES

# Lets a line break stand inside a string, which is never in doubt.
_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=unique, parse_int=Number, parse_float=Number)
# Not JSON; objects nested a thousand deep: a model in a loop writes both.
_UNREADABLE = (ValueError, RecursionError)
_MOST_REPAIRS = 200  # trying again behind each of very many failures would take quadratic time
_SHORT_GAP = 8  # between objects no key fits into less
_Q = f"[{QUOTES}]"
_NAME = rf"(?:(?P<quote>{_Q})(?P<quoted>{KEY_TEXT}){_Q}|(?P<bare>[^\W\d][\w-]{{0,39}}))"
_BRACE = re.compile("[{｛]")
# An object that has at least begun with a key, also where the text ends in it.
_START = re.compile(rf"[{{｛]\s*(?:{_NAME}\s*(?:[:：]|\Z)|{_Q}[^\n{{}}{QUOTES}]{{0,60}}\Z|\Z)")
_HEAD = re.compile(rf"[{{｛]\s*{_NAME}\s*[:：]\s*(?:[\[［]\s*)*(?=[{{｛])")
_TWO_LISTS = re.compile(r"[\[［]\s*[\[［]\s*\Z")
_KEY = re.compile(rf"{_NAME}\s*[:：]")
_NAME_AT = re.compile(rf"[{{｛]?\s*{_NAME}")
_ENDS_IN_HEAD = re.compile(r"[:：]\s*(?:[\[［]\s*)*\Z")
_WITHOUT_BRACE = re.compile(rf"(?:[\s,，;；\[\]［］]|```\w*)*(?P<key>{_NAME})\s*[:：]")
_OPEN_END = re.compile(rf"{_Q}[^{QUOTES}}}\]｝］]*\Z")  # no bracket behind the last quote
_EMPTY_LIST = re.compile(r"\s*(?:```\w*\s*)?(?:\{\s*\"\w+\"\s*:\s*)?\[\s*\](?:\s*\})?\s*(?:```)?\s*")
_ESCAPED = re.compile(r"\{(?:\\[nrt]|\s)*\\\"")


class Found(NamedTuple):
    """A whole object, and where it stands in a text (the answer, or what was escaped in it)."""

    value: dict[str, Any]
    source: str
    start: int
    end: int

    @property
    def text(self) -> str:
        """What stands in the answer for it."""
        return self.source[self.start : self.end]


def find_objects(text: str, *, cut_off: bool) -> Iterator[Found | Malformed]:
    """Yield the outermost objects of an answer in order; at least one part, whatever the answer is."""
    if not text.strip():
        yield malformed(EMPTY, text)
        return
    if _EMPTY_LIST.fullmatch(text):
        yield malformed(EMPTY_LIST, text)
        return
    brace = _BRACE.search(text)
    if brace is not None and _ESCAPED.match(text, brace.start()) and (inner := _inner(text)) is not None:
        yield from find_objects(inner, cut_off=cut_off)
        return
    scan = _Scan(text, cut_off)
    yield from scan.parts()
    if not scan.found:
        yield malformed(NO_JSON, text)


def part_text(value: object) -> str:
    """Return a value as JSON, for a part of an object whose place in the text is not known."""
    text = json.dumps(value, ensure_ascii=False)
    return text if writable(text) else json.dumps(value)


class _Scan:
    """One way through an answer."""

    def __init__(self, text: str, cut_off: bool) -> None:
        self.text, self.cut_off = text, cut_off
        self.doubtful_escapes = "\\f" in text or "\\b" in text
        self.found = False
        self.repairs = 0

    def parts(self) -> Iterator[Found | Malformed]:
        """Yield objects and malformed parts."""
        text, end, size = self.text, 0, len(self.text)
        while True:
            brace = _BRACE.search(text, end)
            start = brace.start() if brace else size
            key = self._without_brace(end, start) if start - end > _SHORT_GAP else None
            if key is None and brace is None:
                return
            if key is None:
                try:
                    value, stop = _DECODER.raw_decode(text, start)
                except _UNREADABLE:
                    start = self._past_heads(start)
                else:
                    # Valid, but for \frac it says a form feed and `rac`.
                    if not (self.doubtful_escapes and BARE_BACKSLASH.search(text, start, stop)):
                        self.found = True
                        yield Found(value, text, start, stop)
                        end = stop
                        continue
                if not _START.match(text, start):
                    end = start + 1  # a brace in prose
                    continue
            part, end = self._repaired(start if key is None else key)
            if part is not None:
                self.found = True
                yield part

    def _without_brace(self, end: int, start: int) -> int | None:
        """Return where an item begins whose brace is missing, between the last object and the next brace."""
        found = _WITHOUT_BRACE.match(self.text, end, start)
        known = found is not None and found["quote"] and keys.key(found["quoted"]).part
        return found.start("key") if found and known else None

    def _past_heads(self, position: int) -> int:
        """Return where the first object stands inside the objects that only hold others: `{"items": [{`."""
        while head := _HEAD.match(self.text, position):
            inner = _NAME_AT.match(self.text, head.end())
            lists = inner is not None and keys.is_list_key(_name(inner))
            # The turns of a conversation and the instances of an item are no objects of their own.
            if keys.is_list_key(_name(head)) and not lists and not _TWO_LISTS.search(head.group()):
                break
            position = head.end()
        return position

    def _repaired(self, start: int) -> tuple[Found | Malformed | None, int]:
        """Return the object at a position as far as it can be read, and where to go on."""
        text = self.text
        try:
            value, end = self._read(start)
            return Found(value, text, start, end), end
        except Doubtful as doubt:
            return malformed(AMBIGUOUS, text[start : doubt.end]), doubt.end
        except NotRead as error:
            following = self._next(start)
            if following is None:
                ended = not (self.cut_off or isinstance(error, EndOfText) or _OPEN_END.search(text, start))
                return malformed(BROKEN if ended else without_end(self.cut_off), text[start:]), len(text)
            if self._is_head(start, following):
                return None, following
            return malformed(BROKEN, text[start:following]), following

    def _read(self, start: int) -> tuple[dict[str, Any], int]:
        self.repairs += 1
        if self.repairs > _MOST_REPAIRS:
            raise NotRead("too many repairs")
        return read_object(self.text, start)

    def _next(self, start: int) -> int | None:
        """Return where the object after one that cannot be read stands, if it is certainly no part of it.

        What is quoted inside a string looks like an object too, and so do the turns of a conversation. So the
        next one begins with the same key in the same quotes, unless the part before it only stands around a
        list; it stands after a bracket or a comma or begins a line; and what follows it is what follows an
        object.
        """
        first = _NAME_AT.match(self.text, start)
        if first is None:
            return None
        for found in _START.finditer(self.text, start + 1):
            if self.repairs > _MOST_REPAIRS:
                return None
            position = found.start()
            same = found["quote"] == first["quote"] and _name(found) == _name(first)
            if not (same and self._stands_free(start, position)) and not self._is_head(start, position):
                continue
            if self._ends_well(position):
                return position
        return None

    def _stands_free(self, start: int, position: int) -> bool:
        before = self.text[max(start, position - 200) : position]
        bare = before.rstrip(" \t\r\n[［")
        return (
            bare[-1:] in tuple(",，;；}｝]］")
            or "\n" in before[len(bare) :]
            or self._is_head(start, position)
        )

    def _ends_well(self, position: int) -> bool:
        try:
            self.repairs += 1
            _, end = _DECODER.raw_decode(self.text, position)
        except _UNREADABLE:
            try:
                _, end = self._read(position)
            except Doubtful as doubt:
                end = doubt.end
            except NotRead:
                return False
        return AFTER_OBJECT.match(self.text, end) is not None

    def _is_head(self, start: int, end: int) -> bool:
        """Return whether a part is only what stands around a list of items."""
        chunk = self.text[start:end]
        if not _ENDS_IN_HEAD.search(chunk):
            return False
        names = [_name(found) for found in _KEY.finditer(chunk)]
        return not any(keys.key(name).part or keys.is_list_key(name) for name in names)


def _name(found: re.Match[str]) -> str:
    return keys.plain(found["quoted"] or found["bare"] or "")


def _inner(text: str) -> str | None:
    """Return the text of an answer that is itself a JSON string, or was escaped as if it were in one."""
    bare = text.strip()
    quoted = bare if len(bare) > 1 and bare[0] == bare[-1] == '"' else f'"{bare.rstrip(chr(92))}"'
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError:
        return None

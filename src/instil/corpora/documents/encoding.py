"""From bytes to text: no file is read in an encoding that nobody said or measured."""

from __future__ import annotations

import codecs
import re

from instil.corpora.documents.document import Unreadable

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins with the mark of UTF-16, so it is asked first
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Old names stand for the larger sets that people really write (as in the WHATWG encoding standard).
_LARGER = {
    "gb2312": "gb18030", "gbk": "gb18030", "hz": "gb18030",
    "iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254", "tis-620": "cp874",
    "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
_ENOUGH = 1 << 16  # bytes that the encoding is told from
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_SAVE = "save it as UTF-8"


def decode(data: bytes, declared: str | None = None) -> tuple[str, str, bool]:
    """Return the text of a file, its encoding, and whether that was told from the bytes alone.

    A byte order mark decides; then bytes that are UTF-8 are UTF-8; then what the file declares, if it
    fits; then `chardet`. Line ends become newlines.

    Raises:
        Unreadable: it is not text, or no encoding fits.
        ModuleNotFoundError: chardet is not installed.
    """
    mark = next((mark for mark in _MARKS if data.startswith(mark)), None)
    if mark is not None:
        found = _decoded(data, _MARKS[mark])
        if found is None:
            raise Unreadable(f"its mark says {_MARKS[mark].upper()}, but it is not; {_SAVE}")
        return found, _MARKS[mark].removesuffix("-sig"), False
    for encoding in ("utf-8", _larger(declared)):
        found = None if encoding is None else _decoded(data, encoding)
        if found is not None and encoding is not None:
            return found, encoding, False
    encoding = _larger(_guess(data))
    found = None if encoding is None else _decoded(data, encoding)
    if found is None or encoding is None:
        raise Unreadable(f"it is not text, or in an encoding that cannot be told; if it is text, {_SAVE}")
    return found, encoding, True


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
    except (UnicodeError, LookupError):
        return None
    # Bytes of a program or a picture decode in many encodings; text has no such characters.
    if len(_CONTROL.findall(text[:_ENOUGH])) > len(text[:_ENOUGH]) // 1000:
        return None
    return _CONTROL.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def _larger(name: str | None) -> str | None:
    try:
        known = codecs.lookup(name or "").name
    except LookupError:
        return None
    return _LARGER.get(known, known)


def _guess(data: bytes) -> str | None:
    import chardet

    return chardet.detect(data[:_ENOUGH])["encoding"]

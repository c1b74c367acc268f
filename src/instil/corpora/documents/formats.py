"""What a file is: its bytes decide, and its name where they do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath

from instil.corpora.documents import docx, html, markdown, pdf, plain
from instil.corpora.documents.document import DocumentFormat, Parsed, Unreadable

_READERS: dict[DocumentFormat, Callable[[bytes], Parsed]] = {
    "text": plain.read_plain,
    "markdown": markdown.read_markdown,
    "rst": plain.read_plain,
    "html": html.read_html,
    "pdf": pdf.read_pdf,
    "docx": docx.read_docx,
}
_SUFFIXES: dict[str, DocumentFormat] = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".rst": "rst",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".doc": "docx",
}
_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_HEAD = 4096
KNOWN = "text, Markdown, reStructuredText, HTML, PDF and Word (.docx)"


def format_of(name: str, data: bytes) -> DocumentFormat:
    """Return what a file is.

    Raises:
        Unreadable: it is nothing that is read here.
    """
    head = data[:_HEAD]
    suffix = PurePath(name).suffix.lower()
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        if suffix == ".docx" or docx.is_docx(data):
            return "docx"
        raise Unreadable(f"it is a zip archive and no Word document; what can be read is {KNOWN}")
    if data.startswith(docx.OLD):
        return "docx"
    if _PAGE.match(head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")):
        return "html"
    if suffix not in _SUFFIXES:
        raise Unreadable(
            f"{suffix or 'a name without an ending'!r} is not known; what can be read is {KNOWN}"
        )
    if _SUFFIXES[suffix] in ("pdf", "docx"):
        raise Unreadable(f"its name ends in {suffix!r}, but its content does not agree; it may be damaged")
    return _SUFFIXES[suffix]


def parse(name: str, data: bytes) -> tuple[DocumentFormat, Parsed]:
    """Return what a file is and what it says.

    Raises:
        Unreadable: it is empty, not known, or cannot be read.
        ModuleNotFoundError: the package that reads it is not installed.
    """
    if not data.strip():
        raise Unreadable("it is empty")
    found = format_of(name, data)
    parsed = _READERS[found](data)
    if not any(block.text.strip() for block in parsed.blocks):
        raise Unreadable("there is no text in it")
    return found, parsed

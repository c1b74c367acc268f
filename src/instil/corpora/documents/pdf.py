"""PDF: characters and where they stand, through PDFium (which Chrome shows pages with)."""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from instil.corpora.documents.document import Parsed, Unreadable
from instil.corpora.documents.headings import Bookmark, title
from instil.corpora.documents.layout import blocks
from instil.corpora.documents.lines import Line, without_contents, without_running_titles

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfTextPage

MAX_PAGES = 5_000
_PASSWORD = 4  # FPDF_ERR_PASSWORD
_UNKNOWN = re.compile("[\ufffd\ue000-\uf8ff\U000f0000-\U0010ffff]")
_MOSTLY = 0.3
_OCR = "recognise its characters first, for example with `ocrmypdf in.pdf out.pdf`"
_MEND = "open it in a viewer and print it to a new PDF"
# Forms that only fonts need: ligatures, and the radicals that stand for Chinese characters in many PDFs.
_FORMS = re.compile("[\u2e80-\u2fd5\ufb00-\ufb06]")
_BOLD = re.compile(r"bold|black|heavy|demi|cmbx|cmssbx|simhei|heiti", re.I)
_HYPHEN = 2  # what PDFium writes for a hyphen that parts a word
_NO_TITLE = re.compile(r"\.\w{2,5}$|^(?:untitled|无标题)|\b(?:Microsoft|PowerPoint)\b", re.I)
_CELL = 1.5  # a gap as wide as so many font heights parts cells, not words


def read_pdf(data: bytes) -> Parsed:
    """Return the text of a PDF with its pages.

    Lines become paragraphs, words that were parted at a line's end become whole, and what repeats at
    the top or bottom of the pages is left out and counted.

    Raises:
        Unreadable: it is encrypted, damaged, too long, a scan, or its fonts hide what they write.
        ModuleNotFoundError: pypdfium2 is not installed.
    """
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == _PASSWORD:
            raise Unreadable("it is encrypted; save a copy without a password") from error
        raise Unreadable(f"it is damaged; {_MEND}") from error
    try:
        if len(pdf) > MAX_PAGES:
            raise Unreadable(f"it has {len(pdf):,} pages; split it into parts of at most {MAX_PAGES:,}")
        return _parsed(pdf)
    finally:
        pdf.close()


def _parsed(pdf: PdfDocument) -> Parsed:
    found = [_lines(pdf, number) for number in range(len(pdf))]
    read = [page for page in found if page is not None]
    _check(read)
    pages, repeated = without_running_titles(read)
    pages, listed = without_contents(pages)
    dropped = Counter(
        {
            "page that is damaged": len(found) - len(read),
            "page without text": sum(not page for page in read),
            "line at the top or bottom of many pages": repeated,
            "line of a table of contents": listed,
        }
    )
    text = tuple(blocks(pages, list(_bookmarks(pdf))))
    return Parsed(blocks=text, title=_title(pdf) or (title(pages) if text else ""), dropped=+dropped)


def _check(pages: list[list[Line]]) -> None:
    if not pages:
        raise Unreadable(f"it is damaged; {_MEND}")
    text = "".join(line.text for page in pages for line in page)
    if not text.strip():
        raise Unreadable(f"there is no text in its {len(pages)} pages, as in a scan; {_OCR}")
    if len(_UNKNOWN.findall(text)) > _MOSTLY * len(text):
        raise Unreadable(f"its fonts do not say which characters they write; {_OCR}")


def _title(pdf: PdfDocument) -> str:
    """Return the title in the file's properties, unless a program put its file name there."""
    found = "".join(filter(str.isprintable, pdf.get_metadata_value("Title"))).strip()
    return "" if _NO_TITLE.search(found) else found


def _bookmarks(pdf: PdfDocument) -> Iterator[Bookmark]:
    for bookmark in pdf.get_toc(max_depth=6):
        target = bookmark.get_dest()
        page = None if target is None else target.get_index()
        if page is not None:
            yield Bookmark(text=bookmark.get_title(), page=page + 1, level=bookmark.level + 1)


def _lines(pdf: PdfDocument, number: int) -> list[Line] | None:
    """Return the lines of a page in the order in which the file writes them, which is mostly that of reading.

    None if the page is damaged.
    """
    from pypdfium2 import PdfiumError

    try:
        page = pdf[number]
    except PdfiumError:
        return None
    try:
        text = page.get_textpage()
        try:
            return [line for run in _runs(text) if (line := _line(text, run, number + 1))]
        finally:
            text.close()
    finally:
        page.close()


def _runs(page: PdfTextPage) -> Iterator[list[tuple[int, str]]]:
    """Yield `(index, character)` of each line."""
    from pypdfium2.raw import FPDFText_GetUnicode

    run: list[tuple[int, str]] = []
    high = 0
    for index in range(page.count_chars()):
        code = FPDFText_GetUnicode(page, index)
        if 0xD800 <= code < 0xDC00:  # a character beyond 16 bits comes in two halves
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0xFFFD
        high = 0
        if code >= ord(" ") or code in (ord("\t"), _HYPHEN):
            run.append((index, chr(code)))
        # A hyphen that parts a word stands for the end of the line too.
        if run and code in (ord("\n"), ord("\r"), _HYPHEN, 0xFFFE):
            yield run
            run = []
    if run:
        yield run


def _line(page: PdfTextPage, run: list[tuple[int, str]], number: int) -> Line | None:
    boxes = [_box(page, index) for index, _ in run]
    written = [place for place, (_, character) in enumerate(run) if not character.isspace()]
    if not written:
        return None
    heights = sorted(boxes[place][3] - boxes[place][1] for place in written)
    size = heights[len(heights) // 2]
    parts: list[str] = []
    cells = False
    right = boxes[written[0]][0]
    for place, (_, character) in enumerate(run):
        if place not in range(written[0], written[-1] + 1) or character.isspace():
            parts.append(" ")
            continue
        if boxes[place][0] - right > _CELL * size > 0:
            parts.append("\t")
            cells = True
        right = boxes[place][2]
        parts.append(character)
    text = re.sub(r"\s*\t\s*", " | ", "".join(parts).strip())
    return Line(
        text=re.sub(r"\s+", " ", _FORMS.sub(lambda form: unicodedata.normalize("NFKC", form[0]), text)),
        page=number,
        left=boxes[written[0]][0],
        right=boxes[written[-1]][2],
        bottom=sorted(boxes[place][1] for place in written)[len(written) // 2],
        size=round(size, 1),
        bold=all(
            _bold(page, run[place][0]) for place in {written[0], written[len(written) // 2], written[-1]}
        ),
        cells=cells,
    )


def _box(page: PdfTextPage, index: int) -> tuple[float, float, float, float]:
    """Return left, bottom, right and top of a character's place, which is as high as its font."""
    from pypdfium2.raw import FS_RECTF, FPDFText_GetLooseCharBox

    box = FS_RECTF()
    FPDFText_GetLooseCharBox(page, index, box)
    return box.left, box.bottom, box.right, box.top


def _bold(page: PdfTextPage, index: int) -> bool:
    from pypdfium2.raw import FPDFText_GetFontInfo

    name = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()
    FPDFText_GetFontInfo(page, index, name, len(name), flags)
    return _BOLD.search(name.value.decode("utf-8", "replace")) is not None

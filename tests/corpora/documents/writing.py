"""Writes small PDF and Word files, so that each test shows what is in its file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

_LEFT = 72.0


@dataclass(frozen=True)
class Say:
    """A line of a page: its baseline (points from the bottom), text, size, font and left edge."""

    y: float
    text: str
    size: float = 10
    bold: bool = False
    x: float = _LEFT


@dataclass
class Pdf:
    """A PDF with the standard fonts, and one for Chinese that is not embedded (as Adobe-GB1 allows)."""

    pages: Sequence[Sequence[Say]]
    title: str = ""
    bookmarks: Sequence[tuple[str, int]] = ()
    """Text and page, from 1."""
    encrypted: bool = False
    _objects: list[bytes] = field(default_factory=list)

    def data(self) -> bytes:
        """Return the file."""
        self._objects = [b"", b""]  # catalog and pages, written last
        fonts = self._fonts()
        kids = [self._page(page, fonts) for page in self.pages]
        outlines = self._outlines(kids)
        info = self._add(b"<< /Title %s >>" % _utf16(self.title))
        refs = b" ".join(b"%d 0 R" % kid for kid in kids)
        self._objects[0] = b"<< /Type /Catalog /Pages 2 0 R %s >>" % outlines
        self._objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), refs)
        trailer = b"/Root 1 0 R /Info %d 0 R /Size %d" % (info, len(self._objects) + 1)
        if self.encrypted:
            # No password makes this key; a reader has to ask for one.
            trailer += b" /ID [<00><00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (
                b"11" * 32,
                b"22" * 32,
            )
        out = io.BytesIO()
        out.write(b"%PDF-1.7\n")
        places = []
        for number, body in enumerate(self._objects, start=1):
            places.append(out.tell())
            out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
        start = out.tell()
        out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1))
        out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
        out.write(b"trailer << %s >>\nstartxref\n%d\n%%%%EOF\n" % (trailer, start))
        return out.getvalue()

    def _add(self, body: bytes) -> int:
        self._objects.append(body)
        return len(self._objects)

    def _fonts(self) -> bytes:
        plain = self._add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
        bold = self._add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>")
        cid = self._add(
            b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 /CIDSystemInfo "
            b"<< /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> /FontDescriptor << /Type /FontDescriptor "
            b"/FontName /STSong-Light /Flags 4 /FontBBox [0 -200 1000 900] /ItalicAngle 0 /Ascent 880 "
            b"/Descent -120 /CapHeight 700 /StemV 80 >> >>"
        )
        chinese = self._add(
            b"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UTF16-H "
            b"/DescendantFonts [%d 0 R] >>" % cid
        )
        return b"<< /F1 %d 0 R /F2 %d 0 R /F3 %d 0 R >>" % (plain, bold, chinese)

    def _page(self, lines: Sequence[Say], fonts: bytes) -> int:
        shown = b"\n".join(
            b"BT /%s %g Tf 1 0 0 1 %g %g Tm %s Tj ET"
            % (_font(line), line.size, line.x, line.y, _string(line.text))
            for line in lines
        )
        content = self._add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(shown), shown))
        return self._add(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font %s >> "
            b"/Contents %d 0 R >>" % (fonts, content)
        )

    def _outlines(self, kids: Sequence[int]) -> bytes:
        if not self.bookmarks:
            return b""
        parent = len(self._objects) + 1
        count = len(self.bookmarks)
        self._add(b"<< /Type /Outlines /First %d 0 R /Last %d 0 R >>" % (parent + 1, parent + count))
        for number, (text, page) in enumerate(self.bookmarks, start=1):
            following = b"/Next %d 0 R" % (parent + number + 1) if number < count else b""
            self._add(
                b"<< /Title %s /Parent %d 0 R /Dest [%d 0 R /Fit] %s >>"
                % (_utf16(text), parent, kids[page - 1], following)
            )
        return b"/Outlines %d 0 R" % parent


def lines(*texts: str, top: float = 720, step: float = 12, size: float = 10, x: float = _LEFT) -> list[Say]:
    """Return lines one below the other."""
    return [Say(top - step * number, text, size=size, x=x) for number, text in enumerate(texts)]


def _font(line: Say) -> bytes:
    if not line.text.isascii():
        return b"F3"
    return b"F2" if line.bold else b"F1"


def _string(text: str) -> bytes:
    if text.isascii():
        return b"(" + text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode() + b")"
    return b"<" + text.encode("utf-16-be").hex().encode() + b">"


def _utf16(text: str) -> bytes:
    return b"<feff" + text.encode("utf-16-be").hex().encode() + b">"


_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_P = "http://schemas.openxmlformats.org/package/2006"
_STYLES = (
    '<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/>'
    '<w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="2"><w:name w:val="heading 2"/>'
    '<w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>'
    '<w:style w:type="paragraph" w:styleId="a"><w:name w:val="章标题"/><w:basedOn w:val="2"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style>'
    '<w:style w:type="paragraph" w:styleId="L"><w:name w:val="List Paragraph"/></w:style>'
)


def paragraph(text: str, style: str = "", *, inside: str = "", numbered: int | None = None) -> str:
    """Return a paragraph of Word's XML; `inside` is XML that follows the text."""
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if numbered is not None:
        properties += f'<w:numPr><w:ilvl w:val="{numbered}"/><w:numId w:val="1"/></w:numPr>'
    return f"<w:p><w:pPr>{properties}</w:pPr>{run(text)}{inside}</w:p>"


def run(text: str, tag: str = "t") -> str:
    """Return text inside a paragraph."""
    return f'<w:r><w:{tag} xml:space="preserve">{escape(text)}</w:{tag}></w:r>'


def table(*rows: Sequence[str]) -> str:
    """Return a table of Word's XML."""
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def docx(body: str, *, title: str = "", footnote: str = "", **parts: bytes) -> bytes:
    """Return a Word document; `parts` are put into it beside the usual ones, by their names under `word/`."""
    spaces = f'xmlns:w="{_W}" xmlns:r="{RELATIONSHIPS}"'
    part = "application/vnd.openxmlformats-officedocument.wordprocessingml."
    kinds = {
        "document": "document.main",
        "styles": "styles",
        "footnotes": "footnotes",
        "numbering": "numbering",
    }
    level = '<w:lvl w:ilvl="{}"><w:numFmt w:val="{}"/></w:lvl>'
    numbering = (
        f'<w:abstractNum w:abstractNumId="0">{level.format(0, "decimal")}{level.format(1, "bullet")}'
        '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_P}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        + "".join(
            f'<Override PartName="/word/{name}.xml" ContentType="{part}{kind}+xml"/>'
            for name, kind in kinds.items()
        )
        + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{_P}/relationships"><Relationship Id="r1" '
        f'Type="{RELATIONSHIPS}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{_P}/relationships">'
        + "".join(
            f'<Relationship Id="r{number}" Type="{RELATIONSHIPS}/{name}" Target="{name}.xml"/>'
            for number, name in enumerate(("styles", "footnotes", "numbering"))
        )
        + "</Relationships>",
        "docProps/core.xml": f'<cp:coreProperties xmlns:cp="{_P}/metadata/core-properties" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{escape(title)}</dc:title></cp:coreProperties>',
        "word/styles.xml": f"<w:styles {spaces}>{_STYLES}</w:styles>",
        "word/numbering.xml": f"<w:numbering {spaces}>{numbering}</w:numbering>",
        "word/footnotes.xml": f'<w:footnotes {spaces}><w:footnote w:id="2">{paragraph(footnote)}</w:footnote>'
        "</w:footnotes>",
        "word/document.xml": f"<w:document {spaces}><w:body>{body}</w:body></w:document>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in files.items():
            package.writestr(name, text)
        for name, data in parts.items():
            package.writestr(f"word/{name}.xml", data)
    return out.getvalue()

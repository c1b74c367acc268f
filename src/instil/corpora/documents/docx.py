"""Word documents: what mammoth makes of them, after the package was looked at from outside.

The file is a zip of XML that a stranger wrote: sizes are checked before anything is unpacked, a
document type declaration (the way to entities) is refused, and nothing outside the file is opened.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from xml.parsers import expat

from instil.corpora.documents.document import Parsed, Unreadable
from instil.corpora.documents.html import parse_html

MAX_PARTS = 10_000
MAX_XML = 128 << 20
"""Most bytes of all XML parts together, unpacked."""
MAX_RATIO = 200
"""Most bytes that one packed byte may become; Word's own XML has 5 to 40."""
_SMALL = 1 << 20  # below this a ratio says nothing

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def is_docx(data: bytes) -> bool:
    """Return whether a file is a zip that has what Word puts into one."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            return any(name.startswith("word/") and name.endswith(".xml") for name in package.namelist())
    except (zipfile.BadZipFile, ValueError, OSError):
        return False


def read_docx(data: bytes) -> Parsed:
    """Return the text of a Word document: headings, paragraphs, lists, tables, notes; no pictures.

    Raises:
        Unreadable: it is damaged, encrypted, in the old format, or built to burst.
        ModuleNotFoundError: mammoth is not installed.
    """
    if data.startswith(OLD):
        raise Unreadable("it is encrypted, or an old .doc; save it as .docx without a password")
    import mammoth

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            _check(package)
            title, styles = _title(package), list(_heading_styles(package))
        html = mammoth.convert_to_html(
            io.BytesIO(data),
            style_map="\n".join(styles),
            include_embedded_style_map=False,
            convert_image=mammoth.images.img_element(lambda _image: {}),
        ).value
    except (
        zipfile.BadZipFile,
        zlib.error,
        expat.ExpatError,
        KeyError,
        ValueError,
        OSError,
        EOFError,
    ) as error:
        raise Unreadable(
            f"it is not a whole Word document ({error}); open it in Word and save it again"
        ) from error
    # The arrows that lead from a note back to its place.
    parsed = parse_html(html.replace("↑</a>", "</a>"))
    return parsed.model_copy(update={"title": title})


def _check(package: zipfile.ZipFile) -> None:
    """Refuse what would burst, and what declares entities."""
    parts = package.infolist()
    xml = [part for part in parts if part.filename.lower().endswith((".xml", ".rels"))]
    if len(parts) > MAX_PARTS or sum(part.file_size for part in xml) > MAX_XML:
        raise Unreadable(
            f"unpacked it has more than {MAX_PARTS:,} parts or {MAX_XML >> 20} MiB of text; split it"
        )
    for part in xml:
        if part.file_size > _SMALL and part.file_size > MAX_RATIO * max(part.compress_size, 1):
            raise Unreadable(
                f"its part {part.filename!r} unpacks to over {MAX_RATIO} times its size: a zip bomb"
            )
    for part in xml:
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = _refuse
        with package.open(part) as file:
            parser.ParseFile(file)


def _refuse(*_declaration: object) -> None:
    raise Unreadable("it declares XML entities, which no Word document does; it may be an attack")


def _title(package: zipfile.ZipFile) -> str:
    from xml.etree.ElementTree import fromstring

    if "docProps/core.xml" not in package.namelist():
        return ""
    # Checked above: no declaration, so no entities.
    return (fromstring(package.read("docProps/core.xml")).findtext(_TITLE) or "").strip()  # noqa: S314


def _heading_styles(package: zipfile.ZipFile) -> Iterator[str]:
    """Yield mammoth's rule for every paragraph style whose outline level makes it a heading.

    Mammoth knows Word's own styles by name; what authors derive from them is a heading too.
    """
    from xml.etree.ElementTree import fromstring

    if "word/styles.xml" not in package.namelist():
        return
    found = fromstring(package.read("word/styles.xml")).findall(f"{_W}style")  # noqa: S314
    styles = {style.get(f"{_W}styleId"): style for style in found if style.get(f"{_W}type") == "paragraph"}
    for first, style in styles.items():
        seen, current = {first}, style
        while (level := current.find(f"{_W}pPr/{_W}outlineLvl")) is None:
            base = current.find(f"{_W}basedOn")
            parent = None if base is None else base.get(f"{_W}val")
            if parent not in styles or parent in seen:
                break
            seen.add(parent)
            current = styles[parent]
        name = style.find(f"{_W}name")
        value = "" if level is None else level.get(f"{_W}val") or ""
        if name is not None and value.isdecimal() and int(value) < 9:
            shown = (name.get(f"{_W}val") or "").replace("\\", "\\\\").replace("'", "\\'")
            yield f"p[style-name='{shown}'] => h{min(int(value) + 1, 6)}:fresh"
    yield "p[style-name='Title'] => h1:fresh"
    yield "p[style-name='Subtitle'] => p:fresh"

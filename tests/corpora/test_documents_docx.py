"""Word: structure is kept, what was deleted is not, and a package that would burst is refused unread."""

from __future__ import annotations

import io
import socket
import zipfile

import pytest

from instil.corpora.documents import docx as module
from instil.corpora.documents.document import Unreadable
from instil.corpora.documents.docx import is_docx, read_docx
from tests.corpora.documents.writing import RELATIONSHIPS, docx, paragraph, run, table


def shown(data: bytes) -> list[tuple[int, str]]:
    return [(block.level, block.text) for block in read_docx(data).blocks]


def test_headings_paragraphs_lists_tables_and_notes_are_kept() -> None:
    body = (
        paragraph("Diabetes", "1")
        + paragraph("Take it ", inside='<w:r><w:footnoteReference w:id="2"/></w:r>' + run(" with food."))
        + paragraph("用药", "2")
        + paragraph("first", "L", numbered=0)
        + paragraph("inner", "L", numbered=1)
        + paragraph("second", "L", numbered=0)
        + table(("Dose", "Age"), ("5 ml", "2 to 4"))
    )
    assert shown(docx(body, footnote="Not with juice.")) == [
        (1, "Diabetes"),
        (0, "Take it [1] with food."),
        (2, "用药"),
        (0, "1. first\n  - inner\n2. second"),
        (0, "Dose | Age\n5 ml | 2 to 4"),
        (0, "1. Not with juice."),
    ]


def test_a_style_that_an_author_derived_from_a_heading_is_a_heading() -> None:
    assert shown(docx(paragraph("About", "T") + paragraph("第一章", "a") + paragraph("Text."))) == [
        (1, "About"),
        (2, "第一章"),
        (0, "Text."),
    ]


def test_inserted_text_and_text_in_controls_is_read_and_deleted_text_is_not() -> None:
    changed = (
        f'<w:ins w:id="1">{run("500")}</w:ins><w:del w:id="2">{run("850", "delText")}</w:del>{run(" mg")}'
    )
    control = f"<w:sdt><w:sdtContent>{paragraph('In a control.')}</w:sdtContent></w:sdt>"
    assert shown(docx(paragraph("Take ", inside=changed) + control)) == [
        (0, "Take 500 mg"),
        (0, "In a control."),
    ]


def test_the_title_is_that_of_the_properties() -> None:
    assert read_docx(docx(paragraph("x"), title="A & B")).title == "A & B"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_declaration_of_entities_is_refused_in_every_encoding(encoding: str) -> None:
    bomb = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    with pytest.raises(Unreadable, match="it declares XML entities"):
        read_docx(docx(paragraph("x"), comments=bomb.encode(encoding)))


def test_a_part_that_would_burst_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(*_: object) -> None:
        raise AssertionError("the part was unpacked")

    data = docx(paragraph("x"), bomb=b" " * (4 << 20))
    monkeypatch.setattr(zipfile.ZipFile, "open", unpack)
    with pytest.raises(Unreadable, match=r"'word/bomb\.xml' unpacks to over 200 times its size: a zip bomb"):
        read_docx(data)


def test_more_text_or_more_parts_than_any_document_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_XML", 1000)
    with pytest.raises(Unreadable, match=r"parts or .* of text; split it"):
        read_docx(docx(paragraph("x")))
    monkeypatch.setattr(module, "MAX_XML", 1 << 20)
    monkeypatch.setattr(module, "MAX_PARTS", 3)
    with pytest.raises(Unreadable, match="more than 3 parts"):
        read_docx(docx(paragraph("x")))


def test_a_picture_that_lies_elsewhere_is_not_fetched(request: pytest.FixtureRequest) -> None:
    # Who asks this server would wait for ever for an answer.
    socket.setdefaulttimeout(1)
    request.addfinalizer(lambda: socket.setdefaulttimeout(None))
    drawing = "http://schemas.openxmlformats.org/drawingml/2006"
    picture = (
        f'<w:r><w:drawing><wp:inline xmlns:wp="{drawing}/wordprocessingDrawing">'
        f'<a:graphic xmlns:a="{drawing}/main"><a:graphicData><pic:pic xmlns:pic="{drawing}/picture">'
        '<pic:blipFill><a:blip r:link="r9"/></pic:blipFill></pic:pic></a:graphicData></a:graphic>'
        "</wp:inline></w:drawing></w:r>"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = (
            '<Relationship Id="r9" TargetMode="External" Target="http://127.0.0.1:'
            f'{server.getsockname()[1]}/" Type="{RELATIONSHIPS}/image"/></Relationships>'
        )
        data = docx(paragraph("Text.", inside=picture))
        data = _replaced(data, "word/_rels/document.xml.rels", b"</Relationships>", link.encode())
        assert shown(data) == [(0, "Text.")]
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_what_is_no_whole_word_document_is_refused_with_a_way_out() -> None:
    whole = docx(paragraph("x"))
    broken = _replaced(whole, "word/document.xml", b"</w:body>", b"")
    for data in (whole[: len(whole) // 2], broken, b"PK\x03\x04 nothing"):
        with pytest.raises(Unreadable, match=r"it is not a whole Word document .*save it again"):
            read_docx(data)
    with pytest.raises(Unreadable, match=r"it is encrypted, or an old \.doc; save it as \.docx"):
        read_docx(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))


def test_a_zip_is_a_word_document_only_if_it_has_its_parts() -> None:
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as package:
        package.writestr("readme.txt", "x")
    assert is_docx(docx(paragraph("x")))
    assert not is_docx(other.getvalue())
    assert not is_docx(b"PK\x03\x04")


def _replaced(data: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """Return the package with `old` replaced in one part."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, content.replace(old, new) if name == part else content)
    return out.getvalue()

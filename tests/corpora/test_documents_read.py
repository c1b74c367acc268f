"""Reading files: every one gives a document or a reason, whatever happens to the process that reads."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import cast

import pytest

from instil.corpora.base import Failure
from instil.corpora.documents import Document, find_files, preflight, read_documents
from instil.corpora.documents.formats import format_of
from instil.corpora.documents.worker import MAX_BYTES, answer
from instil.errors import MissingPackage, RecipeError
from tests.corpora.documents.writing import Pdf, docx, lines, paragraph

FILES = {
    "b/guide.md": b"# Guide\n\nRead it.",
    "b/page.html": b"<!DOCTYPE html><p>A page.",
    "b/empty.txt": b" \n",
    "a.pdf": Pdf([lines("One line.")]).data(),
    "c.docx": docx(paragraph("A paragraph.")),
    "d.txt": "糖尿病患者应当控制饮食。".encode("gb18030"),
    "scan.pdf": Pdf([[]]).data(),
    "secret.pdf": Pdf([lines("x")], encrypted=True).data(),
    "song.mp3": b"ID3" + bytes(range(256)),
    ".hidden.txt": b"Hidden.",
    ".git/config.txt": b"Hidden.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in FILES.items():
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "files"


def test_every_file_of_a_directory_gives_a_document_or_a_reason(folder: Path) -> None:
    found = list(read_documents([folder]))
    documents = {each.name: each for each in found if isinstance(each, Document)}
    failures = {each.place: each.reason for each in found if isinstance(each, Failure)}
    assert len(found) == sum(not name.startswith(".") for name in FILES)
    assert {name: (each.format, each.text) for name, each in documents.items()} == {
        "a.pdf": ("pdf", "One line."),
        "b/guide.md": ("markdown", "Guide\n\nRead it."),
        "b/page.html": ("html", "A page."),
        "c.docx": ("docx", "A paragraph."),
        "d.txt": ("text", "糖尿病患者应当控制饮食。"),
    }
    assert (documents["d.txt"].encoding, documents["d.txt"].encoding_guessed) == ("gb18030", True)
    assert documents["c.docx"].sha256 == hashlib.sha256(FILES["c.docx"]).hexdigest()
    assert {name: reason.split(";")[0] for name, reason in failures.items()} == {
        "b/empty.txt": "it is empty",
        "scan.pdf": "there is no text in its 1 pages, as in a scan",
        "secret.pdf": "it is encrypted",
        "song.mp3": "'.mp3' is not known",
    }


def test_files_come_sorted_and_each_once_under_its_name(folder: Path) -> None:
    twice = [folder / "b" / "guide.md", folder, folder / "**" / "*.md"]
    names = "guide.md a.pdf c.docx d.txt scan.pdf secret.pdf song.mp3 b/empty.txt b/page.html"
    assert " ".join(find_files(twice)) == names
    assert find_files([folder / "*.pdf"]) == {
        name: folder / name for name in ("a.pdf", "scan.pdf", "secret.pdf")
    }
    assert list(find_files([folder / "*" / "*.html"])) == ["b/page.html"]


def test_files_of_one_name_are_told_apart_by_their_paths(folder: Path) -> None:
    (folder / "guide.md").write_text("Another.")
    assert list(find_files([folder / "guide.md", folder / "b" / "guide.md"])) == [
        (folder / "guide.md").as_posix(),
        (folder / "b" / "guide.md").as_posix(),
    ]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(folder: Path) -> None:
    (folder / "[draft].md").write_text("Text.")
    assert list(find_files([folder / "[draft].md"])) == ["[draft].md"]


def test_links_that_lead_in_circles_and_pipes_are_left_alone(folder: Path) -> None:
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.txt")
    assert "pipe.txt" not in find_files([folder])
    assert len(find_files([folder])) == 9


def test_every_path_that_gives_no_file_is_named_before_anything_is_read(folder: Path) -> None:
    (folder / "nothing").mkdir()
    wrong = [folder / "no.txt", folder / "nothing", folder / "*.epub", folder / "d.txt"]
    for start in (find_files, preflight, lambda paths: next(read_documents(paths))):
        with pytest.raises(RecipeError) as caught:
            start(wrong)
        assert [problem.split(": ")[0] for problem in caught.value.problems] == [
            f"cannot read {str(wrong[0])!r}",
            f"{str(wrong[1])!r} has no file that could be read",
            f"{str(wrong[2])!r} has no file that could be read",
        ]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("notes", b"%PDF-1.4 ...", "pdf"),
        ("page.txt", b"\xef\xbb\xbf <!-- x -->\n<HTML lang=en>", "html"),
        ("page.md", "<!doctype html>".encode("utf-16"), "html"),
        ("a.bin", FILES["c.docx"], "docx"),
        ("a.TXT", b"text", "text"),
        ("a.rst", b"text", "rst"),
        ("a.md", b"<p>a paragraph of Markdown", "markdown"),
    ],
)
def test_the_content_decides_what_a_file_is_and_then_its_name(name: str, data: bytes, expected: str) -> None:
    assert format_of(name, data) == expected


def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_read(folder: Path) -> None:
    pages = [lines(*(f"line {number} of a page" for number in range(50))) for _ in range(1500)]
    (folder / "b" / "guide.md").unlink()
    (folder / "a.pdf").write_bytes(Pdf(pages).data())
    found = list(read_documents([folder / "a.pdf", folder / "b" / "page.html"], max_seconds=1))
    # A machine may be so slow that the second is late too; the first is late on any.
    assert isinstance(found[0], Failure)
    assert found[0].reason.startswith("reading it took more than 1 seconds; split it")
    assert len(found) == 2


def test_a_reader_that_dies_between_two_files_is_started_again(folder: Path) -> None:
    documents = read_documents([folder / "d.txt", folder / "a.pdf"])
    assert isinstance(next(documents), Document)
    _kill_readers()
    assert isinstance(next(documents), Document)


def test_a_reader_that_crashes_ends_one_file(folder: Path) -> None:
    pipe = folder / "late.txt"
    pipe.write_bytes(b"x")
    documents = read_documents([folder / "d.txt", pipe, folder / "a.pdf"])
    next(documents)
    # The reader waits for this file, which nobody writes, until it is killed.
    pipe.unlink()
    os.mkfifo(pipe)
    read = threading.Event()
    killer = threading.Thread(target=_kill_readers_until, args=(read,))
    killer.start()
    try:
        failure = next(documents)
    finally:
        read.set()
        killer.join()
    assert isinstance(failure, Failure)
    assert (failure.place, failure.reason.split(";")[0]) == ("late.txt", "its reader crashed")
    assert isinstance(next(documents), Document)


def test_no_process_is_left_when_reading_is_given_up(folder: Path) -> None:
    with closing(cast("Generator[Document | Failure]", read_documents([folder]))) as documents:
        next(documents)
        assert len(_readers()) == 1
    assert _readers() == []


def test_a_file_that_is_too_large_or_gone_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert answer("large.txt", large) == {"failure": "it is larger than 256 MiB; split it"}
    assert answer("gone.txt", tmp_path / "gone.txt") == {
        "failure": "it cannot be read: No such file or directory"
    }


def test_a_package_that_is_missing_stops_with_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A package of this name that cannot be imported stands before the real one, as if it were not there.
    (tmp_path / "selectolax.py").write_text("raise ModuleNotFoundError(name='selectolax')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        MissingPackage, match="an HTML or Word document needs the package 'selectolax'"
    ) as caught:
        list(read_documents([folder / "b" / "page.html"]))
    assert caught.value.hint == "pip install 'instil[documents]'"
    assert len(list(read_documents([folder / "a.pdf"]))) == 1


def test_nothing_heavy_is_loaded_before_a_document_is_read() -> None:
    code = (
        "import sys, instil.corpora.documents, instil.filters;"
        "heavy = {'pypdfium2', 'mammoth', 'selectolax', 'chardet', 'markdown_it'};"
        "print(heavy.intersection(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def _readers() -> list[int]:
    """Return the processes of this one that read documents."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc to find the reading process")
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            command = path.with_name("cmdline").read_bytes()
            if int(parent) == os.getpid() and state != "Z" and b"instil.corpora.documents.worker" in command:
                found.append(int(path.parent.name))
    return found


def _kill_readers() -> None:
    for pid in _readers():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _kill_readers_until(read: threading.Event) -> None:
    while not read.wait(0.2):
        _kill_readers()

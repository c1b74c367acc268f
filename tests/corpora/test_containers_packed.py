"""Packed files and archives as they arrive: cut short, damaged, hostile."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.corpora.base import Failure
from instil.corpora.containers import archives, count_records, read_records, streams
from instil.errors import StageError
from tests.corpora.containers import PACKINGS, failures, lines, read, table, values, zstd

ROWS = [{"n": number, "text": f"row {number * 7919 % 10_007}"} for number in range(3000)]
MANY = [{"n": number, "text": sha256(bytes(str(number), "ascii")).hexdigest() * 3} for number in range(6000)]
A, B = {"q": "a"}, {"q": "b"}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for the examples of property tests."""
    return tmp_path_factory.mktemp("packed") / "rows.dat"


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz", "zstd"])
@pytest.mark.parametrize("container", ["lines", "list", "table", "UTF-16"])
@given(data=st.data())
@settings(max_examples=15)
def test_what_is_packed_before_a_cut_is_read_and_the_cut_is_one_failure(
    path: Path, packing: str, container: str, data: st.DataObject
) -> None:
    rows = ROWS[:300]
    texts: dict[str, Callable[[], bytes]] = {
        "lines": lambda: lines(rows).encode(),
        "list": lambda: json.dumps(rows).encode(),
        "table": lambda: table([{key: str(value) for key, value in row.items()} for row in rows]).encode(),
        "UTF-16": lambda: lines(rows).encode("utf-16"),
    }
    packed = PACKINGS[packing](texts[container]())
    # Of the first bytes nothing comes that would say what the file is.
    path.write_bytes(packed[: data.draw(st.integers(len(packed) // 4, len(packed) - 1))])

    try:
        *found, last = read(path)
    except StageError as error:
        assert packing in ("bzip2", "zstd")  # they pack in blocks, and the file is one
        assert "cannot read 'rows.dat': the file ends early" in str(error)  # noqa: PT017
        return
    assert [int(row["n"]) for row in values(found)] == list(range(len(found)))
    assert isinstance(last, Failure)
    assert last.reason == "the file ends early; nothing was read after it"
    if found:
        in_lines = container in ("lines", "UTF-16")
        assert last.where == (f"rows.dat:line {len(found) + 1}" if in_lines else "rows.dat")


def test_most_of_what_is_before_a_cut_is_read(tmp_path: Path) -> None:
    for packing in ("gzip", "zstd"):
        packed = PACKINGS[packing](lines(MANY).encode())
        found = read(tmp_path / "x.jsonl.gz", packed[: len(packed) * 3 // 4])
        assert len(MANY) // 2 < len(values(found)) < len(MANY), packing
        assert len(failures(found)) == 1


@pytest.mark.parametrize("packing", ["gzip", "bzip2", "xz"])
def test_damage_is_one_failure_and_what_is_before_it_is_read(tmp_path: Path, packing: str) -> None:
    data = bytearray(PACKINGS[packing](lines(MANY).encode()))
    middle = len(data) * 9 // 10
    data[middle : middle + 40] = b"\xff" * 40
    *found, last = read(tmp_path / "x.jsonl", bytes(data))
    assert values(found)[: len(MANY) // 2] == MANY[: len(MANY) // 2]
    assert isinstance(last, Failure)
    assert last.reason.startswith("the file is damaged: ")


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"x" * 99)[:10] + b"\xff" * 40,
        gzip.compress(b"{}")[:3],
        zstd(b"{}")[:6],
        b"PK\x03\x04 and so on",
    ],
    ids=["damaged gzip", "its header", "cut zstd", "no zip"],
)
def test_a_file_that_gives_nothing_is_an_error_with_its_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(data)
    with pytest.raises(StageError, match=r"cannot read 'rows\.jsonl': "):
        list(read_records(path))
    with pytest.raises(StageError, match=r"cannot read 'rows\.jsonl': "):
        count_records(path)


def test_what_is_packed_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"'x\.gz' is packed twice"):
        read(tmp_path / "x.gz", gzip.compress(bz2.compress(b"{}")))


def test_frames_that_pzstd_writes_to_be_skipped_are_skipped(tmp_path: Path) -> None:
    skipped = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    assert values(read(tmp_path / "x.zst", skipped + zstd(lines([A]).encode()))) == [A]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_a_bomb_is_a_failure_that_names_the_limit(
    tmp_path: Path, pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "FREE", 1 << 20)
    data = pack(lines([A]).encode() + (b"a" * 99_999 + b"\n") * 40)
    assert len(data) * streams.MOST_TIMES < 4_000_000
    good, *_, bomb = read(tmp_path / "x.jsonl", data)
    assert good == ("x.jsonl:line 1", A)
    assert isinstance(bomb, Failure)
    assert "it unpacks to more than 500 times its size, or 256 GB, as bombs do" in bomb.reason


def test_rows_that_pack_well_are_no_bomb(tmp_path: Path) -> None:
    data = gzip.compress(lines([A]).encode() * 100_000)
    assert len(values(read(tmp_path / "x.jsonl", data))) == 100_000


Pack = Callable[[dict[str, bytes]], bytes]


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


ARCHIVES: dict[str, Pack] = {
    "zip": zipped,
    "tar": tarred,
    "tar.gz": lambda files: gzip.compress(tarred(files)),
    "tar.zst": lambda files: zstd(tarred(files)),
    "tar.xz": lambda files: lzma.compress(tarred(files)),
    "zip.gz": lambda files: gzip.compress(zipped(files)),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_gives_the_records_of_its_files_in_order(
    tmp_path: Path, kind: str, arrow_stream: bytes
) -> None:
    data = ARCHIVES[kind](
        {
            "data/": b"",
            "data/a.jsonl": lines([A, B]).encode(),
            "data/b.json.gz": gzip.compress(json.dumps([A]).encode()),
            "data/c.CSV": b"q\nc\n",
            "data/d.arrow": arrow_stream,
            "data/README.md": b"{not read}",
            "data/part-00000": lines([B]).encode(),
            "LICENSE": b"words, and more\nwords, and more",
            "__MACOSX/data/._a.jsonl": b"\0\0\0",
            ".hidden.jsonl": lines([A]).encode(),
            ".cache/hub/g.jsonl": lines([A]).encode(),
            "e.txt": lines([A]).encode(),
            "f.json": b"[]",
        }
    )
    path = tmp_path / "x.zip"
    assert read(path, data) == [
        ("x.zip/data/a.jsonl:line 1", A),
        ("x.zip/data/a.jsonl:line 2", B),
        ("x.zip/data/b.json.gz:record 1", A),
        ("x.zip/data/c.CSV:line 2", {"q": "c"}),
        ("x.zip/data/d.arrow:record 1", {"q": "arrow"}),
        ("x.zip/data/part-00000:line 1", B),
    ]
    assert count_records(path) == 6


@pytest.fixture
def arrow_stream() -> bytes:
    import pyarrow

    sink = pyarrow.BufferOutputStream()
    batch = pyarrow.table({"q": ["arrow"]})
    with pyarrow.ipc.new_file(sink, batch.schema) as writer:
        writer.write_table(batch)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("kind", ARCHIVES)
def test_paths_that_lead_out_are_failures_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    outside = ["../evil.jsonl", "/etc/evil.json", "a/../../evil.csv", "..\\evil.jsonl", "C:\\evil.jsonl"]
    (tmp_path / "in").mkdir()
    data = ARCHIVES[kind]({name: lines([A]).encode() for name in [*outside, "good.jsonl"]})
    found = read(tmp_path / "in" / "x.zip", data)
    assert values(found) == [A]
    assert {reason for _, reason in failures(found)} == {"its path leads out of the archive"}
    assert len(failures(found)) == len(outside)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "in", tmp_path / "in" / "x.zip"]


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_links_and_devices_in_a_tar_are_failures(tmp_path: Path, kind: str) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for kind_of_member in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"{kind_of_member.decode()}.jsonl")
            info.type, info.linkname = kind_of_member, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("good.jsonl")
        info.size = len(lines([A]))
        archive.addfile(info, io.BytesIO(lines([A]).encode()))
    packed = gzip.compress(data.getvalue()) if kind == "tar.gz" else data.getvalue()
    found = read(tmp_path / "x.tar", packed)
    assert values(found) == [A]
    assert failures(found) == [
        ("x.tar/2.jsonl", "a link is not followed"),
        ("x.tar/1.jsonl", "a link is not followed"),
        ("x.tar/3.jsonl", "it is no plain file"),
        ("x.tar/6.jsonl", "it is no plain file"),
    ]


def test_links_and_encrypted_files_in_a_zip_are_failures(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.jsonl")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("secret.jsonl", lines([A]))
        archive.writestr("good.jsonl", lines([A]))
    encrypted = bytearray(data.getvalue())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        second = encrypted.index(signature, encrypted.index(signature) + 1)
        encrypted[second + flags] |= 1
    found = read(tmp_path / "x.zip", bytes(encrypted))
    assert values(found) == [A]
    assert failures(found) == [
        ("x.zip/link.jsonl", "a link is not followed"),
        ("x.zip/secret.jsonl", "it is encrypted; unpack the archive first"),
    ]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_a_file_in_an_archive_that_cannot_be_read_is_a_failure(tmp_path: Path, kind: str) -> None:
    data = ARCHIVES[kind](
        {
            "inner.zip": zipped({"a.jsonl": lines([A]).encode()}),
            "inner.tar.gz": gzip.compress(tarred({"a.jsonl": lines([A]).encode()})),
            "binary.jsonl": b"\x89PNG" + bytes(500),
            "chinese.csv": "头疼,b\n疼,c\n".encode("gb18030"),
            "twice.csv": b"a,a\n1,2\n",
            "cut.jsonl.gz": gzip.compress(lines(ROWS).encode())[:-2000],
            "no.parquet": b"PAR1 and so on",
            "good.jsonl": lines([A]).encode(),
        }
    )
    found = read(tmp_path / "x", data)
    assert values(found)[-1] == A
    reasons = dict(failures(found))
    assert (
        reasons.pop("x/inner.zip")
        == reasons.pop("x/inner.tar.gz")
        == "an archive in an archive is not opened"
    )
    assert reasons.pop("x/binary.jsonl").startswith("'x/binary.jsonl' is not text: byte 0x00 at byte 5; ")
    assert reasons.pop("x/chinese.csv").startswith("'x/chinese.csv' is not UTF-8 text: byte 0xcc in line 1; ")
    assert reasons.pop("x/twice.csv").startswith("x/twice.csv:line 1: the header names 'a' twice")
    assert reasons.pop("x/no.parquet").startswith("cannot read 'x/no.parquet'")
    ((where, reason),) = reasons.items()
    assert where.startswith("x/cut.jsonl.gz:line ")
    assert reason == "the file ends early; nothing was read after it"


def test_a_damaged_file_in_a_zip_is_a_failure_and_the_others_are_read(tmp_path: Path) -> None:
    files = {f"{name}.jsonl": lines(ROWS[:200]).encode() for name in "abc"}
    data = bytearray(zipped(files))
    second = data.index(b"b.jsonl") + 200
    data[second : second + 30] = b"\xff" * 30
    found = read(tmp_path / "x.zip", bytes(data))
    assert values(found) == ROWS[:200] * 2
    ((where, reason),) = failures(found)
    assert where == "x.zip/b.jsonl"
    assert "the file is damaged: " in reason


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.zst"])
@given(data=st.data())
@settings(max_examples=30)
def test_a_tar_that_is_cut_gives_what_is_before_and_one_failure(
    path: Path, kind: str, data: st.DataObject
) -> None:
    files = {f"{number}.jsonl": lines(ROWS[number * 40 : number * 40 + 40]).encode() for number in range(5)}
    whole = ARCHIVES[kind](files)
    if kind == "tar":
        # Behind the last file come zeros, of which two blocks are the end.
        whole = whole[: whole.rindex(b"}") + 2]
    path.write_bytes(whole[: data.draw(st.integers(700 if kind == "tar" else 60, len(whole) - 1))])
    try:
        *found, last = read(path)
    except StageError:  # nothing, or half a header, came out of the first bytes
        assert kind != "tar"
        return
    assert values(found) == ROWS[: len(found)]
    assert isinstance(last, Failure)
    assert last.reason.startswith(("the file ends early", "the file is damaged"))


def test_a_zip_that_says_it_holds_more_than_can_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "FREE", 1 << 20)
    data = zipped({f"{number}.jsonl": bytes(1 << 20) for number in range(3)})
    with pytest.raises(StageError, match="cannot read 'x': it unpacks to more than 500 times its size"):
        read(tmp_path / "x", data)


def test_an_archive_of_thousands_of_files_is_read(tmp_path: Path) -> None:
    files = {f"{number}.json": json.dumps({"n": number}).encode() for number in range(3000)}
    for pack in (zipped, tarred):
        assert [row["n"] for row in values(read(tmp_path / "x", pack(files)))] == list(range(3000))


def test_an_archive_without_records_has_none(tmp_path: Path) -> None:
    for pack in ARCHIVES.values():
        assert read(tmp_path / "x", pack({"README.md": b"words"})) == []
    assert read(tmp_path / "x", zipped({})) == []

"""Fetched corpora are read where they lie, converted or not, with the same rows."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instil.corpora.base import Row
from instil.corpora.fetch import Fetched, FetchedFile, Place, place_of
from instil.corpora.fetch.conversion import conversion_of, convert_once
from instil.corpora.known import KnownConfig
from instil.data.progress import Silent
from instil.errors import RequestError
from tests.disk import disk_full_after

ROWS = [{"instruction": f"q{number}", "input": "", "output": "a" * (number % 3)} for number in range(40)]
LIST = json.dumps(ROWS).encode()
BROKEN = (
    b"["
    + b",\n".join(
        [json.dumps(ROWS[1]).encode(), b'{"instruction": "q", oops}', json.dumps(ROWS[2]).encode(), b"7"]
    )
    + b"]"
)
CHOICES = [
    {
        "question": f"Which letter is number {number}?",
        **{f"op{letter}": f"{letter}{number}" for letter in "abcd"},
        "cop": number % 4,
        "exp": None,
        "id": str(number),
        "choice_type": "single",
        "subject_name": "Letters",
        "topic_name": None,
    }
    for number in range(20)
]


class Said(Silent):
    """Notes what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for corpora of this test's own."""
    monkeypatch.setenv("INSTIL_HOME", str(tmp_path))
    return tmp_path


def fetched(name: str, files: dict[str, bytes]) -> tuple[Place, Fetched]:
    """Put files where they would be had they been fetched."""
    place = place_of(name)
    for path, content in files.items():
        (place.files / path).parent.mkdir(parents=True, exist_ok=True)
        (place.files / path).write_bytes(content)
    record = Fetched(
        corpus=name,
        source="somebody/rows",
        revision=None,
        license=None,
        fetched_at="2026-01-01T00:00:00+00:00",
        files=tuple(
            FetchedFile(
                path=path,
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                url="",
                verified=False,
            )
            for path, content in files.items()
        ),
        whole=True,
    )
    place.write(record)
    return place, record


def convert(place: Place, record: Fetched) -> int:
    return convert_once(place, record, Silent(), least=0)


def known(corpus: str = "alpaca", **said: Any) -> KnownConfig:
    return KnownConfig.model_validate({"kind": "known", "corpus": corpus, **said})


def read(config: KnownConfig, seed: int = 1) -> list[Any]:
    return [each for part in config.parts() for each in config.open(part, seed)]


def rows(found: Sequence[Any]) -> list[Row]:
    return [each for each in found if isinstance(each, Row)]


def test_a_corpus_nobody_knows_is_answered_with_the_nearest_ones() -> None:
    with pytest.raises(ValidationError, match="no corpus 'alpacca' in the catalogue; did you mean alpaca"):
        known("alpacca")


def test_a_corpus_that_was_not_fetched_names_the_command_that_does(home: Path) -> None:
    config = known(only=["test"])
    for ask in (config.preflight, config.parts, config.count_at_most):
        with pytest.raises(RequestError, match=f"not in '{home}/corpora/alpaca'") as error:
            ask()
        assert error.value.hint == "`instil corpora fetch alpaca --only 'test'` brings it"


def test_a_file_that_was_cut_or_removed_since_is_noticed_before_anything_starts() -> None:
    place, _ = fetched("alpaca", {"alpaca_data.json": LIST})
    known().preflight()
    (place.files / "alpaca_data.json").write_bytes(LIST[:-1])

    with pytest.raises(RequestError, match=r"alpaca_data\.json of the corpus 'alpaca' is gone"):
        known().preflight()


def test_rows_come_with_the_name_and_the_licence_of_the_corpus() -> None:
    fetched("alpaca", {"alpaca_data.json": LIST})

    assert len(rows(read(known()))) == 26
    assert known().origin.name == "alpaca"
    assert known(name="a").origin.name == "a"
    assert known().origin.license == "CC-BY-NC-4.0"
    assert known().count_at_most() == 40
    assert len(rows(read(known(where="instruction != 'q7'")))) == 25


@pytest.mark.parametrize(
    ("corpus", "path", "content", "said"),
    [
        ("alpaca", "alpaca_data.json", LIST, {}),
        ("alpaca", "alpaca_data.json", LIST, {"where": "instruction != 'q7'"}),
        ("alpaca", "alpaca_data.json", BROKEN, {}),
        ("alpaca", "alpaca_data.json", LIST[:-20], {}),
        ("alpaca", "rows.jsonl.gz", gzip.compress(b"\n".join(json.dumps(row).encode() for row in ROWS)), {}),
        ("medmcqa", "train.json", json.dumps(CHOICES).encode(), {}),
    ],
    ids=["list", "where", "broken", "cut", "packed", "templates"],
)
def test_a_converted_file_has_the_same_rows_and_the_same_failures(
    corpus: str, path: str, content: bytes, said: dict[str, Any]
) -> None:
    place, record = fetched(corpus, {path: content})
    identity = known(corpus, **said).identity()
    before = read(known(corpus, **said))

    assert convert(place, record) == 1
    after = read(known(corpus, **said))

    assert conversion_of(place, record.files[0]).records in {part.path for part in known(corpus).parts()}
    assert rows(before) == rows(after)
    assert rows(before)

    def reasons(found: list[Any]) -> list[tuple[str, str]]:
        # Line N is record N; what was not read is told in the words of the file itself.
        return sorted((type(each).__name__, each.reason) for each in found if not isinstance(each, Row))

    assert reasons(before) == reasons(after)
    assert known(corpus, **said).identity() == identity


def test_a_record_of_a_list_stands_in_the_line_of_its_number() -> None:
    place, record = fetched("alpaca", {"alpaca_data.json": BROKEN})
    convert(place, record)
    conversion = conversion_of(place, record.files[0])

    lines = conversion.records.read_text().split("\n")
    assert [bool(line) for line in lines] == [True, False, True, False, False]
    places = [json.loads(line)["place"] for line in conversion.unread.read_text().splitlines()]
    assert [place.split(" (")[0] for place in places] == [
        "alpaca_data.json:record 2",
        "alpaca_data.json:record 4",
    ]


def test_what_can_be_read_in_pieces_is_left_as_it_is() -> None:
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
    place, record = fetched("alpaca", {"rows.jsonl": lines})

    assert convert(place, record) == 0
    assert convert_once(place, fetched("alpaca", {"alpaca_data.json": LIST})[1], Silent()) == 0, "too small"
    assert not place.converted.exists()


def test_a_file_is_converted_once_and_again_when_it_is_another() -> None:
    place, record = fetched("alpaca", {"alpaca_data.json": LIST})
    convert(place, record)
    first = conversion_of(place, record.files[0]).records
    written = first.stat().st_mtime_ns
    place, record = fetched("alpaca", {"alpaca_data.json": LIST, "more.json": BROKEN})
    assert convert(place, record) == 2
    assert first.stat().st_mtime_ns == written

    place, record = fetched("alpaca", {"alpaca_data.json": BROKEN})
    convert(place, record)

    assert len(rows(read(known()))) == 2
    assert not first.exists(), "what no record names is removed"


def test_where_the_disk_is_full_the_file_is_read_as_it_is() -> None:
    long = [{**row, "output": "a" * 5000} for row in ROWS]
    place, record = fetched("alpaca", {"alpaca_data.json": json.dumps(long).encode()})
    progress = Said()
    with disk_full_after(100_000):
        assert convert_once(place, record, progress, least=0) == 0

    assert "alpaca_data.json is read as it is, and not converted" in progress.lines[0]
    assert [path for path in place.converted.rglob("*") if path.is_file()] == []
    assert len(rows(read(known()))) == 40


def test_a_file_that_is_nothing_we_read_is_told_of_and_stays_fetched() -> None:
    place, record = fetched("alpaca", {"alpaca_data.json": bytes(range(256)) * 4})
    progress = Said()

    assert convert_once(place, record, progress, least=0) == 0
    assert "alpaca_data.json was fetched, but: 'alpaca_data.json' is not text" in progress.lines[0]


def test_only_the_parts_that_are_asked_for_are_read() -> None:
    sizes = {"data/train-1.json": 5, "data/test-1.json": 2}
    fetched("medmcqa", {path: json.dumps(CHOICES[:size]).encode() for path, size in sizes.items()})

    assert len(rows(read(known("medmcqa", only=["data/test*"])))) == 2
    assert len(rows(read(known("medmcqa")))) == 7
    with pytest.raises(RequestError, match=r"the corpus 'medmcqa' as it was fetched: .*'other'"):
        known("medmcqa", only=["other"]).parts()


def test_the_identity_is_the_content_of_the_files_and_not_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched("alpaca", {"alpaca_data.json": LIST})
    here = known().identity()
    monkeypatch.setenv("INSTIL_HOME", str(tmp_path / "elsewhere"))
    fetched("alpaca", {"alpaca_data.json": LIST})
    assert known().identity() == here

    fetched("alpaca", {"alpaca_data.json": BROKEN})
    assert known().identity() != here


def test_another_process_reads_the_same_parts() -> None:
    place, record = fetched("alpaca", {"alpaca_data.json": BROKEN})
    convert(place, record)
    config = known()
    config.parts()

    there = pickle.loads(pickle.dumps(config))

    assert read(there) == read(config)

"""What is not in a mixture is written down row by row."""

from __future__ import annotations

from pathlib import Path

from instil.corpora.base import Part
from instil.corpora.files import FilesConfig
from instil.data.jsonl import read_jsonl, write_jsonl
from instil.mixing import listing
from instil.mixing.clusters import Cluster
from instil.mixing.config import CleanConfig
from instil.mixing.reading import Reading
from instil.mixing.screening import Screen

CLUSTER = Cluster(representative=10, members=(255, 3), similarities=(0.91239, 1.0), sources=(1, 0))


def reading(directory: Path, place: int, path: Path, start: int = 0) -> Reading:
    path.touch()
    return Reading(
        source=0,
        corpus=FilesConfig(kind="files", name="a", path=path),
        part=Part(path, size=1, start=start),
        seed=1,
        buckets=1,
        clean=CleanConfig(),
        screen=Screen(),
        output=directory / f"read-{place:05}",
    )


def failing(each: Reading, *rows: tuple[str, int | None]) -> None:
    write_jsonl(
        listing.beside(each, "failures"),
        (
            {"source": "a", "place": place, "reason": "why", **({"line": line} if line else {})}
            for place, line in rows
        ),
    )


def test_lines_are_counted_from_the_beginning_of_a_file_over_all_its_parts(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    parts = [reading(tmp_path, 0, one), reading(tmp_path, 1, one, 500), reading(tmp_path, 2, other)]
    before = listing.lines_before(parts, [{"lines": 40}, {"lines": 20}, {"lines": 5}])
    assert before == [0, 40, 0]
    failing(parts[0], ("one.jsonl", 3))
    failing(parts[1], ("one.jsonl", 1), ("one.jsonl:record 7", None))
    failing(parts[2], ("other.jsonl", 2))
    assert [row["place"] for row in listing.lost(parts, before, "failures")] == [
        "one.jsonl:line 3",
        "one.jsonl:line 41",
        "one.jsonl:record 7",
        "other.jsonl:line 2",
    ]
    assert list(listing.lost(parts, before, "rejected")) == []


def test_the_examples_of_a_part_name_lines_of_their_file() -> None:
    examples = [{"id": "one.jsonl", "line": 2, "reason": "why"}, {"id": "0f", "text": "no line"}]
    result = {"steps": {"read": {"broken": {"count": 7, "examples": examples}}}}
    said = [{"id": "one.jsonl:line 42", "reason": "why"}, {"id": "0f", "text": "no line"}]
    assert listing.steps_of(result, 40) == {"read": {"broken": {"count": 7, "examples": said}}}


def test_rows_that_are_not_representative_are_listed_with_the_row_that_stays() -> None:
    assert list(listing.removed([CLUSTER], "near_duplicate", ["a", "b"])) == [
        {
            "source": "b",
            "id": "00000000000000ff",
            "filter": "near_duplicate",
            "kept": "000000000000000a",
            "score": 0.9124,
        },
        {
            "source": "a",
            "id": "0000000000000003",
            "filter": "near_duplicate",
            "kept": "000000000000000a",
            "score": 1.0,
        },
    ]


def test_a_cluster_says_who_represents_it_and_why() -> None:
    assert list(listing.described([CLUSTER], "near_duplicate", ["a", "b"])) == [
        {
            "kind": "near_duplicate",
            "representative": "000000000000000a",
            "why": "the longest of 3",
            "members": [
                {"id": "00000000000000ff", "source": "b", "similarity": 0.9124},
                {"id": "0000000000000003", "source": "a", "similarity": 1.0},
            ],
        }
    ]


def test_what_a_run_that_was_cut_off_has_left_of_a_list_goes(tmp_path: Path) -> None:
    path = tmp_path / "rejected.jsonl"
    write_jsonl(path, [{"old": 1}])
    listing.write_fresh(path, [{"new": 2}])
    assert [row for _, row in read_jsonl(path)] == [{"new": 2}]


def test_a_source_without_rows_is_explained_by_what_became_of_its_first(tmp_path: Path) -> None:
    part = reading(tmp_path, 0, tmp_path / "one.jsonl")
    assert listing.first_loss([part], [0]) == "its files hold no record"
    write_jsonl(
        listing.beside(part, "rejected"),
        [{"source": "a", "id": "0f", "filter": "tokens", "reason": "too long"}],
    )
    assert listing.first_loss([part], [0]) == "the first: 0f: tokens: too long"
    failing(part, ("one.jsonl", 3))
    assert listing.first_loss([part], [0]) == "the first: one.jsonl:line 3: why"

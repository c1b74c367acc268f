"""What rows hold is counted while they pass, and says what their licences ask for."""

from __future__ import annotations

import pytest

from instil.data.examples import Label, Origin
from instil.export.contents import Contents, Origins
from instil.export.licences import consequences, hub_id, hub_ids
from tests.export.runs import ALPACA, HUATUO, TEACHER, example, rows


def corpus(name: str, licence: str | None, kind: str = "corpus") -> Origins:
    return Origins(kind, name, licence, {"train": 1})


def test_origins_come_with_most_rows_first() -> None:
    contents = Contents()
    for split, origin in (("train", HUATUO), ("train", ALPACA), ("validation", ALPACA), ("train", TEACHER)):
        contents.add(example("q", "a", origin=origin), split)

    assert [(each.name, each.license, each.rows) for each in contents.origins] == [
        ("alpaca", "CC-BY-NC-4.0", {"train": 1, "validation": 1}),
        ("huatuo", "Apache-2.0", {"train": 1}),
        ("teacher-large", None, {"train": 1}),
    ]


def test_rows_that_were_not_written_are_counted_by_the_reason_without_the_row() -> None:
    contents = Contents()
    contents.add(rows(1)[0], "train")
    contents.lose("unknown role 'x': turn 1", failed=True)
    contents.lose("unknown role 'x': turn 4", failed=True)
    contents.lose("alpaca holds no tool turns", failed=False)

    assert contents.counts.model_dump() == {
        "asked": 4,
        "kept": 1,
        "rejected": 1,
        "failed": 2,
        "reasons": {"alpaca holds no tool turns": 1, "unknown role 'x'": 2},
    }


def test_languages_are_those_of_the_conversations_the_most_frequent_first() -> None:
    contents = Contents()
    for number in range(3000):
        asked = "感冒了要多喝水吗？" if number % 3 else "Should I drink enough water and get some rest?"
        contents.add(example(asked, "Nein"), "train")
    contents.add(example("これはとても短い文章です。", "はい"), "train")

    assert contents.languages() == ["zh", "en"]


def test_kinds_of_tasks_are_told_by_the_labels_of_rows() -> None:
    contents = Contents()
    label = Label(task="multiple_choice", template="exam", value="1", answer="B")
    contents.add(example("q", "B", label=label), "train")

    assert contents.tasks == {"multiple-choice": 1}


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("Apache-2.0", "apache-2.0"),
        ("CC BY-NC 4.0", "cc-by-nc-4.0"),
        ("ODC-By-1.0", "odc-by"),
        ("GPL-3.0-only", "gpl-3.0"),
        ("MIT", "mit"),
        ("the authors' own", "other"),
        (None, "unknown"),
    ],
)
def test_licences_have_the_names_that_the_hub_knows(licence: str | None, expected: str) -> None:
    assert hub_id(licence) == expected


def test_the_card_names_every_licence_and_that_some_rows_have_none() -> None:
    assert hub_ids([corpus("m", "MIT"), corpus("n", "mit")]) == ["mit"]
    assert hub_ids([corpus("m", "MIT"), corpus("teacher", None, "teacher")]) == ["mit", "unknown"]


def test_a_licence_that_forbids_commerce_forbids_it_of_the_whole() -> None:
    found = consequences(
        [corpus("a", "CC-BY-NC-SA-4.0"), corpus("b", "CC BY-NC 4.0"), corpus("c", "CC0-1.0")]
    )

    assert [each.partition(":")[0] for each in found if "commercial" in each] == ["a", "b"]
    assert any(
        each.startswith("a: CC-BY-NC-SA-4.0 asks that what is passed on carries the same") for each in found
    )
    assert not any(each.startswith("c:") for each in found)


def test_sources_with_the_same_rule_share_a_sentence() -> None:
    assert consequences([corpus("mine", None), corpus("yours", None)]) == [
        "mine, yours: states no licence; ask its publisher before rows of it are passed on."
    ]


def test_only_a_corpus_of_the_catalogue_by_name_and_licence_is_taken_for_it() -> None:
    known = corpus("alpaca", "CC-BY-NC-4.0")
    mine = corpus("alpaca", "MIT")

    assert any("OpenAI" in each for each in consequences([known]))
    assert not any("OpenAI" in each for each in consequences([mine]))
    assert (
        "the corpus of this name in the catalogue has CC-BY-NC-4.0"
        in consequences([corpus("alpaca", None)])[0]
    )


def test_a_seed_task_without_a_licence_is_the_users_own() -> None:
    assert consequences([corpus("seed_tasks.jsonl", None, "seed")]) == []


def test_an_empty_licence_is_none() -> None:
    contents = Contents()
    contents.add(example("q", "a", origin=Origin(kind="corpus", name="x", license="")), "train")

    assert contents.origins[0].license is None

"""What is told of a file is true of it, and fits into bounded memory."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis.strategies import characters, integers, lists, text

from instil.corpora.describe import Description, describe
from instil.corpora.describe.statistics import Columns, Distinct, Lengths, Spread, type_of
from instil.corpora.describe.suggest import guess_fields, recipe_entry
from instil.corpora.files import FilesConfig
from instil.errors import StageError

ROWS = Path(__file__).parent / "rows"


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def told(path: Path, **options: Any) -> Description:
    return describe(path, lambda text: "zh" if "\u4e00" <= text[0] <= "\u9fff" else "en", **options)


def pair(question: str, answer: str) -> dict[str, str]:
    return {"instruction": question, "input": "", "output": answer}


@pytest.mark.parametrize("path", sorted(ROWS.iterdir()), ids=lambda path: path.name)
def test_the_entry_that_is_proposed_reads_the_rows_that_were_counted(path: Path) -> None:
    found = told(path)

    (entry,) = yaml.safe_load(found.entry)
    rows = list(FilesConfig.model_validate(entry).read())

    assert found.rows > 0
    assert len(rows) == found.rows + sum(found.failures.values())


def test_every_record_is_a_row_or_a_failure_with_its_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [pair("a", "b"), pair("c", ""), {"x": 1}])
    with path.open("a") as file:
        file.write("no json\n")

    found = told(path)

    assert (found.records, found.rows, found.unknown) == (3, 1, 1)
    assert found.formats == {"alpaca": 2}
    assert found.containers == {"JSON Lines": 1}
    assert list(found.failures.values()) == [1, 1, 1]
    assert found.first_failures[0] == {"place": "rows.jsonl:line 2", "reason": "'output' is empty"}
    assert "no known format has the keys x" in found.failures


def test_duplicates_lengths_turns_and_languages_are_counted(tmp_path: Path) -> None:
    chat = {
        "messages": [
            {"role": "system", "content": "s"},
            *[{"role": role, "content": role} for role in ("user", "assistant") * 2],
        ]
    }
    rows: list[Mapping[str, Any]] = [
        pair("abc", "de"),
        pair("abc", "de"),
        pair("abc", "other"),
        pair("问", "答"),
        chat,
    ]
    found = told(write(tmp_path / "rows.jsonl", rows))

    assert (found.duplicates, found.same_question, found.estimated) == (1, 2, False)
    assert found.turns == {"p5": 2, "median": 2, "p95": 4, "longest": 4}
    assert found.system == 1
    assert found.questions["longest"] == 4
    assert found.answers == {"p5": 1, "median": 2, "p95": 9, "longest": 9}
    assert found.languages == {"en": 0.8, "zh": 0.2}


def test_examples_are_spread_over_the_file_and_the_same_each_time(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [pair(str(number), "a") for number in range(10_001)])

    asked = [turns[0][1] for turns in told(path).examples]

    assert asked == [turns[0][1] for turns in told(path).examples]
    assert asked[0] == "0"
    assert 4000 < int(asked[1]) < 6000
    assert int(asked[2]) > 9000


def test_a_limit_stops_there_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [pair(str(number), "a") for number in range(5)])

    assert [told(path, limit=limit).whole for limit in (4, 5, 6)] == [False, True, True]
    assert told(path, limit=2).rows == 2


def test_many_files_of_many_kinds_are_one_corpus(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [pair("a", "b")])
    (tmp_path / "b.json").write_text(json.dumps([{"prompt": "a", "completion": "b"}]))
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"instruction,output\nx,y\n"))

    found = told(tmp_path)

    assert found.containers == {"JSON Lines": 1, "JSON": 1, "table as text": 1}
    assert found.formats == {"alpaca": 2, "prompt_completion": 1}
    assert "format: auto" in found.entry


def test_what_holds_no_record_is_an_error_that_says_why(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Notes\nand more\n")
    with pytest.raises(StageError, match=r"holds no record; notes.txt:line 1: not JSON"):
        told(path)
    path.write_text("")
    with pytest.raises(StageError, match=r"notes.txt' holds no record$"):
        told(path)


def test_a_format_that_is_named_is_the_only_one_that_counts() -> None:
    assert told(ROWS / "openassistant.jsonl", format_name="openassistant_best").formats == {
        "openassistant_best": told(ROWS / "openassistant.jsonl").records
    }


def test_of_an_unknown_format_the_columns_are_told_and_the_fields_guessed(tmp_path: Path) -> None:
    path = tmp_path / "clinic.csv"
    path.write_text("patient_id,Frage,Antwort,Year\nab,Was tut weh?,Der Kopf,2001\ncd,Seit wann?,Gestern,\n")

    found = told(path)

    assert found.columns == [
        {"field": "patient_id", "types": ["text"], "present": 1.0, "filled": 1.0},
        {"field": "Frage", "types": ["text"], "present": 1.0, "filled": 1.0},
        {"field": "Antwort", "types": ["text"], "present": 1.0, "filled": 1.0},
        {"field": "Year", "types": ["number as text"], "present": 1.0, "filled": 0.5},
    ]
    assert found.fields == {"user": "Frage", "assistant": "Antwort"}
    assert "fields: {user: Frage, assistant: Antwort}" in found.entry


@pytest.mark.parametrize(
    ("columns", "fields"),
    [
        (["answer", "question"], {"user": "question", "assistant": "answer"}),
        (["user_question", "topic", "model_answer"], {"user": "user_question", "assistant": "model_answer"}),
        (["问题", "回答", "系统"], {"system": "系统", "user": "问题", "assistant": "回答"}),
        (["id", "doc_url", "Anfrage", "Auskunft"], {"user": "Anfrage", "assistant": "Auskunft"}),
        (["question"], {}),
        ([], {}),
    ],
)
def test_names_decide_which_columns_are_asked_and_answered(
    columns: list[str], fields: dict[str, str]
) -> None:
    given = [{"field": name, "types": ["text"], "present": 1.0, "filled": 1.0} for name in columns]

    assert guess_fields(given) == fields


def test_columns_without_text_are_no_question() -> None:
    given = [
        {"field": "question", "types": ["list of text"], "present": 1.0, "filled": 1.0},
        {"field": "query", "types": ["text"], "present": 1.0, "filled": 0.1},
        {"field": "a", "types": ["text"], "present": 1.0, "filled": 1.0},
        {"field": "b", "types": ["text", "null"], "present": 1.0, "filled": 0.9},
    ]

    assert guess_fields(given) == {"user": "a", "assistant": "b"}


@example("no")
@example("~")
@example("Null")
@given(name=text(characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_an_entry_says_in_yaml_what_was_meant(name: str) -> None:
    (entry,) = yaml.safe_load(recipe_entry(Path("data") / name, None, {"user": name, "assistant": "a"}))

    assert entry["path"] == str(Path("data") / name)
    assert entry["fields"] == {"user": name, "assistant": "a"}
    assert isinstance(entry["name"], str)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("data/cases.jsonl.gz", "cases"),
        ("gsm8k/train.jsonl", "gsm8k-train"),
        ("zh/*.json", "zh"),
        ("*.json", "corpus"),
        ("some.dir", "some.dir"),
        ("belle_0.5M.json", "belle_0.5M"),
    ],
)
def test_an_entry_is_called_after_what_tells_it_from_others(path: str, name: str) -> None:
    assert yaml.safe_load(recipe_entry(Path(path), "alpaca", {}))[0]["name"] == name


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("12", "number as text"),
        ("-1,200.5", "number as text"),
        ("12 pens", "text"),
        (True, "true or false"),
        (1.5, "number"),
        (None, "null"),
        ([], "empty list"),
        ("", "empty text"),
        (["1"], "list of text"),
        ([{"a": 1}], "list of {a}"),
        ({str(key): 0 for key in range(5)}, "{0, 1, 2, 3, …}"),
    ],
)
def test_types_are_told_in_words(value: object, said: str) -> None:
    assert type_of(value) == said


def test_records_whose_keys_are_data_do_not_fill_the_memory() -> None:
    columns = Columns(most=10)
    for number in range(1000):
        columns.add({"a": {str(number): 1}, str(number): 1})

    summary = columns.summary(1000)
    assert len(summary) == 10
    assert columns.more
    assert "other" in summary[0]["types"]
    assert len(summary[0]["types"]) < 20


@given(lists(integers(0, 200_000), min_size=1))
def test_percentiles_are_exact_to_three_digits(lengths: list[int]) -> None:
    counted = Lengths()
    for length in lengths:
        counted.add(length)

    for share in (0.05, 0.5, 0.95):
        exact = sorted(lengths)[ceil(share * len(lengths)) - 1]
        assert counted.percentile(share) <= exact
        assert counted.percentile(share) >= (exact if exact < 1000 else 0.99 * exact)
    assert counted.longest == max(lengths)


@given(lists(integers(0, 50)))
def test_repeated_things_are_counted_exactly_while_they_fit(things: list[int]) -> None:
    distinct = Distinct(most=100)
    for thing in things:
        distinct.add(str(thing).encode())

    assert distinct.repeated == len(things) - len(set(things))
    assert not distinct.estimated


def test_more_things_than_fit_are_estimated() -> None:
    chosen = random.Random(5)
    things = [chosen.randrange(20_000) for _ in range(60_000)]
    distinct = Distinct(most=2000)
    for thing in things:
        distinct.add(str(thing).encode())

    assert distinct.estimated
    assert distinct.repeated == pytest.approx(len(things) - len(set(things)), rel=0.1)


@given(integers(0, 3000))
def test_what_is_kept_of_a_stream_is_evenly_spread(length: int) -> None:
    spread: Spread[int] = Spread(64)
    for number in range(length):
        if spread.wants():
            spread.keep(number)

    kept = list(spread.kept)
    steps = {after - before for before, after in pairwise(kept)}
    assert len(kept) == length if length < 64 else 32 <= len(kept) < 64
    assert len(steps) <= 1
    assert not length or kept[0] == 0
    assert not length or length - kept[-1] <= next(iter(steps), 1)
    assert len(spread.some(3)) == min(3, length)

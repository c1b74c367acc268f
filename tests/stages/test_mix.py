"""Mixtures: how many rows of each source, which ones, in which order, and what became of the others."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from instil.data.examples import Counts, Example, Origin
from instil.data.jsonl import read_jsonl, write_jsonl
from instil.data.messages import Message
from instil.data.shards import read_rows
from instil.errors import StageError
from instil.stages.base import Context, Result
from instil.stages.mix import MIX, MixConfig


def example(question: str, answer: str = "an answer", origin: str = "teacher-1") -> Example:
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(messages=turns, origin=Origin(kind="teacher", name=origin))


def write(path: Path, prefix: str, numbers: range | list[int], answer: str = "answer") -> Path:
    """Write alpaca rows whose question says their source and number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"instruction": f"{prefix} {number}", "output": f"{answer} {number}"} for number in numbers]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def files(name: str, path: Path, **options: Any) -> dict[str, Any]:
    return {"kind": "files", "name": name, "path": path, **options}


def mix(
    work: Path,
    corpora: list[dict[str, Any]],
    *,
    seed: int = 1,
    inputs: dict[str, Path] | None = None,
    **options: Any,
) -> Result:
    config = MixConfig.model_validate({"corpora": corpora, **options})
    return MIX.run(config, Context(seed=seed, work=work, inputs=inputs or {}, shared=work / "shared"))


def both(work: Path) -> tuple[bytes, bytes]:
    """Return the bytes of all files on each side."""
    train, validation = (
        b"".join(path.read_bytes() for path in sorted((work / side).iterdir()))
        for side in ("train", "validation")
    )
    return train, validation


def rows(path: Path) -> list[Example]:
    return [Example.model_validate(row) for row in read_rows(path)]


def questions(path: Path) -> list[str]:
    return [row.conversation.instruction for row in rows(path)]


def test_sources_are_mixed_by_their_weights(tmp_path: Path) -> None:
    corpora = [
        files("a", write(tmp_path / "a.jsonl", "a", range(100)), weight=3.0),
        files("b", write(tmp_path / "b.jsonl", "b", range(100)), weight=1.0, license="CC0-1.0"),
    ]
    result = mix(tmp_path, corpora, num_examples=80, validation_fraction=0.25)
    train, validation = rows(tmp_path / "train"), rows(tmp_path / "validation")
    assert Counter(row.origin.name for row in train + validation) == {"a": 60, "b": 20}
    assert {row.origin.license for row in train + validation if row.origin.name == "b"} == {"CC0-1.0"}
    assert (len(train), len(validation)) == (60, 20)
    # Mixed, not one source after the other.
    names = [row.origin.name for row in train]
    assert names != sorted(names)
    assert names != sorted(names, reverse=True)
    assert result.counts == Counts(
        asked=200, kept=80, rejected=120, reasons={"not drawn: over its share": 120}
    )
    assert {key: result.details[key] for key in ("rows", "train", "validation")} == {
        "rows": 80,
        "train": 60,
        "validation": 20,
    }


def test_by_default_the_mixture_is_as_large_as_the_weights_allow(tmp_path: Path) -> None:
    corpora = [
        files("a", write(tmp_path / "a.jsonl", "a", range(30)), weight=1.0),
        files("b", write(tmp_path / "b.jsonl", "b", range(100)), weight=1.0),
    ]
    result = mix(tmp_path, corpora)
    # 60 are thirty each; the sixty-first, a tie, would be asked of a.
    assert [result.details["sources"][name]["drawn"] for name in "ab"] == [30, 30]


@pytest.fixture
def corpora(tmp_path: Path) -> list[dict[str, Any]]:
    return [
        files("a", write(tmp_path / "a.jsonl", "a", range(40)), weight=2.0),
        files("b", write(tmp_path / "b.jsonl", "b", range(25)), weight=1.0, max_epochs=2.0),
        files("c", write(tmp_path / "c.jsonl", "a", range(35, 50)), weight=0.5),
    ]


def test_the_same_seed_gives_the_same_mixture_and_another_seed_another(
    tmp_path: Path, corpora: list[dict[str, Any]]
) -> None:
    for work, seed in (("first", 1), ("second", 1), ("third", 2)):
        mix(tmp_path / work, corpora, seed=seed, num_examples=42, validation_fraction=0.2)
    assert both(tmp_path / "first") == both(tmp_path / "second")
    train, validation = zip(both(tmp_path / "first"), both(tmp_path / "third"), strict=True)
    assert train[0] != train[1]
    assert validation[0] != validation[1]


def test_the_seed_decides_the_order_and_what_is_held_out(
    tmp_path: Path, corpora: list[dict[str, Any]]
) -> None:
    # All forty rows are drawn with either seed.
    for work, seed, fraction in (("a", 1, 0.0), ("b", 2, 0.0), ("c", 1, 0.25), ("d", 2, 0.25)):
        mix(tmp_path / work, corpora[:1], seed=seed, validation_fraction=fraction)
    a, b = (questions(tmp_path / work / "train") for work in "ab")
    assert a != b
    assert sorted(a) == sorted(b)
    c, d = ({*questions(tmp_path / work / "validation")} for work in "cd")
    assert len(c) == len(d) == 10
    assert c != d


def test_the_order_of_sources_rows_and_files_changes_no_byte(
    tmp_path: Path, corpora: list[dict[str, Any]]
) -> None:
    options: dict[str, Any] = {"num_examples": 42, "validation_fraction": 0.2}
    mix(tmp_path / "plain", corpora, **options)
    plain = both(tmp_path / "plain")

    mix(tmp_path / "turned", corpora[::-1], **options)
    assert both(tmp_path / "turned") == plain

    order = list(range(40))
    random.Random(5).shuffle(order)
    shuffled = files("a", write(tmp_path / "other.jsonl", "a", order), weight=2.0)
    mix(tmp_path / "shuffled", [shuffled, *corpora[1:]], **options)
    assert both(tmp_path / "shuffled") == plain

    write(tmp_path / "parts" / "z.jsonl", "a", order[:13])
    write(tmp_path / "parts" / "y.json", "a", order[13:])
    mix(tmp_path / "split", [files("a", tmp_path / "parts", weight=2.0), *corpora[1:]], **options)
    assert both(tmp_path / "split") == plain


def test_a_larger_mixture_contains_the_smaller_one(tmp_path: Path, corpora: list[dict[str, Any]]) -> None:
    drawn = []
    for number in (10, 20):
        work = tmp_path / str(number)
        mix(work, corpora[:1], num_examples=number)
        drawn.append({*questions(work / "train"), *questions(work / "validation")})
    assert drawn[0] < drawn[1]


@given(
    numbers=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), min_size=4, max_size=30),
    fraction=st.sampled_from([0.0, 0.1, 0.3, 0.5]),
    epochs=st.sampled_from([1.0, 2.5]),
)
def test_no_question_is_on_both_sides_and_nothing_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[tuple[int, int]],
    fraction: float,
    epochs: float,
) -> None:
    tmp_path = tmp_path_factory.mktemp("mix")
    lines = [{"prompt": f"question {number}", "completion": f"answer {answer}"} for number, answer in numbers]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    different = len(set(numbers))
    result = mix(
        tmp_path, [files("a", tmp_path / "a.jsonl", max_epochs=epochs)], validation_fraction=fraction
    )
    train, validation = questions(tmp_path / "train"), questions(tmp_path / "validation")
    asked = len({number for number, _ in numbers})
    assert not {*train} & {*validation}
    assert len({*train} | {*validation}) == asked
    assert len({*validation}) == round(fraction * asked)
    # Validation rows are not repeated; training rows are, up to the epochs.
    assert len(rows(tmp_path / "validation")) == len(set(rows_as_text(tmp_path / "validation")))
    assert max(Counter(rows_as_text(tmp_path / "train")).values()) <= (3 if epochs == 2.5 else 1)
    assert result.details["rows"] == int(different * epochs)
    assert result.counts.asked == len(numbers)
    assert result.counts.kept == different
    assert result.counts.adds_up


def rows_as_text(path: Path) -> list[str]:
    return [json.dumps(row) for row in read_rows(path)]


def test_a_question_of_two_sources_is_on_one_side(tmp_path: Path) -> None:
    corpora = [
        files(name, write(tmp_path / f"{name}.jsonl", "the same", range(20), answer=name), weight=1.0)
        for name in "ab"
    ]
    mix(tmp_path, corpora, validation_fraction=0.5)
    train, validation = questions(tmp_path / "train"), questions(tmp_path / "validation")
    assert not {*train} & {*validation}
    # Ten questions on each side, each with the answers of both sources.
    assert (len(train), len(validation)) == (20, 20)


def test_a_conversation_of_two_sources_is_kept_in_the_first_by_name(tmp_path: Path) -> None:
    corpora = [
        files("z", write(tmp_path / "z.jsonl", "q", range(5, 15))),
        files("a", write(tmp_path / "a.jsonl", "q", range(10))),
    ]
    for number, order in enumerate((corpora, corpora[::-1])):
        result = mix(tmp_path / str(number), order, validation_fraction=0.0)

        table = result.details["sources"]
        assert (table["a"]["different"], table["a"]["duplicates"]) == (10, 0)
        assert (table["z"]["different"], table["z"]["duplicates"]) == (5, 5)
        assert result.counts.reasons["duplicate"] == 5


def test_a_source_that_is_all_in_another_is_an_error(tmp_path: Path) -> None:
    corpora = [
        files("b", write(tmp_path / "b.jsonl", "q", range(5))),
        files("a", write(tmp_path / "a.jsonl", "q", range(10))),
    ]
    with pytest.raises(StageError, match="nothing is left of the source 'b'"):
        mix(tmp_path, corpora)


def test_a_source_smaller_than_its_share_is_repeated_up_to_its_epochs(tmp_path: Path) -> None:
    corpora = [
        files("big", write(tmp_path / "big.jsonl", "big", range(60)), weight=3.0),
        files("small", write(tmp_path / "small.jsonl", "small", range(8)), weight=1.0, max_epochs=2.5),
    ]
    result = mix(tmp_path, corpora, num_examples=80, validation_fraction=0.0)
    times = Counter(each for each in questions(tmp_path / "train") if each.startswith("small"))
    assert sorted(times.values()) == [2, 2, 2, 2, 3, 3, 3, 3]
    assert result.details["sources"]["small"] == {
        "weight": 1.0,
        "license": None,
        "read": 8,
        "failed": 0,
        "rejected": 0,
        "duplicates": 0,
        "different": 8,
        "drawn": 20,
        "drawn_different": 8,
    }
    assert result.counts == Counts(asked=68, kept=68)


def test_what_cannot_be_met_is_an_error_with_the_numbers(tmp_path: Path) -> None:
    corpora = [
        files("big", write(tmp_path / "big.jsonl", "big", range(1200)), weight=1.0),
        files("small", write(tmp_path / "small.jsonl", "small", range(10)), weight=1.0, max_epochs=1.5),
    ]
    with pytest.raises(StageError) as caught:
        mix(tmp_path, corpora, num_examples=2500)
    assert str(caught.value) == (
        "the mixture cannot be met: big has 1,200 rows to give and 1,250 are asked for; "
        "small has 15 rows to give and 1,250 are asked for"
    )
    assert caught.value.hint == ("set mix.num_examples to at most 31, lower the weight, or raise max_epochs")
    assert not (tmp_path / "train").exists()
    assert mix(tmp_path, corpora, num_examples=31).details["rows"] == 31
    with pytest.raises(StageError, match="small has 15 rows to give and 16 are asked for"):
        mix(tmp_path, corpora, num_examples=32)


def test_duplicates_and_broken_records_are_counted_and_written_down(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "a", [1, 2, 1, 3, 4, 2, 1])
    path.write_text(path.read_text() + 'prose\n{"instruction": "q"}\n{"instruction": "q", "output": ""}\n')
    result = mix(tmp_path, [files("a", path)], num_examples=3, validation_fraction=0.0)
    assert result.counts == Counts(
        asked=10,
        kept=3,
        rejected=4,
        failed=3,
        reasons={"duplicate": 3, "not drawn: over its share": 1, "unreadable record": 3},
    )
    failures = [row for _, row in read_jsonl(tmp_path / "failures.jsonl")]
    assert [row["place"] for row in failures] == ["a.jsonl:line 8", "a.jsonl:line 9", "a.jsonl:line 10"]
    assert [row["reason"] for row in failures[1:]] == [
        "no known format has the keys instruction",
        "'output' is empty",
    ]
    ids = {
        number: Example(
            messages=(
                Message(role="user", content=f"a {number}"),
                Message(role="assistant", content=f"answer {number}"),
            ),
            origin=Origin(kind="corpus", name="elsewhere"),
        ).id
        for number in (1, 2)
    }
    assert [row for _, row in read_jsonl(tmp_path / "rejected.jsonl")] == [
        {"source": "a", "id": key, "filter": "duplicate", "kept": "a"}
        for key in sorted([ids[1], ids[1], ids[2]])
    ]


def test_a_source_without_a_readable_row_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "q", "reply": "a"}\nprose\n')
    with pytest.raises(StageError, match="the source 'a' has no rows; 2 could not be read") as caught:
        mix(tmp_path, [files("a", tmp_path / "a.jsonl")])
    assert caught.value.hint == "the first: a.jsonl:line 1: no known format has the keys question, reply"


def test_a_mixture_that_is_all_held_out_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "a", [1])
    with pytest.raises(StageError, match="no training row"):
        mix(tmp_path, [files("a", path)], validation_fraction=0.6)


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "a", [1])
    with pytest.raises(ValidationError, match="two sources are called 'a'"):
        mix(tmp_path, [files("a", path), files("a", path)])


def test_what_was_generated_is_a_source_curated_where_it_was(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "generate" / "examples.jsonl", [example("raw").row(), example("kept").row()])
    write_jsonl(tmp_path / "curate" / "kept.jsonl", [example("kept").row()])
    both_stages = {name: tmp_path / name for name in ("generate", "curate")}
    generated = [{"kind": "generated"}]
    result = mix(tmp_path / "one", generated, inputs=both_stages, validation_fraction=0.0)
    assert rows(tmp_path / "one" / "train") == [example("kept")]
    assert list(result.details["sources"]) == ["generated"]
    del both_stages["curate"]
    mix(tmp_path / "two", generated, inputs=both_stages, validation_fraction=0.0)
    assert sorted(questions(tmp_path / "two" / "train")) == ["kept", "raw"]


def test_which_of_two_equal_conversations_stays_does_not_depend_on_their_order(tmp_path: Path) -> None:
    twins = [example("q", origin="teacher-2"), example("q", origin="teacher-1")]
    for work, order in (("one", twins), ("two", twins[::-1])):
        write_jsonl(tmp_path / work / "examples.jsonl", [each.row() for each in order])
        inputs = {"generate": tmp_path / work}
        result = mix(tmp_path / work, [{"kind": "generated"}], inputs=inputs, validation_fraction=0.0)
        assert result.counts == Counts(asked=2, kept=1, rejected=1, reasons={"duplicate": 1})
    assert both(tmp_path / "one") == both(tmp_path / "two")

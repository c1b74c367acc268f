"""`instil dedupe`: what is kept is unchanged, what is not is accounted for, and nothing is overwritten."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from instil.cli import instil
from instil.dedupe import FIELDS, DedupeOptions, Deduplicated, dedupe, instruction_of
from instil.errors import RequestError, StageError, StoreError
from tests.disk import disk_full_after

COUGH = '{"instruction": "What helps against a  cough?", "n": 1.0e2, "x": "caf\\u00e9"}'
COUGH_AGAIN = '{"instruction" : "what helps against a cough", "n": 2}'
TALL = '{ "instruction":"How tall is he?","input":""}'


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{COUGH}\n{COUGH_AGAIN}\n\n{TALL}\n")
    return path


def lines(path: Path) -> list[Any]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(instil, ["dedupe", *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def test_kept_rows_are_the_bytes_of_the_input_and_rejected_ones_have_their_nearest(
    rows: Path, tmp_path: Path
) -> None:
    out, rejected = tmp_path / "out.jsonl", tmp_path / "rejected.jsonl"

    code, stdout, stderr = run(rows, "-o", out, "--rejected", rejected)

    assert code == 0
    assert out.read_text() == f"{COUGH}\n{TALL}\n"
    assert rejected.read_text() == (
        '{"place":"rows.jsonl:line 2","score":1.0,"nearest":"What helps against a  cough?",'
        f'"record":{COUGH_AGAIN}}}\n'
    )
    assert stdout == (
        "3 rows = 2 kept + 1 rejected + 0 failed\n"
        "                 1  ROUGE-L above 0.7 with an earlier row\n"
        "compared: 'instruction', found in the first row; --field names another\n"
    )
    assert "comparing: 3 rows" in stderr


def test_a_list_becomes_a_list_or_lines_as_the_output_is_named(rows: Path, tmp_path: Path) -> None:
    source = tmp_path / "rows.json"
    source.write_text(f"[\n {COUGH},\n {COUGH_AGAIN},\n{TALL}]")

    dedupe(source, tmp_path / "out.json", DedupeOptions())
    dedupe(source, tmp_path / "out.jsonl", DedupeOptions())
    source.write_text("[]")
    dedupe(source, tmp_path / "empty.json", DedupeOptions())

    assert (tmp_path / "out.json").read_text() == f"[\n{COUGH},\n{TALL}\n]\n"
    assert (tmp_path / "out.jsonl").read_text() == f"{COUGH}\n{TALL}\n"
    assert (tmp_path / "empty.json").read_text() == "[]\n"


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"id": 1, "instruction": "a b c", "input": "d"}, "instruction"),
        (
            {"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "a b c"}]},
            "messages",
        ),
        (
            {"conversations": [{"from": "human", "value": "a b c"}, {"from": "gpt", "value": "d"}]},
            "conversations",
        ),
        ({"messages": [{"role": "client", "content": "a b c"}]}, "messages"),
        ({"query": ["a b c", "d"], "answer": "e"}, "query"),
        ({"question": "a b c", "answer": "e"}, "question"),
        ({"prompt": "a b c"}, "prompt"),
        ({"text": "a b c"}, "text"),
    ],
)
def test_the_field_is_found_in_the_first_row(record: dict[str, Any], field: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"broken\n" + orjson.dumps(record) + b"\n" + orjson.dumps(record))

    found = dedupe(path, tmp_path / "out", DedupeOptions())

    assert found.fields == (field,)
    assert field in FIELDS
    assert instruction_of(record, field) == "a b c"
    assert (found.counts.kept, found.counts.rejected, found.counts.failed) == (1, 1, 1)


def test_rows_that_cannot_be_compared_are_counted_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{COUGH}\n{{"input": 1}}\n{{"instruction": null}}\n[]\n{{"instr\n{TALL}')

    code, stdout, stderr = run(
        path, "-o", tmp_path / "out", "--rejected", tmp_path / "no", "--json", "--quiet"
    )

    assert code == 0
    found = json.loads(stdout)
    assert (found["asked"], found["kept"], found["rejected"], found["failed"]) == (6, 2, 0, 4)
    assert found["reasons"] == {"no text under 'instruction'": 2, "not JSON": 1, "not a JSON object": 1}
    assert found["failures"] == lines(tmp_path / "no")
    assert [each["place"] for each in found["failures"]] == [
        f"rows.jsonl:line {line}" for line in (2, 3, 4, 5)
    ]
    assert stderr.splitlines()[0] == "  rows.jsonl:line 2: no text under 'instruction'"


def test_many_failures_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{COUGH}\n" + "{}\n" * 9000)

    code, stdout, stderr = run(path, "-o", tmp_path / "out", "--rejected", tmp_path / "no", "--quiet")

    assert code == 0
    assert "9,001 rows = 1 kept + 0 rejected + 9,000 failed" in stdout
    assert stderr.splitlines()[-1] == "  and 8,980 more"
    assert len(lines(tmp_path / "no")) == 9000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (DedupeOptions(), "rows.jsonl:line 1: no text to compare under any of instruction, messages"),
        (
            DedupeOptions(("title", "instruktion")),
            "no row of .* has text under 'instruktion'",
        ),
    ],
)
def test_a_file_without_the_field_is_refused_and_nothing_is_written(
    options: DedupeOptions, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"title": "a", "n": 1}\n' * 3)

    with pytest.raises((RequestError, StageError), match=message) as refused:
        dedupe(path, tmp_path / "out", options)

    assert "--field" in (refused.value.hint or "")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_without_records_is_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("Some words.\nAnd others.\n")

    with pytest.raises(StageError, match=r"no row of .* can be read; rows\.txt:line 1: not JSON") as refused:
        dedupe(path, tmp_path / "out", DedupeOptions())

    assert "JSON, CSV, Parquet and Arrow" in (refused.value.hint or "")
    assert list(tmp_path.iterdir()) == [path]


def test_a_row_of_very_many_keys_is_not_listed_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(orjson.dumps({str(number): "a" for number in range(1000)}))

    with pytest.raises(RequestError) as refused:
        dedupe(path, tmp_path / "out", DedupeOptions())
    assert (refused.value.hint or "").endswith("has 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 988 more")


def test_rows_that_differ_in_another_key_are_compared_by_both(tmp_path: Path) -> None:
    path, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    asked = {"instruction": "Answer the patient"}
    rows = [
        asked | {"input": "My knee has hurt since the fall."},
        asked | {"input": "Is a fever of 39 degrees dangerous?"},
        asked | {"input": "my knee has hurt since the fall"},
        asked | {"input": ""},
        asked,
    ]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))

    _, stdout, _ = run(path, "-o", out)
    assert "5 rows = 1 kept + 4 rejected" in stdout
    assert "most rows are rejected" in stdout
    assert "if it is another key in which they differ, try --field input\n" in stdout

    _, stdout, _ = run(path, "-o", out, "--field", "instruction", "--field", "input", "--json")
    assert json.loads(stdout)["fields"] == ["instruction", "input"]
    assert lines(out) == [rows[0], rows[1], rows[3]]


def test_no_file_is_overwritten_by_another(rows: Path, tmp_path: Path) -> None:
    before = rows.read_bytes()
    link = tmp_path / "link.jsonl"
    link.symlink_to(rows)
    other = tmp_path / "other.jsonl"

    for output, rejected in ((rows, None), (link, None), (other, link), (other, other)):
        with pytest.raises(RequestError, match="is read while") as refused:
            dedupe(rows, output, DedupeOptions(rejected=rejected))
        assert refused.value.exit_code == 2
    for output in (tmp_path, tmp_path / "missing" / "out.jsonl", tmp_path / "out.jsonl.gz"):
        with pytest.raises(RequestError):
            dedupe(rows, output, DedupeOptions())
    with pytest.raises(RequestError, match="no such file"):
        dedupe(tmp_path / "missing.jsonl", other, DedupeOptions())
    assert rows.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [link, rows]


def test_the_most_similar_kept_rows_are_noted_under_alpaca_s_key(rows: Path, tmp_path: Path) -> None:
    with rows.open("a") as file:
        file.write(
            '{"instruction": "what helps against fever", "most_similar_instructions": 1, "é": "\\u00e9"}'
        )

    dedupe(rows, tmp_path / "out", DedupeOptions(most_similar=1))

    first, _, last = (tmp_path / "out").read_text().splitlines()
    assert first == COUGH[:-1] + ',"most_similar_instructions":{}}'
    assert json.loads(last) == {
        "instruction": "what helps against fever",
        "most_similar_instructions": {"What helps against a  cough?": 0.6667},
        "é": "é",
    }


_instructions = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "d,"]), max_size=5).map(" ".join), max_size=10
)


@given(instructions=_instructions, most_similar=st.integers(0, 2), threshold=st.sampled_from([0.4, 0.7, 1.0]))
def test_decisions_are_those_of_the_reference_and_all_rows_are_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, instructions: list[str], most_similar: int, threshold: float
) -> None:
    directory = tmp_path_factory.mktemp("dedupe")
    source, output, rejected = directory / "in.jsonl", directory / "out.jsonl", directory / "no.jsonl"
    source.write_bytes(b"".join(orjson.dumps({"instruction": each}) + b"\n" for each in instructions))
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    kept: list[str] = []
    lost = []
    for each in instructions:
        scores = [scorer.score(other, each)["rougeL"].fmeasure for other in kept]
        if max(scores, default=0) > threshold:
            lost.append((each, kept[scores.index(max(scores))], round(max(scores), 4)))
        else:
            kept.append(each)

    found = dedupe(source, output, DedupeOptions((), threshold, "auto", most_similar, rejected))

    assert [row["instruction"] for row in lines(output)] == kept
    assert [(row["record"]["instruction"], row["nearest"], row["score"]) for row in lines(rejected)] == lost
    assert found.counts.adds_up
    assert found.counts.asked == len(instructions)


def test_rows_of_several_batches_are_compared_with_each_other(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"text": "w{number} x{number} y{number}"}}\n' for number in range(9000)) * 2)

    found = dedupe(path, tmp_path / "out.jsonl", DedupeOptions())

    assert (found.counts.kept, found.counts.rejected) == (9000, 9000)
    assert len(lines(tmp_path / "out.jsonl")) == 9000


def test_a_file_that_is_cut_is_compared_up_to_there_and_the_cut_is_a_failure(tmp_path: Path) -> None:
    packed = tmp_path / "rows.gz"
    packed.write_bytes(gzip.compress(f"{COUGH}\n".encode() * 20_000)[:-30])

    code, stdout, stderr = run(packed, "-o", tmp_path / "out", "--quiet")

    assert code == 0
    assert "= 1 kept + " in stdout
    assert " rejected + 1 failed" in stdout
    assert stderr.startswith("  rows.gz:line ")
    assert stderr.endswith(": the file ends early; nothing was read after it\n")


def test_rows_of_a_table_or_parquet_are_written_as_json(tmp_path: Path) -> None:
    from pyarrow import Table, parquet

    table, columns = tmp_path / "rows.csv", tmp_path / "rows.parquet"
    table.write_text('instruction,output\n"Why, ""so""?",a\nwhy so,b\n')
    parquet.write_table(Table.from_pylist([{"instruction": 'Why, "so"?', "output": "a"}]), columns)

    for source in (table, columns):
        dedupe(source, tmp_path / "out", DedupeOptions(rejected=tmp_path / "no"))
        assert lines(tmp_path / "out") == [{"instruction": 'Why, "so"?', "output": "a"}]
    dedupe(table, tmp_path / "out", DedupeOptions(rejected=tmp_path / "no"))
    assert lines(tmp_path / "no")[0]["record"] == {"instruction": "why so", "output": "b"}


def test_a_full_disk_leaves_an_older_output_as_it_was(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(f'{{"text": "w{number}"}}\n' for number in range(9000)))
    output.write_text("older")

    with disk_full_after(20_000), pytest.raises(StoreError, match=r"cannot write .*out\.jsonl"):
        dedupe(source, output, DedupeOptions())
    assert output.read_text() == "older"
    assert sorted(tmp_path.iterdir()) == [source, output]


def test_an_empty_file_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n")

    found = dedupe(path, tmp_path / "out", DedupeOptions())

    assert isinstance(found, Deduplicated)
    assert (found.fields, found.others, found.counts.asked) == ((), (), 0)
    assert (tmp_path / "out").read_bytes() == b""

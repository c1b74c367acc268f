"""`instil convert` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from instil.cli import instil, main

ROWS = [
    {"instruction": "q", "input": "", "output": "a"},
    {"instruction": "q", "input": "", "output": ""},
    {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}] * 2},
]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of three rows, in the current directory."""
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return Path("in.jsonl")


def test_the_counts_add_up_and_what_is_missing_has_its_reason(source: Path) -> None:
    done = CliRunner().invoke(instil, ["convert", "in.jsonl", "-o", "out.json", "--to", "prompt_completion"])

    assert done.exit_code == 0
    assert done.stdout == (
        "3 rows = 1 kept + 1 rejected + 1 failed\n"
        "                 1  'output' is empty\n"
        "                 1  prompt_completion holds one question and one answer\n"
        "each of them, and why: out.json.failures.jsonl\n"
    )
    assert "in.jsonl:line 2: 'output' is empty\n" in done.stderr
    assert json.loads(Path("out.json").read_text()) == [{"prompt": "q", "completion": "a"}]
    assert len(Path("out.json.failures.jsonl").read_text().splitlines()) == 2


def test_the_result_as_json_is_all_that_standard_output_holds(source: Path) -> None:
    done = CliRunner().invoke(instil, ["convert", "in.jsonl", "-o", "out.jsonl", "--json"])

    assert done.exit_code == 0
    assert json.loads(done.stdout) == {
        "output": "out.jsonl",
        "failures": "out.jsonl.failures.jsonl",
        "asked": 3,
        "kept": 2,
        "rejected": 0,
        "failed": 1,
        "reasons": {"'output' is empty": 1},
    }


def test_what_may_follow_from_and_to_is_said(source: Path) -> None:
    help_text = CliRunner().invoke(instil, ["convert", "--help"]).output
    for name in ("belle_multiturn", "openassistant_best", "lmflow_text2text"):
        assert name in help_text
    done = CliRunner().invoke(instil, ["convert", "in.jsonl", "-o", "out.jsonl", "--to", "oig"])
    assert done.exit_code == 2
    assert "'oig' is not one of" in done.output


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["none.jsonl", "-o", "out.jsonl"], 2, "error: no such file: 'none.jsonl'\n"),
        (["in.jsonl", "-o", "in.jsonl"], 2, "hint: name another file; nothing was changed\n"),
        (["in.jsonl", "-o", "out.csv"], 2, "hint: end it in .jsonl, .json, .jsonl.gz"),
        (
            ["in.jsonl", "-o", "out.jsonl", "--from", "oig"],
            1,
            "'text' is missing\nhint: nothing was written\n",
        ),
    ],
)
def test_an_error_has_its_exit_code_and_a_way_out(
    source: Path,
    arguments: list[str],
    code: int,
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["instil", "convert", *arguments, "--quiet"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == code
    assert error in capsys.readouterr().err
    assert list(Path().iterdir()) == [source]

"""What people and programs read: tables, progress lines, JSON."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from instil.cli import display, instil
from instil.data.text import printable
from instil.pipeline import Action, Step
from instil.stages.base import Estimate


def test_plain_progress_ends_with_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    with display.open_progress(quiet=False).task("asking", total=4, unit="calls") as task:
        task.advance(1, "$0.10 so far")
        task.advance(3)

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("  asking: 4 of 4 calls in 0 s, ")
    assert printed.err.endswith("/s, $0.10 so far\n")


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    progress = display.open_progress(quiet=True)
    with progress.task("asking", total=4, unit="calls") as task:
        task.advance(4)
    progress.say("a note")

    assert capsys.readouterr() == ("", "")


def test_a_table_is_aligned_and_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    display.print_table(["name", "rows"], [["呼吸\x1b[2J", "7"], ["b", "12"]])

    assert capsys.readouterr().out.splitlines() == [
        "name      rows",
        "呼吸\ufffd[2J     7",
        "b           12",
    ]


def test_printable_keeps_text_and_takes_controls() -> None:
    assert printable("好\tday\n\x1b[31mred\u202e") == "好\tday\n\ufffd[31mred\ufffd"


def test_doctor_names_every_package_and_its_extra() -> None:
    result = CliRunner().invoke(instil, ["doctor", "--json"])

    found = json.loads(result.output)
    assert found["machine"]["cores"].isdigit()
    assert {row["package"] for row in found["packages"]} >= {"torch", "aiohttp", "peft"}
    assert all(row["version"] for row in found["packages"])


def test_a_plan_names_what_its_estimate_rests_on(capsys: pytest.CaptureFixture[str]) -> None:
    estimate = Estimate(
        calls=7, paid=True, input_tokens=70, output_tokens=700, cost_usd=0.5, assumptions=("list price", "b")
    )
    display.print_plan([Step("generate", Action.RUN, ("nothing is there yet",), estimate=estimate)])

    assert capsys.readouterr().out.splitlines() == [
        "+ generate  run       nothing is there yet",
        "                      7 calls, about 70 input and at most 700 output tokens, at most $0.50",
        "                        list price",
        "                        b",
    ]

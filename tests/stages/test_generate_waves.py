"""Later waves: what they would cost, when they end, and that asking about it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from instil.data.progress import Silent
from instil.stages.base import Context
from instil.stages.generate import GENERATE, GenerateConfig
from tests.fakes import Reply, Script, items, says, serving
from tests.stages.test_generate_modes import Workshop, inventing

BOOTSTRAP = {"kind": "bootstrap", "human_seeds": 2, "machine_seeds": 2}
SAME = says(items(("the very same words once more", "a"), ("the very same words once more", "b")))


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


class Said(Silent):
    """A progress display that keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def estimated_calls(workshop: Workshop, config: GenerateConfig) -> int:
    return GENERATE.estimate(config, workshop.context()).calls


def test_an_estimate_reads_the_waves_that_are_known_and_counts_those_that_would_follow(
    workshop: Workshop,
) -> None:
    with serving(inventing()) as server:
        config = workshop.config(server, BOOTSTRAP, 24, wave_calls=3)
        before = estimated_calls(workshop, config)
        workshop.go(config)
        after = estimated_calls(workshop, config)
        # Other tasks are accepted, so every wave but the first shows other ones.
        filters = [{"kind": "length", "min_words": 4}]
        other = workshop.config(server, BOOTSTRAP, 24, wave_calls=3, filters=filters)
        changed = estimated_calls(workshop, other)
        asked = len(server.prompts)
        workshop.go(other)
        paid_again = len(server.prompts) - asked

    assert (before, after) == (12, 0)
    assert changed == paid_again == 9


def test_an_estimate_changes_neither_the_journal_nor_the_work(workshop: Workshop) -> None:
    with serving(inventing()) as server:
        config = workshop.config(server, BOOTSTRAP, 12, wave_calls=3)
        workshop.go(config)
        journal = workshop.directory / "journal.jsonl"
        with journal.open("ab") as file:
            file.write(b'{"key": "torn')
        before, work = journal.read_bytes(), workshop.bytes()
        estimated_calls(workshop, config)

    assert journal.read_bytes() == before
    assert workshop.bytes() == work


def test_a_call_in_vain_does_not_end_the_search_for_the_last_example(workshop: Workshop) -> None:
    invent = inventing()
    # The second call, and the three that make good for it, bring nothing new.
    answers = iter([invent({}), SAME, SAME, SAME, SAME])
    with serving(lambda body: next(answers, None) or invent(body)) as server:
        filters = [{"kind": "rouge_l"}]
        config = workshop.config(
            server, "seed", 4, filters=filters, shortfall="ask_again", max_calls=20, teacher=one(server)
        )
        result = workshop.go(config)

    assert result.counts.kept == 4 + 1  # SAME gave one
    assert result.details["calls"] == 6


def one(server: Any) -> dict[str, Any]:
    return {
        "kind": "openai_compatible",
        "base_url": server.base_url,
        "model": "large",
        "max_concurrency": 1,
        "max_attempts": 1,
    }


@pytest.mark.parametrize(
    ("most", "said"),
    [
        (5, "note: 1 of 4 kept after 5 calls; max_calls allows no more"),
        (99, "note: 1 of 4 kept after 12 calls; the last 10 gave nothing"),
    ],
)
def test_where_nothing_new_comes_the_run_ends_and_says_so(workshop: Workshop, most: int, said: str) -> None:
    with serving(SAME) as server:
        filters = [{"kind": "rouge_l"}]
        config = workshop.config(server, "seed", 4, filters=filters, shortfall="ask_again", max_calls=most)
        progress = Said()
        context = workshop.context()
        GENERATE.run(config, Context(context.seed, context.work, context.inputs, context.shared, progress))

    assert progress.lines == [said]


def test_random_coverage_stays_random_where_something_is_missing(workshop: Workshop) -> None:
    def script(body: Mapping[str, Any]) -> Reply:
        # One item of the two that were asked for, so that every call falls short.
        rows = json.loads(json.loads(invent(body).body)["choices"][0]["message"]["content"])
        return says(json.dumps(rows[:1]))

    invent = inventing()
    with serving(script) as server:
        options: dict[str, Any] = {"coverage": "random", "shortfall": "ask_again", "max_calls": 24}
        workshop.go(workshop.config(server, "seed", 24, **options))
        asked = list(server.prompts)
        (workshop.directory / "other").mkdir()
        more = Workshop(workshop.directory / "other")
        more.go(more.config(server, "seed", 48, coverage="random"))

    assert len(asked) == 24
    # The calls for what is missing are the next ones of the same random series.
    assert sorted(server.prompts[24:]) == sorted(asked)


def continuing() -> Script:
    """Goes on from the last label of the prompt, as a model does that completes a text."""
    number = iter(range(1000))

    def script(_body: Mapping[str, Any]) -> Reply:
        first, second = (f"Task of {word} number {next(number)}" for word in ("amber", "basil"))
        return says(
            f" {first}\n3. Input:\n<noinput>\n3. Output:\nA\n###\n4. Instruction: {second}\n"
            "4. Input:\n<noinput>\n4. Output:\nB\n"
        )

    return script


def test_a_prompt_that_ends_in_a_label_and_a_newline_loses_no_first_task(workshop: Workshop) -> None:
    prompt = workshop.directory / "prompt.j2"
    prompt.write_text("{% for s in seeds %}\n{{ s.instruction }}\n{% endfor %}\n3. Instruction:\n")
    with serving(continuing()) as server:
        result = workshop.go(workshop.config(server, "seed", 4, prompt=str(prompt), answers="numbered"))

    assert server.prompts[0].endswith("\n3. Instruction:\n")
    assert (result.counts.kept, result.counts.rejected) == (4, 0)

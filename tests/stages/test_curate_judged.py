"""Curating with a judge: who is asked about what, what it costs, and what happens when calls fail."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.examples import Counts, Example, Origin
from instil.data.jsonl import read_jsonl, write_jsonl
from instil.data.messages import Message
from instil.errors import BudgetSpent, RecipeError, RequestError, StageError, TeacherRefused
from instil.filters.judged import JudgedConfig
from instil.filters.similarity import RougeLConfig
from instil.stages.base import Context, Result
from instil.stages.curate import CURATE, CurateConfig
from instil.teachers.base import Completion
from tests.fakes import Reply, Script, ScriptedServer, fails, says, serving


def example(question: str, answer: str = "an answer") -> Example:
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(messages=turns, origin=Origin(kind="teacher", name="teacher-1"))


def scored(score: float) -> str:
    return json.dumps(
        {"reason": "so", "scores": {"correctness": score, "helpfulness": score, "clarity": score}}
    )


def judging(scores: Mapping[str, float | Reply]) -> Script:
    """Score each question so; everything else gets 5."""

    def script(body: Any) -> Reply:
        prompt = body["messages"][-1]["content"]
        for question, score in scores.items():
            if f"[user]\n{question}\n" in prompt:
                return score if isinstance(score, Reply) else says(scored(score), usage=USED)
        return says(scored(5), usage=USED)

    return script


USED = {"prompt_tokens": 300, "completion_tokens": 30}


def questions(server: ScriptedServer) -> list[str]:
    """What the judge was asked about, in order of the alphabet."""
    return sorted(re.search(r"\[user\]\n(.*)\n", prompt)[1] for prompt in server.prompts)  # type: ignore[index]


def judge(server: ScriptedServer, **options: Any) -> dict[str, Any]:
    teacher = {
        "kind": "openai_compatible",
        "model": "judge-1",
        "base_url": server.base_url,
        "max_attempts": 1,
    }
    teacher |= options.pop("teacher", {})
    return {"kind": "judged", "teacher": teacher, **options}


def context(tmp_path: Path) -> Context:
    inputs = {"generate": tmp_path / "generate"}
    return Context(seed=0, work=tmp_path / "work", inputs=inputs, shared=tmp_path / "shared")


def config(*filters: dict[str, Any]) -> CurateConfig:
    return CurateConfig.model_validate({"filters": list(filters)})


def curate(tmp_path: Path, filters: list[dict[str, Any]], *rows: Example) -> Result:
    """Run the stage over what a `generate` stage would have written."""
    write_jsonl(tmp_path / "generate" / "examples.jsonl", (row.row() for row in rows))
    return CURATE.run(config(*filters), context(tmp_path))


def kept(tmp_path: Path) -> list[Example]:
    return [Example.model_validate(row) for _, row in read_jsonl(tmp_path / "work" / "kept.jsonl")]


def written(tmp_path: Path, name: str) -> list[dict[str, Any]]:
    return [row for _, row in read_jsonl(tmp_path / "work" / f"{name}.jsonl")]


def asked_about(rows: list[Example]) -> list[str]:
    return [row.messages[0].content for row in rows]


GOOD, BAD, ODD = example("how tall is he"), example("what is a cough"), example("why is the sky blue")


def test_rows_are_kept_with_their_scores_or_rejected_with_them(tmp_path: Path) -> None:
    with serving(judging({"what is a cough": 2, "how tall is he": 4})) as server:
        result = curate(tmp_path, [judge(server)], GOOD, BAD, ODD)
    assert asked_about(kept(tmp_path)) == ["how tall is he", "why is the sky blue"]
    assert kept(tmp_path)[0].scores["judge"] == 4
    assert kept(tmp_path)[0].scores["judge.clarity"] == 4
    [rejection] = written(tmp_path, "rejected")
    assert (rejection["filter"], rejection["reason"], rejection["score"]) == ("judged", "judge below 3.5", 2)
    assert result.counts == Counts(asked=3, kept=2, rejected=1, reasons={"judged: judge below 3.5": 1})
    assert result.unfinished is None


def test_only_what_the_filters_before_let_pass_is_judged_and_each_once(tmp_path: Path) -> None:
    with serving(judging({})) as server:
        result = curate(
            tmp_path,
            [{"kind": "length", "min_words": 3}, judge(server)],
            GOOD,
            example("cough"),
            GOOD,
            BAD,
        )
        assert questions(server) == ["how tall is he", "what is a cough"]
    assert result.counts == Counts(asked=4, kept=3, rejected=1, reasons={"length: question too short": 1})
    length, judged = result.details["filters"]
    assert (length["seen"], length["rejected"], judged["seen"], judged["rejected"]) == (4, 1, 3, 0)


def test_another_threshold_or_another_filter_costs_no_call(tmp_path: Path) -> None:
    with serving(judging({"what is a cough": 3})) as server:
        curate(tmp_path, [judge(server)], GOOD, BAD)
        assert asked_about(kept(tmp_path)) == ["how tall is he"]
        calls = len(server.bodies)
        curate(tmp_path, [{"kind": "refusal"}, judge(server, min_score=3.0)], GOOD, BAD)
        assert asked_about(kept(tmp_path)) == ["how tall is he", "what is a cough"]
        assert len(server.bodies) == calls == 2


def test_a_copy_of_what_the_judge_rejects_gets_its_own_chance(tmp_path: Path) -> None:
    # Were the first accepted, the others would be too similar to it; it is not, so the second is judged
    # and, being good, shuts out the third, which is never judged.
    rows = [example(f"what helps against a bad cough{end}") for end in ("", " now", " now please")]
    novelty = {"kind": "rouge_l", "threshold": 0.7}
    with serving(judging({rows[0].messages[0].content: 1})) as server:
        result = curate(tmp_path, [novelty, judge(server)], *rows)
        assert questions(server) == asked_about(rows[:2])
    assert asked_about(kept(tmp_path)) == asked_about(rows[1:2])
    assert [row["filter"] for row in written(tmp_path, "rejected")] == ["judged", "rouge_l"]
    assert result.counts.adds_up


def test_a_second_judge_is_asked_about_what_the_first_lets_pass(tmp_path: Path) -> None:
    with serving(judging({"what is a cough": 1})) as first, serving(judging({"how tall is he": 1})) as second:
        other = judge(second, name="panel", teacher={"model": "judge-2"})
        curate(tmp_path, [judge(first), other], GOOD, BAD, ODD)
        assert questions(first) == ["how tall is he", "what is a cough", "why is the sky blue"]
        assert questions(second) == ["how tall is he", "why is the sky blue"]
    [row] = kept(tmp_path)
    assert row.messages == ODD.messages
    assert {name: row.scores[name] for name in ("judge", "panel")} == {"judge": 5, "panel": 5}


def test_the_number_of_calls_at_once_does_not_change_the_files(tmp_path: Path) -> None:
    rows = [example(f"question number {number} of many") for number in range(40)]
    low = {row.messages[0].content: 1.0 for row in rows[::3]}
    found = []
    for name, most in (("one", 1), ("many", 16)):
        with serving(judging(low)) as server:
            filters = [{"kind": "rouge_l"}, judge(server, teacher={"max_concurrency": most})]
            curate(tmp_path / name, filters, *rows)
        work = tmp_path / name / "work"
        found.append([(work / f"{file}.jsonl").read_bytes() for file in ("kept", "rejected", "failures")])
    assert found[0] == found[1]


def test_an_answer_without_scores_rejects_the_row_and_is_not_asked_again(tmp_path: Path) -> None:
    with serving(judging({"what is a cough": says("I will not say.", usage=USED)})) as server:
        result = curate(tmp_path, [judge(server)], GOOD, BAD)
        curate(tmp_path, [judge(server)], GOOD, BAD)
        assert len(server.bodies) == 2
    assert result.counts.reasons == {"judged: no scores in the judge's answer": 1}
    assert written(tmp_path, "rejected")[0]["text"] == "I will not say."


def test_a_call_that_fails_for_good_is_one_row_in_failures(tmp_path: Path) -> None:
    with serving(judging({"what is a cough": fails(400, "too strange")})) as server:
        result = curate(tmp_path, [judge(server)], GOOD, BAD, BAD, ODD)
        assert len(server.bodies) == 3
    assert asked_about(kept(tmp_path)) == ["how tall is he", "why is the sky blue"]
    assert written(tmp_path, "rejected") == []
    failures = written(tmp_path, "failures")
    assert [Example.model_validate(row["example"]) for row in failures] == [BAD, BAD]
    assert "too strange" in failures[0]["reason"]
    assert result.counts == Counts(asked=4, kept=2, failed=2, reasons={"judged: call failed": 2})
    assert result.unfinished is None


def test_a_failed_row_does_not_shut_out_others(tmp_path: Path) -> None:
    rows = [example("what helps against a bad cough"), example("what helps against a bad cough now")]
    with serving(judging({rows[0].messages[0].content: fails(400)})) as server:
        curate(tmp_path, [{"kind": "rouge_l"}, judge(server)], *rows)
    assert asked_about(kept(tmp_path)) == asked_about(rows[1:])


def test_a_passing_failure_leaves_the_stage_to_be_tried_again(tmp_path: Path) -> None:
    replies: dict[str, float | Reply] = {"what is a cough": fails(500)}
    with serving(judging(replies)) as server:
        result = curate(tmp_path, [judge(server)], GOOD, BAD)
        assert result.unfinished == "1 call to the judge failed for a passing reason"
        assert result.counts == Counts(asked=2, kept=1, failed=1, reasons={"judged: call failed": 1})
        replies["what is a cough"] = 4
        again = curate(tmp_path, [judge(server)], GOOD, BAD)
        assert questions(server) == ["how tall is he", "what is a cough", "what is a cough"]
    assert again.unfinished is None
    assert again.counts == Counts(asked=2, kept=2)
    assert written(tmp_path, "failures") == []


def test_a_judge_that_answers_nothing_at_all_stops_the_stage(tmp_path: Path) -> None:
    rows = [example(f"question number {number}") for number in range(30)]
    with serving(fails(500)) as server, pytest.raises(StageError, match="answered none of 8 calls"):
        curate(tmp_path, [judge(server, teacher={"max_concurrency": 4})], *rows)


def test_a_refused_key_stops_at_once_and_answers_so_far_are_kept(tmp_path: Path) -> None:
    rows = [example(f"question number {number}") for number in range(20)]
    replies: dict[str, float | Reply] = {"question number 9": fails(401, "wrong key")}
    with serving(judging(replies)) as server:
        one_by_one = judge(server, teacher={"max_concurrency": 1})
        with pytest.raises(TeacherRefused, match="wrong key"):
            curate(tmp_path, [one_by_one], *rows)
        assert len(server.bodies) == 10
        replies.clear()
        assert curate(tmp_path, [one_by_one], *rows).counts == Counts(asked=20, kept=20)
        assert len(server.bodies) == 21


def test_a_budget_is_for_all_passes_and_runs_and_is_not_overrun(tmp_path: Path) -> None:
    rows = [example(f"question number {number}") for number in range(20)]
    limits = {"budget": {"max_tokens": 5_000}, "max_tokens": 200, "max_concurrency": 1}
    with serving(judging({})) as server:
        for _ in range(2):
            with pytest.raises(BudgetSpent, match="5,000 tokens"):
                curate(tmp_path, [judge(server, teacher=limits)], *rows)
        answered = len(server.bodies)
    journal = [row for _, row in read_jsonl(tmp_path / "shared" / "journal.jsonl")]
    assert 5 < answered == len(journal) < 20
    assert sum(sum(row["completion"]["usage"].values()) for row in journal) <= 5_000


def test_the_estimate_counts_what_is_not_in_the_journal(tmp_path: Path) -> None:
    with serving(judging({})) as server:
        price = {"input_usd": 1.0, "output_usd": 2.0}
        filters = [judge(server, teacher={"price": price, "max_tokens": 100})]
        curate(tmp_path, filters, GOOD)
        write_jsonl(tmp_path / "generate" / "examples.jsonl", (row.row() for row in (GOOD, BAD, BAD, ODD)))
        found = CURATE.estimate(config(*filters), context(tmp_path))
        assert (found.calls, found.paid, found.output_tokens) == (2, True, 200)
        assert found.cost_usd
        assert found.cost_usd >= 200 * 2.0 / 1e6
        assert any("can make room for a similar one" in line for line in found.assumptions)
        curate(tmp_path, filters, GOOD, BAD, BAD, ODD)
        assert CURATE.estimate(config(*filters), context(tmp_path)).calls == 0
        assert len(server.bodies) == 3


def test_only_what_would_be_asked_is_estimated_and_nothing_is_written(tmp_path: Path) -> None:
    short = {"kind": "length", "min_words": 3}
    with serving(judging({"what is a cough": 2})) as server:
        write_jsonl(
            tmp_path / "generate" / "examples.jsonl", (row.row() for row in (GOOD, example("cough"), BAD))
        )
        assert CURATE.estimate(config(short, judge(server)), context(tmp_path)).calls == 2
        assert not (tmp_path / "shared").exists()

        curate(tmp_path, [short, judge(server)], GOOD, example("cough"), BAD)
        for score in (1, 5):
            # Another threshold is free, so that a finished stage is made again without a question.
            free = config(short, judge(server, min_score=score))
            assert CURATE.estimate(free, context(tmp_path)).calls == 0


def test_without_a_judge_and_before_there_are_rows_nothing_is_estimated(tmp_path: Path) -> None:
    with serving(judging({})) as server:
        assert CURATE.estimate(config(judge(server)), context(tmp_path)).calls == 0
        assert CURATE.estimate(config({"kind": "refusal"}), context(tmp_path)).calls == 0


def test_what_is_missing_is_found_before_anything_runs(tmp_path: Path) -> None:
    teacher = {"kind": "openai_compatible", "provider": "openai", "model": "gpt-x"}
    with pytest.raises(RequestError, match="OPENAI_API_KEY"):
        CURATE.preflight(config({"kind": "judged", "teacher": teacher}))
    (tmp_path / "list.txt").write_text("re: (\n")
    with pytest.raises(RecipeError, match=r"list\.txt:1: "):
        CURATE.preflight(config({"kind": "unsafe", "lists": [str(tmp_path / "list.txt")]}))
    CURATE.preflight(config({"kind": "refusal"}, {"kind": "pii"}))


WORDS = ("cough", "fever", "tea", "rest")
_questions = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join), max_size=8)


@given(questions=_questions, low=st.sets(st.sampled_from(WORDS), max_size=3), first=st.booleans())
def test_the_passes_end_where_judging_row_by_row_ends(
    tmp_path_factory: pytest.TempPathFactory, questions: list[str], low: set[str], first: bool
) -> None:
    """Against the definition: each row in turn, its judge asked when its turn comes."""
    tmp_path = tmp_path_factory.mktemp("passes")
    rows = [example(question) for question in questions]

    def good(row: Example) -> bool:
        return row.messages[0].content.split()[0] not in low

    recording = tmp_path / "answers.jsonl"
    recording.write_text("")
    judged = {"kind": "judged", "teacher": {"kind": "recorded", "path": str(recording)}}
    ask = JudgedConfig.model_validate(judged).build().request
    answers = [
        {"request": ask(row).content, "completion": Completion(text=scored(5 if good(row) else 1)).row()}
        for row in rows
    ]
    write_jsonl(recording, answers)

    novelty = RougeLConfig(kind="rouge_l", threshold=0.6).build()
    expected = []
    for row in rows:
        if good(row) and novelty.check(row) is None:
            novelty.accept(row)
            expected.append(row.messages)

    similar = {"kind": "rouge_l", "threshold": 0.6}
    result = curate(tmp_path, [judged, similar] if first else [similar, judged], *rows)
    assert [row.messages for row in kept(tmp_path)] == expected
    assert result.counts.adds_up
    assert result.counts.asked == len(rows)

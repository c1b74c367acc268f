"""Scores are what their definition says, with honest standard errors."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import orjson
import pytest

from instil.engines.transformers import TransformersEngine
from instil.errors import RecipeError, StageError
from instil.evals.answers import AnswersConfig
from instil.evals.base import Subjects, mean, ratio, read_items
from instil.evals.loss import LossConfig, unigram_losses
from instil.models.render import Rendered
from tests.tiny import example, rows, shared_model, write_rows


def _subjects(tmp_path: Path) -> Subjects:
    path = write_rows(tmp_path / "rows.jsonl", rows(6))
    return Subjects({"tuned": TransformersEngine(shared_model())}, train=path, validation=path)


def test_an_untrained_model_is_near_the_uniform_loss(tmp_path: Path) -> None:
    report = LossConfig(kind="loss", name="held-out").measure(_subjects(tmp_path))

    nats = {score.subject: score.value for score in report.scores if score.metric == "nats per token"}
    assert nats["tuned"] == pytest.approx(math.log(len(shared_model().tokenizer)), rel=0.02)
    assert nats["unigram"] < nats["tuned"]


def test_bits_per_byte_is_the_loss_over_the_bytes_of_the_answers(tmp_path: Path) -> None:
    report = LossConfig(kind="loss", name="held-out").measure(_subjects(tmp_path))

    tuned = {score.metric: score.value for score in report.scores if score.subject == "tuned"}
    answers = [row.messages[-1].content for row in rows(6)]
    # Every answer's tokens and its end mark; the tiny tokenizer writes a byte or more a token.
    tokens = sum(len(shared_model().tokenizer(answer)["input_ids"]) + 1 for answer in answers)
    size = sum(len(answer.encode()) for answer in answers)
    assert tuned["bits per byte"] == pytest.approx(tuned["nats per token"] * tokens / size / math.log(2))


def test_unigram_losses_by_hand() -> None:
    row = Rendered(input_ids=(9, 1, 2), mask=(False, True, True))

    # Counts 3 and 0, plus one each: 4/5 and 1/5.
    (loss,) = unigram_losses(Counter({1: 3}), [row])

    assert loss == pytest.approx(-math.log(4 / 5) - math.log(1 / 5))


def test_mean_and_ratio_have_the_textbook_errors() -> None:
    assert mean([1.0, 0.0, 1.0, 0.0]) == pytest.approx((0.5, math.sqrt(1 / 3 / 4)))
    assert mean([1.0]) == (1.0, None)
    value, stderr = ratio([2.0, 4.0], [1.0, 2.0])
    assert (value, stderr) == (2.0, 0.0)
    assert ratio([1.0, 3.0], [1.0, 1.0]) == pytest.approx((2.0, 1.0))


def test_expected_words_are_found_whatever_their_capitals(tmp_path: Path) -> None:
    answer = next(iter(TransformersEngine(shared_model()).greedy([rows(1)[0].messages[:1]], 20)))
    message = [
        {"role": "user", "content": rows(1)[0].messages[0].content},
        {"role": "assistant", "content": "x"},
    ]
    path = tmp_path / "items.jsonl"
    path.write_bytes(
        orjson.dumps({"messages": message, "expect": [answer.swapcase()], "task": "a"})
        + b"\n"
        + orjson.dumps({"messages": message, "expect": ["surely not in it"], "task": "b"})
        + b"\n"
    )

    report = AnswersConfig(kind="answers", name="n", path=path, max_tokens=20).measure(_subjects(tmp_path))

    values = {score.metric: score.value for score in report.scores}
    assert values == {"expected words": 0.5, "expected words, a": 1.0, "expected words, b": 0.0}
    assert [row["right"] for row in report.transcripts] == [True, False]


def test_a_row_that_is_none_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"messages": []}\n')

    with pytest.raises(RecipeError, match=r"items\.jsonl:1: not an evaluation row"):
        list(read_items(path))


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text("")

    with pytest.raises(StageError, match="there are no rows"):
        AnswersConfig(kind="answers", name="n", path=path).measure(_subjects(tmp_path))
    with pytest.raises(StageError, match="has no rows"):
        LossConfig(kind="loss", name="n", path=path).measure(_subjects(tmp_path))


def test_rows_that_no_model_can_read_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [*rows(3), example("Tell me.", "word " * 200)])
    subjects = Subjects({"tuned": TransformersEngine(shared_model())}, train=None, validation=path)

    report = LossConfig(kind="loss", name="held-out").measure(subjects)

    assert report.items == 3
    assert report.left_out == {"more tokens than the model can read": 1}
    assert {score.n for score in report.scores} == {3}


def test_questions_that_no_model_can_read_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    for question in ("short", "word " * 200):
        messages = [{"role": "user", "content": question}, {"role": "assistant", "content": "x"}]
        with path.open("ab") as file:
            file.write(orjson.dumps({"messages": messages, "expect": ["x"]}) + b"\n")
    subjects = Subjects({"tuned": TransformersEngine(shared_model())}, train=None, validation=None)

    report = AnswersConfig(kind="answers", name="n", path=path, max_tokens=4).measure(subjects)

    assert (report.items, report.left_out.total()) == (1, 1)

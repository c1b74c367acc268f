"""Whole samples of published corpora: how many rows each gives, and why the rest gives none."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from instil.corpora.base import Failure, Row
from instil.corpora.containers import read_records
from instil.corpora.files import FilesConfig
from instil.corpora.formats import FORMATS
from instil.corpora.tasks import MultipleChoice

DATA = Path(__file__).parents[2].parent / "shared" / "data"

# Rows, and the failures by reason; everything is read without naming its format.
SAMPLES: dict[str, tuple[int, dict[str, int]]] = {
    "alpaca/alpaca_data.json": (51_974, {"'output' is empty": 28}),
    "alpaca_zh/alpaca_data-00000-03252-zh.json": (3_243, {"'output' is empty": 4}),
    "alpaca_zh/alpaca_data-03252-06382-zh.json": (2_982, {}),
    "alpaca_zh/alpaca_data-06382-09407-zh.json": (3_020, {"'output' is empty": 2}),
    "alpaca_zh/alpaca_data-12345-15323-zh.json": (2_976, {"'output' is empty": 2}),
    "alpaca_zh/alpaca_data-15323-18280-zh.json": (2_957, {}),
    "alpaca_zh/alpaca_data-18280-21320-zh.json": (2_290, {}),
    "chatdoctor/chatdoctor5k.json": (5_452, {}),
    "fastchat/dummy_conversation.json": (500, {}),
    "gsm8k/test.jsonl": (1_319, {}),
    "gsm8k/train.jsonl": (7_473, {}),
    "huatuo/llama_data.json": (8_658, {}),
    "medicalgpt/Belle_open_source_1k.json": (1_000, {}),
    "medicalgpt/medical_sft_1K_format.jsonl": (1_000, {}),
    "medicalgpt/sharegpt_zh_1K_format.jsonl": (999, {"no question with an answer": 1}),
    "medmcqa/medmcqa_dev.json": (4_183, {}),
    "medqa_usmle/medqa_us_4options_test.jsonl": (1_273, {}),
    # 5 of the 100 trees were written by a model.
    "openassistant/en_100_tree.jsonl": (
        529,
        {"no path ends with an answer that people wrote and let pass": 5},
    ),
    "pubmedqa/ori_pqal.json": (1_000, {}),
    "pubmedqa/test_ground_truth.json": (0, {"answers without their questions": 1}),
    "self_instruct/seed_tasks.jsonl": (175, {}),
    "self_instruct/user_oriented_instructions.jsonl": (252, {}),
    "smile/smilechat_4000.jsonl": (3_994, {"no question with an answer": 6}),
    # Prompts of benchmarks, which have no answers.
    "ifeval/input_data.jsonl": (
        0,
        {"no known format has the keys instruction_id_list, key, kwargs, prompt": 541},
    ),
    "mt_bench/mt_bench_question.jsonl": (
        0,
        {
            "no known format has the keys category, question_id, turns": 41,
            "no known format has the keys category, question_id, reference, turns": 39,
        },
    ),
}


def source(name: str) -> FilesConfig:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here: samples of published corpora were not read")
    return FilesConfig(kind="files", name="sample", path=path)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_published_sample_gives_as_many_rows(name: str) -> None:
    rows, reasons = 0, Counter[str]()
    config = source(name)
    for part in config.parts():
        for each in config.open(part, seed=17):
            if isinstance(each, Row):
                rows += 1
            else:
                assert isinstance(each, Failure)
                reasons[each.reason.partition(":")[0]] += 1
    assert (rows, dict(reasons)) == SAMPLES[name]


def test_prompts_of_benchmarks_are_questions() -> None:
    assert sum(1 for _ in source("ifeval/input_data.jsonl").read_questions()) == 541


def test_the_right_choice_of_medmcqa_is_the_one_that_its_explanation_names() -> None:
    """If `cop` were counted from the wrong number, none of them would be."""
    letter = re.compile(
        r"\W*(?:ans(?:wer)?|correct (?:answer|option))\W*(?:is\W*)?([a-d])[\W_]", re.IGNORECASE
    )
    named: Counter[bool] = Counter()
    for each in read_records(source("medmcqa/medmcqa_dev.json").path):
        assert not isinstance(each, Failure)
        (task,) = FORMATS["medmcqa"].read(each.value)
        assert isinstance(task, MultipleChoice)
        if found := letter.match(task.explanation or ""):
            named["abcd".index(found[1].lower()) == task.answer] += 1
    assert named[True] > 500
    assert named[True] > 15 * named[False]

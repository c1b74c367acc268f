"""Published tables as entries of a recipe, whole, where they are at hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from instil.corpora.base import Row
from instil.corpora.files import FilesConfig

SHARED = Path(__file__).parents[3] / "shared" / "data"
LETTERS = {"kind": "multiple_choice", "question": "question"}
ENTRIES: dict[str, tuple[str, dict[str, Any], dict[str, int]]] = {
    "table with fields": (
        "chatdoctor/disease_database_mini.csv",
        {
            "where": "(Symptom | as_list | length) >= 5",
            "fields": {
                "user": "Which symptoms does a patient with {{ disease | lower }} have?",
                "assistant": '{{ Symptom | as_list | map("lower") | join(", ") }}.',
            },
        },
        {"Row": 99, "Excluded": 1},
    ),
    "table with labels": (
        "chatdoctor/disease_database_mini.csv",
        {
            "task": {
                "kind": "classification",
                "text": "{{ Symptom | as_list | join(', ') }}",
                "label": "disease",
            }
        },
        {"Row": 100},
    ),
    "MedMCQA": (
        "medmcqa/medmcqa_dev.json",
        {
            "where": 'choice_type is defined and choice_type == "single"',
            "task": {
                **LETTERS,
                "choices": ["opa", "opb", "opc", "opd"],
                "answer": "cop",
                "answer_as": "number_from_1",
                "explanation": "exp",
            },
        },
        {"Row": 2816, "Excluded": 1367},
    ),
    "MedQA": (
        "medqa_usmle/*.jsonl",
        {"task": {**LETTERS, "choices": ["options"], "answer": "answer_idx", "answer_as": "letter"}},
        {"Row": 1273},
    ),
    "PubMedQA": (
        "pubmedqa/ori_pqal.json",
        {
            "task": {
                "kind": "reading_comprehension",
                "passage": "CONTEXTS",
                "question": "QUESTION",
                "answer": "final_decision",
                "choices": ["yes", "no", "maybe"],
                "explanation": "LONG_ANSWER",
            }
        },
        {"Row": 1000},
    ),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not here: published tables are not read")
@pytest.mark.parametrize("name", ENTRIES)
def test_a_published_table_is_one_entry_of_a_recipe(name: str) -> None:
    path, options, expected = ENTRIES[name]
    config = FilesConfig(kind="files", name="published", path=SHARED / path, **options)
    found = [each for part in config.parts() for each in config.open(part, 1)]
    assert Counter(type(each).__name__ for each in found) == expected
    labels = [each.label for each in found if isinstance(each, Row)]
    if "task" in options:
        assert len({label.template for label in labels if label is not None}) >= 3


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not here: published tables are not read")
def test_the_label_of_every_published_row_reads_back_from_its_answer() -> None:
    for path in ("medmcqa/medmcqa_dev.json", "medqa_usmle/*.jsonl", "pubmedqa/ori_pqal.json"):
        config = FilesConfig(kind="files", name="published", path=SHARED / path)
        for part in config.parts():
            for each in config.open(part, 3):
                assert isinstance(each, Row)
                assert each.label is not None
                assert each.label.answer in each.turns[-1][1]
                assert each.label.answer in each.label.choices

"""What is exported is read by the tools that it is for, as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from instil.config.yaml import read_yaml
from instil.data.examples import Example, Origin
from instil.export.data import ExportOptions, export_data
from instil.export.targets import TARGETS
from tests.export.runs import ALPACA, example, mixed_run, rows
from tests.tiny import fresh_model

datasets = pytest.importorskip("datasets")

# Of what data/README.md of LLaMA-Factory documents.
LLAMA_FACTORY = {
    "columns": {"prompt", "query", "response", "history", "messages", "system"},
    "tags": {
        "role_tag",
        "content_tag",
        "user_tag",
        "assistant_tag",
        "observation_tag",
        "function_tag",
        "system_tag",
    },
}


def export(directory: Path, target: str, train: list[Example], validation: list[Example]) -> Path:
    run = mixed_run(directory, train, validation)
    export_data(run, directory / "out", ExportOptions(target))
    return directory / "out"


@pytest.mark.parametrize("target", TARGETS)
def test_datasets_loads_the_directory_with_both_splits(tmp_path: Path, target: str) -> None:
    out = export(tmp_path, target, rows(12), rows(15)[12:])

    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))

    assert {split: len(found) for split, found in loaded.items()} == {"train": 12, "validation": 3}
    # What the card says of the columns is what the files themselves say.
    options = {
        "data_files": [str(path) for path in out.glob("train.*")],
        "cache_dir": str(tmp_path / "own"),
        **TARGETS[target].builder,
    }
    builder = "parquet" if target == "parquet" else "json"
    plain = datasets.load_dataset(builder, split="train", **options)
    assert set(loaded["train"].features) == set(plain.features)
    if target != "alpaca":  # no row of these has a history
        assert loaded["train"].features == plain.features


def test_a_reader_of_plain_json_finds_the_types_of_columns_that_late_rows_fill(tmp_path: Path) -> None:
    mine = Origin(kind="corpus", name="mine")
    plain = [example(f"question {at}", "answer", origin=mine) for at in range(300)]
    late = example("one", "two", "three", "four", system="be kind")
    scored = example("q", "a", origin=ALPACA).model_copy(update={"scores": {"judge": 4.0}})
    for target in ("alpaca", "sharegpt", "messages", "hugchat"):
        out = export(tmp_path / target, target, [*plain, scored, late], [])

        # A few rows at a time, as it reads gigabytes.
        loaded = datasets.load_dataset(
            "json",
            data_files=str(out / "train.jsonl"),
            split="train",
            chunksize=4096,
            cache_dir=str(tmp_path / "cache"),
        )

        assert len(loaded) == 302


@pytest.mark.parametrize("target", [name for name, each in TARGETS.items() if each.llama_factory])
def test_llama_factory_reads_every_row_by_the_entry_in_dataset_info(tmp_path: Path, target: str) -> None:
    train = [*rows(6), example("one", "two", "three", "four"), example("q", "a", system="be kind")]
    if target == "prompt_completion":
        train = train[:6]

    out = export(tmp_path, target, train, rows(8)[6:])

    entries = json.loads((out / "dataset_info.json").read_text())
    assert list(entries) == ["clinic", "clinic_validation"]
    entry = entries["clinic"]
    for part, known in LLAMA_FACTORY.items():
        assert set(entry.get(part, ())) <= known
    file = out / entry["file_name"]
    found = datasets.load_dataset(
        "parquet" if file.suffix == ".parquet" else "json",
        data_files=str(file),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    read = [
        _alpaca(row, entry) if entry["formatting"] == "alpaca" else _sharegpt(row, entry) for row in found
    ]
    expected = [[(message.role, message.content) for message in each.messages] for each in train]
    assert read == expected


def _alpaca(row: dict[str, Any], entry: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the turns that LLaMA-Factory's documentation describes."""
    columns = entry["columns"]
    asked = [row[columns[name]] for name in ("prompt", "query") if name in columns and row[columns[name]]]
    system = row[columns["system"]] if "system" in columns else ""
    history = row[columns["history"]] if "history" in columns else []
    turns = [("system", system)] if system else []
    for question, answer in history:
        turns += [("user", question), ("assistant", answer)]
    return [*turns, ("user", "\n".join(asked)), ("assistant", row[columns["response"]])]


def _sharegpt(row: dict[str, Any], entry: dict[str, Any]) -> list[tuple[str, str]]:
    columns, tags = entry["columns"], entry["tags"]
    roles = {tags["user_tag"]: "user", tags["assistant_tag"]: "assistant", tags["system_tag"]: "system"}
    system = row[columns["system"]] if "system" in columns else ""
    said = [(roles[turn[tags["role_tag"]]], turn[tags["content_tag"]]) for turn in row[columns["messages"]]]
    return [("system", system), *said] if system else said


@pytest.mark.parametrize("target", ["messages", "parquet", "prompt_completion", "hugchat", "lmflow"])
def test_trl_trains_a_step_on_it(tmp_path: Path, target: str) -> None:
    trl = pytest.importorskip("trl")
    out = export(tmp_path, target, rows(8), [])
    loaded = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    model = fresh_model()

    trainer = trl.SFTTrainer(
        model=model.model,
        processing_class=model.tokenizer,
        train_dataset=loaded,
        args=trl.SFTConfig(
            output_dir=str(tmp_path / "trainer"),
            max_steps=1,
            per_device_train_batch_size=2,
            max_length=64,
            use_cpu=True,
            bf16=False,
            activation_checkpointing=False,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        ),
    )

    assert len(trainer.train_dataset) == 8
    assert trainer.train().training_loss > 0


def test_the_card_can_be_read_by_a_strict_reader(tmp_path: Path) -> None:
    out = export(tmp_path, "messages", rows(3), [])

    text = (out / "README.md").read_text(encoding="utf-8")

    front = read_yaml(text.split("---\n")[1], "card", out).data
    assert front["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "train.jsonl"}]}
    ]

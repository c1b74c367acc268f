"""Training: the loss is on the mask, an interruption changes nothing, and what was made can be used."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from instil.data.jsonl import read_jsonl
from instil.data.messages import Message
from instil.data.progress import Task
from instil.engines.transformers import TransformersEngine
from instil.errors import RecipeError, StageError, TrainingError
from instil.models.decoding import Decoding
from instil.models.render import Renderer
from instil.stages.base import Context
from instil.stages.train import TRAIN, TrainConfig
from instil.stages.train.batches import IGNORED, collate, micro_batches, steps
from instil.stages.train.loop import batch_loss, scheduled
from tests.tiny import ARCHITECTURE, example, fresh_model, rows, saved_model, shared_model, write_rows


def _config(path: Path, **changes: Any) -> TrainConfig:
    options = {
        "base_model": {
            "kind": "scratch",
            "architecture": {**ARCHITECTURE, "attention_dropout": 0.1},
            "tokenizer": {"kind": "trained", "vocab_size": 400},
        },
        "examples": str(path),
        "learning_rate": 3e-3,
        "num_epochs": 4.0,
        "per_device_batch_size": 4,
        "max_seq_length": 128,
        "log_every": 2,
        "eval_every": 4,
        "checkpoint_every": 3,
    }
    return TrainConfig.model_validate({**options, **changes})


def _context(work: Path, progress: Any = None) -> Context:
    work.mkdir(parents=True, exist_ok=True)
    extra = {} if progress is None else {"progress": progress}
    return Context(seed=5, work=work, inputs={}, shared=work, **extra)


def _bytes(work: Path) -> dict[str, bytes]:
    return {p.relative_to(work).as_posix(): p.read_bytes() for p in sorted(work.rglob("*")) if p.is_file()}


class _Interrupted(Exception):
    pass


class _StopAt:
    """A progress display that interrupts training at a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    @contextmanager
    def task(self, what: str, *, total: int | None, unit: str) -> Iterator[Task]:
        left = [self.step if what == "training" else 10**9]

        class Counter:
            def advance(self, amount: int = 1, note: str | None = None) -> None:
                left[0] -= amount
                if left[0] <= 0:
                    raise _Interrupted

        yield Counter()

    def say(self, line: str) -> None:
        pass


@pytest.mark.parametrize("stop", [1, 3, 4, 8, 11])
def test_an_interrupted_run_ends_with_the_same_bytes(tmp_path: Path, stop: int) -> None:
    config = _config(write_rows(tmp_path / "rows.jsonl", rows()), validation=str(tmp_path / "rows.jsonl"))
    TRAIN.run(config, _context(tmp_path / "undisturbed"))

    with pytest.raises(_Interrupted):
        TRAIN.run(config, _context(tmp_path / "cut", _StopAt(stop)))
    TRAIN.run(config, _context(tmp_path / "cut"))

    assert _bytes(tmp_path / "cut") == _bytes(tmp_path / "undisturbed")


def test_training_lowers_the_loss_and_says_what_it_did(tmp_path: Path) -> None:
    config = _config(
        write_rows(tmp_path / "rows.jsonl", rows()), num_epochs=20.0, notice="a test, not a doctor"
    )

    result = TRAIN.run(config, _context(tmp_path / "work"))

    losses = [row["loss"] for _, row in read_jsonl(tmp_path / "work" / "metrics.jsonl")]
    assert losses[0] > 4.0
    assert losses[-1] < 3.0
    assert result.counts.asked == result.counts.kept == 12
    assert result.details["steps"] == 60
    card = json.loads((tmp_path / "work" / "model" / "instil.json").read_text())
    assert card["notice"] == "a test, not a doctor"
    assert card["sources"] == [{"kind": "corpus", "name": "tests", "license": None, "rows": 12}]
    assert "a test, not a doctor" in (tmp_path / "work" / "model" / "README.md").read_text()
    assert not (tmp_path / "work" / "checkpoints").exists()


@pytest.mark.parametrize("template", ["chatml", "hugchat", "alpaca"])
def test_a_trained_model_answers_and_stops(tmp_path: Path, template: str) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [example("Say yes.", "Yes, of course.")] * 4)
    config = _config(path, num_epochs=60.0, chat_template=template, learning_rate=1e-2)

    TRAIN.run(config, _context(tmp_path / "work"))

    engine = TransformersEngine.open(str(tmp_path / "work" / "model"))
    question = (Message(role="user", content="Say yes."),)
    assert "".join(engine.stream(question, Decoding(max_tokens=60))) == "Yes, of course."


def test_an_adapter_leaves_its_base_alone_and_opens_with_it(tmp_path: Path) -> None:
    base = saved_model(tmp_path / "base")
    before = _bytes(base)
    path = write_rows(tmp_path / "rows.jsonl", rows())
    adapter = {"kind": "lora", "r": 4, "lora_alpha": 8}
    config = _config(path, base_model=str(base), adapter=adapter, num_epochs=6.0)

    result = TRAIN.run(config, _context(tmp_path / "work"))

    assert 0 < result.details["trained_parameters"] < result.details["parameters"] / 2
    assert _bytes(base) == before
    assert (tmp_path / "work" / "model" / "adapter_config.json").exists()
    engine = TransformersEngine.open(str(tmp_path / "work" / "model"))
    assert list(engine.stream(rows()[0].messages[:1], Decoding(max_tokens=3)))


def test_rows_that_are_too_long_are_counted_and_listed(tmp_path: Path) -> None:
    long = example("Tell me everything.", "word " * 200)
    config = _config(write_rows(tmp_path / "rows.jsonl", [*rows(4), long]))

    result = TRAIN.run(config, _context(tmp_path / "work"))

    assert (result.counts.asked, result.counts.kept, result.counts.rejected) == (5, 4, 1)
    (listed,) = [row for _, row in read_jsonl(tmp_path / "work" / "rejected.jsonl")]
    assert listed["id"] == long.id
    assert listed["tokens"] > 128


def test_more_tokens_than_positions_is_refused(tmp_path: Path) -> None:
    config = _config(write_rows(tmp_path / "rows.jsonl", rows(4)), max_seq_length=512)

    with pytest.raises(StageError, match="max_seq_length is 512 and the model has only 128 positions"):
        TRAIN.run(config, _context(tmp_path / "work"))


def test_a_loss_that_is_not_finite_stops_and_names_the_step(tmp_path: Path) -> None:
    config = _config(write_rows(tmp_path / "rows.jsonl", rows()), learning_rate=1e30, warmup_ratio=0.0)

    with pytest.raises(TrainingError, match=r"not finite at step \d+"):
        TRAIN.run(config, _context(tmp_path / "work"))


def test_an_adapter_on_random_weights_is_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", rows())

    with pytest.raises(ValueError, match="an adapter needs a pretrained base_model"):
        _config(path, adapter={"kind": "lora"})


def test_a_target_module_that_does_not_exist_is_named(tmp_path: Path) -> None:
    base = saved_model(tmp_path / "base")
    path = write_rows(tmp_path / "rows.jsonl", rows())
    adapter = {"kind": "lora", "target_modules": ["nonsense"]}

    with pytest.raises(TrainingError, match="nonsense"):
        TRAIN.run(_config(path, base_model=str(base), adapter=adapter), _context(tmp_path / "work"))


def test_a_template_without_an_end_mark_is_refused(tmp_path: Path) -> None:
    base = saved_model(tmp_path / "base")
    (base / "chat_template.jinja").write_text(
        "{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
        "{% endgeneration %}{% else %}{{ m.content }}{% endif %}\n{% endfor %}"
    )
    path = write_rows(tmp_path / "rows.jsonl", rows())

    with pytest.raises((TrainingError, RecipeError), match="does not let the model learn its end mark"):
        TRAIN.run(_config(path, base_model=str(base)), _context(tmp_path / "work"))


@pytest.mark.parametrize("model_type", ["llama", "gpt2"])
def test_the_loss_is_that_of_each_row_alone_on_its_learned_tokens(model_type: str) -> None:
    gpt2 = {"n_embd": 32, "n_head": 2, "n_layer": 2, "n_positions": 128}
    opened = fresh_model(
        architecture={"model_type": "gpt2", **gpt2} if model_type == "gpt2" else ARCHITECTURE
    )
    model: Any = opened.model
    model.eval()
    renderer = Renderer(opened.tokenizer)
    rendered = [renderer.render(row.messages) for row in rows(5)]

    batch = collate(rendered, int(opened.tokenizer.pad_token_id))
    ours = float(batch_loss(model, batch, torch.device("cpu")).detach())

    expected = 0.0
    for row in rendered:
        logits = model(input_ids=torch.tensor([row.input_ids])).logits[0, :-1]
        targets = torch.tensor(row.input_ids[1:])
        losses = cross_entropy(logits, targets, reduction="none").detach()
        expected += float(losses[torch.tensor(row.mask[1:])].sum())
    assert ours == pytest.approx(expected, rel=1e-5)
    assert batch.supervised == sum(row.supervised for row in rendered)


def test_batches_hold_every_row_once_an_epoch() -> None:
    lengths = [index * 7 % 50 + 1 for index in range(101)]

    first, second = micro_batches(lengths, 8, 1, 0), micro_batches(lengths, 8, 1, 1)

    assert sorted(index for batch in first for index in batch) == list(range(101))
    assert first != second
    assert first == micro_batches(lengths, 8, 1, 0)


def test_accumulated_batches_run_over_the_end_of_an_epoch() -> None:
    found = list(steps([1] * 10, size=4, accumulate=2, seed=0, total=3))

    assert [len(step) for step in found] == [2, 2, 2]
    assert sum(len(batch) for step in found for batch in step) == 20


def test_labels_are_the_next_learned_token() -> None:
    rendered = Renderer(shared_model().tokenizer).render(rows(1)[0].messages)

    batch = collate([rendered], 0)

    first = rendered.mask.index(True)
    assert batch.labels[0, : first - 1].tolist() == [IGNORED] * (first - 1)
    assert int(batch.labels[0, first - 1]) == rendered.input_ids[first]
    assert int(batch.labels[0, -1]) == IGNORED


def test_the_learning_rate_rises_and_falls(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", rows())
    config = _config(path, learning_rate=1.0, warmup_ratio=0.1, lr_scheduler="linear")

    rates = [scheduled(config, step, 20) for step in range(1, 21)]

    assert rates[:3] == [0.5, 1.0, pytest.approx(17 / 18)]
    assert rates[-1] == 0.0
    cosine = config.model_copy(update={"lr_scheduler": "cosine"})
    assert scheduled(cosine, 11, 20) == pytest.approx(0.5)
    assert math.isclose(scheduled(config.model_copy(update={"lr_scheduler": "constant"}), 20, 20), 1.0)


def test_validation_is_measured_as_often_as_asked_whatever_is_logged(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", rows())
    config = _config(path, validation=str(path), log_every=5, eval_every=3, num_epochs=4.0)

    TRAIN.run(config, _context(tmp_path / "work"))

    found = [row for _, row in read_jsonl(tmp_path / "work" / "metrics.jsonl")]
    assert [row["step"] for row in found] == [3, 5, 6, 9, 10, 12]
    assert [row["step"] for row in found if "validation_loss" in row] == [3, 6, 9, 12]

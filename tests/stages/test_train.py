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
from tokenizers import Tokenizer, models
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

from instil.data.examples import Example, Origin
from instil.data.jsonl import read_jsonl
from instil.data.messages import Message
from instil.data.progress import Silent, Task
from instil.engines.transformers import TransformersEngine
from instil.errors import RecipeError, StageError, TrainingError
from instil.models.decoding import Decoding
from instil.models.load import Sizes, open_trained
from instil.models.render import Renderer
from instil.stages.base import Context
from instil.stages.train import TRAIN, LoraConfig, TrainConfig
from instil.stages.train.batches import IGNORED, collate, micro_batches, steps
from instil.stages.train.checks import check_rows, check_sizes
from instil.stages.train.loop import batch_loss, scheduled
from instil.stages.train.rows import Tally, store_rows
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


def _dialogue(turns: int, *, words: int = 4) -> Example:
    messages = [Message(role="system", content="Be kind.")]
    for turn in range(turns):
        messages += [
            Message(role="user", content=f"Ask {turn}?"),
            Message(role="assistant", content="word " * words),
        ]
    return Example(messages=tuple(messages), origin=Origin(kind="corpus", name="tests"))


@pytest.mark.parametrize(("how", "documents", "left_out"), [("cut", 6, True), ("split", 8, False)])
def test_a_long_dialogue_is_cut_or_split_and_counted(
    tmp_path: Path, how: str, documents: int, left_out: bool
) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [*rows(4), _dialogue(9), _dialogue(2)])
    config = _config(path, too_long=how, num_epochs=1.0)

    result = TRAIN.run(config, _context(tmp_path / "work"))

    assert (result.counts.asked, result.counts.kept, result.counts.rejected) == (6, 6, 0)
    assert result.details[f"{how}_rows"] == 1
    assert ("messages_left_out" in result.details) == left_out
    (listed,) = [row for _, row in read_jsonl(tmp_path / "work" / "shortened.jsonl")]
    assert listed["id"] == _dialogue(9).id
    assert listed["tokens"] > 128
    assert len(listed["rows"]) == documents - 5
    assert max(listed["rows"]) <= 128
    assert listed["messages"] == 19


def test_a_dialogue_that_is_to_be_rejected_is_not_shortened(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [*rows(4), _dialogue(9)])

    result = TRAIN.run(_config(path, too_long="reject", num_epochs=1.0), _context(tmp_path / "work"))

    assert result.counts.reasons == {"more than 128 tokens": 1}
    assert list(read_jsonl(tmp_path / "work" / "shortened.jsonl")) == []


def test_rows_that_cannot_be_learned_from_are_counted_and_the_others_are_trained(tmp_path: Path) -> None:
    asked = Example(messages=(Message(role="user", content="Hello?"),), origin=rows(1)[0].origin)
    path = write_rows(tmp_path / "rows.jsonl", [*rows(4), asked])
    config = _config(path, num_epochs=1.0, validation=str(path))

    result = TRAIN.run(config, _context(tmp_path / "work"))

    assert result.counts.reasons == {"no answer of the assistant": 1}
    assert result.details["validation_rows_left_out"] == 1
    (listed,) = [row for _, row in read_jsonl(tmp_path / "work" / "rejected.jsonl")]
    assert listed["id"] == asked.id
    card = json.loads((tmp_path / "work" / "model" / "instil.json").read_text())
    assert card["sources"][0]["rows"] == 4


def test_no_row_at_all_says_why(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [example("Tell me.", "word " * 200)] * 2)

    with pytest.raises(StageError, match="none of 2 training rows can be used: 2 × more than 128 tokens"):
        TRAIN.run(_config(path), _context(tmp_path / "work"))


@pytest.mark.parametrize("loss_on", ["assistant", "last", "all"])
def test_what_is_learned_follows_the_choice(tmp_path: Path, loss_on: str) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [_dialogue(2, words=3)] * 4)

    result = TRAIN.run(_config(path, loss_on=loss_on, num_epochs=1.0), _context(tmp_path / "work"))

    learned, tokens = (result.details[f"{name}_per_epoch"] for name in ("supervised_tokens", "tokens"))
    renderer = Renderer(open_trained(str(tmp_path / "work" / "model")).tokenizer, loss_on)  # type: ignore[arg-type]
    assert learned == 4 * renderer.render(_dialogue(2, words=3).messages).supervised
    assert (learned == tokens - 4) == (loss_on == "all")


@pytest.mark.parametrize("damage", [False, True])
def test_tokens_of_an_interrupted_run_are_used_again_if_they_are_whole(
    tmp_path: Path, damage: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = example("Tell me everything.", "word " * 200)
    config = _config(write_rows(tmp_path / "rows.jsonl", [*rows(11), long]))
    TRAIN.run(config, _context(tmp_path / "undisturbed"))
    with pytest.raises(_Interrupted):
        TRAIN.run(config, _context(tmp_path / "cut", _StopAt(1)))
    ids = tmp_path / "cut" / "tokens" / "train" / "input_ids.npy"
    if damage:
        ids.write_bytes(ids.read_bytes()[:-2])
    rendered = 0
    render_many = Renderer.render_many

    def counting(self: Renderer, conversations: Any) -> Any:
        nonlocal rendered
        for each in render_many(self, conversations):
            rendered += 1
            yield each

    monkeypatch.setattr(Renderer, "render_many", counting)
    TRAIN.run(config, _context(tmp_path / "cut"))

    assert (rendered > 0) == damage
    assert not (tmp_path / "cut" / "tokens").exists()
    assert _bytes(tmp_path / "cut") == _bytes(tmp_path / "undisturbed")


def test_what_does_not_fit_the_model_is_found_before_training(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", rows())
    config, tokenizer = _config(path, max_seq_length=256), shared_model().tokenizer
    size = len(tokenizer)
    adapted = config.model_copy(update={"adapter": LoraConfig(kind="lora")})
    words = models.WordLevel({"<unk>": 0, "yes": 900}, unk_token="<unk>")
    holes = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(words))  # type: ignore[no-untyped-call]

    def found(config: TrainConfig, tokenizer: Any, *sizes: int | None) -> list[tuple[str, bool]]:
        return [(each.text, each.fatal) for each in check_sizes(config, tokenizer, Sizes(*sizes))]

    assert found(config, tokenizer, 256, size) == found(config, tokenizer, None, None) == []
    ((text, fatal),) = found(config, tokenizer, 255, size)
    assert fatal
    assert text == "train.max_seq_length is 256 and the model has only 255 positions"
    ((text, fatal),) = found(config, holes, 256, 500)
    assert fatal
    assert text == "the tokenizer has token ids up to 900, and the model embeddings for 500 tokens"
    new = "2 tokens are new to the model and begin with the mean of its embeddings"
    assert found(config, tokenizer, 256, size - 2) == [(new, False)]
    ((text, fatal),) = found(adapted, tokenizer, 256, size - 2)
    assert text.endswith("an adapter leaves embeddings as they are, so they will not be learned")


def test_what_the_rows_do_not_teach_is_found() -> None:
    chatml, hugchat = (shared_model(name).tokenizer for name in ("chatml", "hugchat"))

    def found(tokenizer: Any, rows: int, ends: int) -> list[tuple[str, bool]]:
        return [(each.text, each.fatal) for each in check_rows(tokenizer, Tally(rows=rows, ends=ends))]

    assert found(chatml, 3, 3) == found(hugchat, 0, 0) == []
    ((text, fatal),) = found(chatml, 3, 0)
    assert fatal
    assert "does not let the model learn its end mark <|im_end|>" in text
    assert found(chatml, 3, 2) == [("in 1 of 3 rows no end mark is learned", False)]
    ((text, fatal),) = found(hugchat, 3, 3)
    assert not fatal
    assert text.startswith("<|endoftext|> is the end mark and also fills up batches")


def test_packed_rows_learn_what_their_documents_learn_alone(tmp_path: Path) -> None:
    opened = fresh_model()
    renderer = Renderer(opened.tokenizer, "all")
    config = _config(write_rows(tmp_path / "rows.jsonl", rows()), loss_on="all", max_seq_length=300)
    end = opened.tokenizer.eos_token_id
    store, _ = store_rows(
        tmp_path / "rows.jsonl", tmp_path / "t", renderer, config, end=end, seed=1, progress=Silent()
    )
    assert len(store.rows) < len(store)

    packed, alone = collate(store.rows[:], 0), collate(store[:], 0)

    assert packed.supervised == alone.supervised == store.header.supervised
    for index, row in enumerate(store.rows):
        # The last token of a document does not learn the first of the next one.
        assert packed.labels[index, row.borders[1:] - 1].tolist() == [IGNORED] * (len(row.borders) - 1)


def test_tokens_of_another_choice_are_not_used_again(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [*rows(3), _dialogue(9)])
    tokenizer = shared_model().tokenizer
    found = []
    for loss_on, how, limit in (
        ("all", "cut", 128),
        ("last", "cut", 128),
        ("last", "split", 128),
        ("last", "cut", 90),
    ):
        config = _config(path, loss_on=loss_on, too_long=how, max_seq_length=limit)
        renderer = Renderer(tokenizer, config.loss_on)
        end = tokenizer.eos_token_id
        store, _ = store_rows(path, tmp_path / "t", renderer, config, end=end, seed=1, progress=Silent())
        found.append((store.header.documents, store.header.supervised, store.header.max_seq_length))

    assert len(set(found)) == 4


def test_a_batch_is_the_same_from_the_store_and_from_memory(tmp_path: Path) -> None:
    renderer = Renderer(shared_model().tokenizer)
    path = write_rows(tmp_path / "rows.jsonl", rows())
    store, tally = store_rows(
        path,
        tmp_path / "t",
        renderer,
        _config(path),
        end=shared_model().tokenizer.eos_token_id,
        seed=1,
        progress=Silent(),
    )

    found = collate(store[:], 7)

    expected = collate([renderer.render(row.messages) for row in rows()], 7)
    assert torch.equal(found.input_ids, expected.input_ids)
    assert torch.equal(found.labels, expected.labels)
    assert torch.equal(found.attention_mask, expected.attention_mask)
    assert tally.ends == tally.rows == 12


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"messages": [{"role": "user", "content": "Hi"}]}, "origin: Field required"),
        ({"text": "Human: Hi"}, "messages: Field required"),
        ("Human: Hi", "it: Input should be a valid dictionary or instance of Example"),
    ],
)
def test_a_row_that_is_no_example_is_named(tmp_path: Path, row: Any, why: str) -> None:
    path = write_rows(tmp_path / "rows.jsonl", rows(1))
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")

    with pytest.raises(StageError, match=f"row 2 is no example: {why}"):
        TRAIN.run(_config(path), _context(tmp_path / "work"))

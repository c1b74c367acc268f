"""Models are saved for every other tool, and opened with a reason where they cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from instil.errors import RecipeError, RequestError
from instil.models.base_model import PretrainedConfig, ScratchConfig
from instil.models.card import write_card
from instil.models.load import open_base, open_trained, open_untrained, save
from instil.models.render import Renderer
from instil.models.tokenizer import train_tokenizer
from tests.tiny import ARCHITECTURE, TEXTS, fresh_model, saved_model, shared_model


def test_a_saved_model_opens_in_plain_transformers_with_its_template(tmp_path: Path) -> None:
    saved_model(tmp_path)

    model: Any = AutoModelForCausalLM.from_pretrained(tmp_path)
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path)

    ids = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], add_generation_prompt=True)[
        "input_ids"
    ]
    prompt = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.decode(ids) == prompt
    assert model.generation_config.eos_token_id == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert not list(tmp_path.glob("*.bin"))


@pytest.mark.parametrize(
    "text", [*TEXTS, "naïve café\n\n\ttabs  and   spaces ", "𠮷野家 🙂‍↔️ \u0000?", "x" * 300]
)
def test_a_trained_tokenizer_writes_any_text(text: str) -> None:
    tokenizer = train_tokenizer(TEXTS, 400)

    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_same_seed_gives_the_same_random_weights() -> None:
    one, two = fresh_model(), fresh_model()

    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True))


def test_the_untrained_model_is_drawn_again_from_its_card(tmp_path: Path) -> None:
    fresh = fresh_model()
    weights = {name: value.clone() for name, value in fresh.model.state_dict().items()}
    with torch.no_grad():
        for parameter in fresh.model.parameters():
            parameter.add_(1.0)
    save(fresh, tmp_path)
    training = {"parameters": 1, "trained_parameters": 1, "steps": 1}
    base = {"kind": "scratch", "architecture": ARCHITECTURE, "seed": 1}
    write_card(tmp_path, {"base": base, "training": training, "sources": [], "notice": None})

    again = open_untrained(str(tmp_path)).model.state_dict()

    assert all(torch.equal(again[name], value) for name, value in weights.items())


def test_a_model_without_a_card_has_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="does not say which model it started from") as caught:
        open_untrained(str(saved_model(tmp_path)))
    assert caught.value.hint == "set evaluate.baseline: none"


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    saved_model(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(shared_model().model.state_dict(), tmp_path / "pytorch_model.bin")

    with pytest.raises(RequestError) as caught:
        open_trained(str(tmp_path))
    assert "pickled weights (.bin, .pt) are refused" in str(caught.value.hint)


def test_an_unknown_hub_model_says_where_it_was_looked_for() -> None:
    config = PretrainedConfig(kind="pretrained", path="nobody/nothing")

    with pytest.raises(
        RequestError, match="cannot open the model 'nobody/nothing' as a directory or on the hub"
    ):
        open_base(config, chat_template=None, texts=list, seed=1)


def test_an_unknown_architecture_is_a_mistake_of_the_recipe() -> None:
    config = ScratchConfig.model_validate({"kind": "scratch", "architecture": {"model_type": "lama"}})

    with pytest.raises(RecipeError, match=r"train\.base_model\.architecture: .*lama"):
        open_base(config, chat_template=None, texts=lambda: TEXTS, seed=1)


def test_new_tokens_of_a_template_get_an_embedding(tmp_path: Path) -> None:
    alpaca = fresh_model("alpaca")
    size = len(alpaca.tokenizer)
    save(alpaca, tmp_path)

    grown = open_base(
        PretrainedConfig(kind="pretrained", path=str(tmp_path)), chat_template="chatml", texts=list, seed=1
    )

    assert len(grown.tokenizer) == size + 2
    assert grown.model.get_input_embeddings().weight.shape[0] == size + 2  # type: ignore[index]
    assert grown.model.config.eos_token_id == grown.tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_a_base_without_a_template_asks_for_one(tmp_path: Path) -> None:
    saved_model(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()

    with pytest.raises(RecipeError, match=r"train\.chat_template: the base model has no chat template"):
        open_base(
            PretrainedConfig(kind="pretrained", path=str(tmp_path)), chat_template=None, texts=list, seed=1
        )


def test_a_tokenizer_directory_with_only_tokenizer_json_gets_its_end_mark(tmp_path: Path) -> None:
    saved_model(tmp_path / "whole")
    (tmp_path / "bare").mkdir()
    source = json.loads((tmp_path / "whole" / "tokenizer.json").read_text())
    (tmp_path / "bare" / "tokenizer.json").write_text(json.dumps(source))
    config = ScratchConfig.model_validate(
        {
            "kind": "scratch",
            "architecture": ARCHITECTURE,
            "tokenizer": {"kind": "files", "path": str(tmp_path / "bare")},
        }
    )

    opened = open_base(config, chat_template="hugchat", texts=list, seed=1)

    assert opened.tokenizer.eos_token == "<|endoftext|>"


def test_the_baseline_of_a_tuned_model_reads_the_tuned_models_template(tmp_path: Path) -> None:
    base = saved_model(tmp_path / "base")
    (base / "chat_template.jinja").unlink()
    tuned = open_base(
        PretrainedConfig(kind="pretrained", path=str(base)), chat_template="hugchat", texts=list, seed=1
    )
    save(tuned, tmp_path / "tuned")
    facts = {"kind": "pretrained", "path": str(base), "revision": "main", "seed": 1}
    training = {"parameters": 1, "trained_parameters": 1, "steps": 1}
    write_card(tmp_path / "tuned", {"base": facts, "training": training, "sources": [], "notice": None})

    again = open_untrained(str(tmp_path / "tuned"))

    assert again.tokenizer.chat_template == tuned.tokenizer.chat_template
    assert torch.equal(next(again.model.parameters()), next(tuned.model.parameters()))


def test_a_model_without_a_template_cannot_be_talked_to(tmp_path: Path) -> None:
    base = saved_model(tmp_path)
    (base / "chat_template.jinja").unlink()

    with pytest.raises(RecipeError, match="the model has no chat template"):
        Renderer(open_trained(str(base)).tokenizer)

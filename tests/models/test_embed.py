"""Texts as vectors: what a model's hidden states say, alone or in a batch, and clear errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from instil.errors import RequestError
from instil.models.embed import Embedder
from tests.tiny import saved_model

TEXTS = [
    "Where do I go with a cough?",
    "我咳嗽三周了，该看哪个科？",
    "cough",
    "Please see Respiratory Medicine. A cough of three weeks needs a look." * 3,
    "🙂",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def embedder(model: Path) -> Embedder:
    return Embedder(str(model))


def test_a_vector_is_the_mean_of_the_last_hidden_states(model: Path, embedder: Embedder) -> None:
    tokenizer, plain = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()
    vectors = embedder.vectors(TEXTS)
    assert vectors.shape == (len(TEXTS), 32)
    assert vectors.dtype == np.float32
    for text, vector in zip(TEXTS, vectors, strict=True):
        with torch.inference_mode():
            hidden = plain(
                **tokenizer(text, return_tensors="pt", truncation=True, max_length=128)
            ).last_hidden_state
        mean = hidden[0].mean(dim=0).numpy()
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_neither_neighbours_nor_order_change_a_vector(embedder: Embedder) -> None:
    many = [*TEXTS, *(f"another text of some length {'more ' * number}" for number in range(60))]
    together = embedder.vectors(many)
    assert embedder.vectors(many[::-1])[::-1] == pytest.approx(together, abs=1e-5)
    for text, vector in zip(TEXTS, together, strict=False):
        assert embedder.vectors([text])[0] == pytest.approx(vector, abs=1e-5)


def test_a_text_is_cut_where_the_model_cannot_read_on(embedder: Embedder) -> None:
    long = "A cough of three weeks needs a look. " * 200
    cut, longer = embedder.vectors([long, long + "and more"])
    assert cut == pytest.approx(longer)


def test_equal_texts_point_the_same_way_and_others_do_not(embedder: Embedder) -> None:
    one, other, different = embedder.vectors([TEXTS[0], TEXTS[0], TEXTS[1]])
    assert one @ other == pytest.approx(1, abs=1e-6)
    assert one @ different < 0.999


def test_without_texts_there_are_no_vectors(embedder: Embedder) -> None:
    assert embedder.vectors([]).shape[0] == 0


def test_what_is_no_model_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for wrong in (str(tmp_path), str(tmp_path / "missing"), "nobody/knows-this-model"):
        with pytest.raises(RequestError, match=r"the embedding model '.*' cannot be loaded: ") as caught:
            Embedder(wrong)
        assert "\n" not in str(caught.value)
        assert (
            caught.value.hint
            == "name a directory of a model of transformers, or a hub id that is in the cache"
        )

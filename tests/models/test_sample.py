"""Sampling: it stops, it streams whole characters, and greedy is greedy."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instil.models.decoding import Decoding
from instil.models.render import Renderer
from instil.models.sample import greedy_answers, sample_ids, stream_text
from instil.models.score import answer_losses
from tests.tiny import rows, shared_model


def test_greedy_is_what_transformers_generates() -> None:
    opened = shared_model()
    prompt = Renderer(opened.tokenizer).prompt(rows()[0].messages[:1])

    ours = list(sample_ids(opened, prompt, Decoding(max_tokens=12)))

    reference = opened.model.generate(  # type: ignore[operator]
        torch.tensor([prompt]), do_sample=False, max_new_tokens=12, pad_token_id=opened.tokenizer.pad_token_id
    )
    expected = reference[0, len(prompt) :].tolist()
    assert ours == [token for token in expected if token != opened.tokenizer.eos_token_id]


def test_a_batch_of_prompts_is_answered_as_each_alone() -> None:
    opened = shared_model()
    renderer = Renderer(opened.tokenizer)
    prompts = [renderer.prompt(row.messages[:1]) for row in rows(5)]

    together = list(greedy_answers(opened, prompts, max_tokens=8, batch_size=5))

    assert together == [answer for p in prompts for answer in greedy_answers(opened, [p], max_tokens=8)]


def test_the_same_seed_draws_the_same_answer() -> None:
    opened = shared_model()
    prompt = Renderer(opened.tokenizer).prompt(rows()[0].messages[:1])
    draw = Decoding(temperature=1.0, top_k=50, top_p=0.9, max_tokens=10, seed=3)

    assert list(sample_ids(opened, prompt, draw)) == list(sample_ids(opened, prompt, draw))


def test_generation_ends_when_no_position_is_left() -> None:
    opened = shared_model()
    prompt = [5] * 120

    assert len(list(sample_ids(opened, prompt, Decoding(max_tokens=50)))) <= 8


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(lambda text: "<|" not in text)
)
def test_a_stream_shows_whole_characters_that_join_to_the_text(text: str) -> None:
    opened = shared_model()
    ids = opened.tokenizer(text, add_special_tokens=False)["input_ids"]

    pieces = list(stream_text(opened, iter(ids)))

    assert "".join(pieces) == text.replace("\ufffd", "")


def test_a_character_that_is_never_finished_is_not_shown() -> None:
    opened = shared_model()
    ids = opened.tokenizer("好🙂", add_special_tokens=False)["input_ids"]

    assert "".join(stream_text(opened, iter(ids[:-1]))) == "好"
    assert "".join(stream_text(opened, iter([*ids[:-1], *opened.tokenizer("a")["input_ids"]]))) == "好a"


def test_losses_do_not_depend_on_the_batch() -> None:
    opened = shared_model()
    renderer = Renderer(opened.tokenizer)
    rendered = [renderer.render(row.messages) for row in rows(6)]

    together = answer_losses(opened, rendered, 6)

    assert together == pytest.approx(answer_losses(opened, rendered, 1), rel=1e-5)

"""A batch says what each of its rows would say alone, and draws what the probabilities say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from instil.models.batched import Answer, own_decoding, sample_answers
from instil.models.decoding import BatchDecoding, Decoding
from instil.models.load import LanguageModel
from instil.models.render import Renderer
from instil.models.sample import cut_to_likely, greedy_answers, sample_ids
from tests.tiny import ARCHITECTURE, fresh_model, rows

GREEDY = BatchDecoding(max_tokens=8)
SAMPLED = BatchDecoding(temperature=1.0, top_p=0.95, max_tokens=8)


@cache
def lively_model() -> LanguageModel:
    """A random model that does not only repeat the last token."""
    shape = {**ARCHITECTURE, "tie_word_embeddings": False, "initializer_range": 0.2}
    return fresh_model(architecture=shape)


def prompts(count: int = 5) -> list[list[int]]:
    renderer = Renderer(lively_model().tokenizer)
    return [renderer.prompt(row.messages[:1]) for row in rows(count)]


def sample(decoding: BatchDecoding, asked: Sequence[list[int]], seeds: Sequence[int] = ()) -> list[Answer]:
    return sample_answers(lively_model(), asked, decoding, seeds or range(len(asked)))


@contextmanager
def ending_at(*tokens: int) -> Iterator[None]:
    """Make tokens that the random model likes its end marks."""
    config: Any = lively_model().model.generation_config
    before = config.eos_token_id
    config.eos_token_id = list(tokens)
    try:
        yield
    finally:
        config.eos_token_id = before


def test_greedy_is_what_one_prompt_alone_gets_from_transformers() -> None:
    expected = [text for p in prompts() for text in greedy_answers(lively_model(), [p], max_tokens=8)]

    assert [answer.text for answer in sample(GREEDY, prompts())] == expected


@settings(max_examples=12)
@given(order=st.permutations(range(5)), cuts=st.sets(st.integers(1, 4)))
def test_an_answer_does_not_depend_on_its_neighbours(order: list[int], cuts: set[int]) -> None:
    asked = prompts()
    expected = sample(SAMPLED, asked)
    assert len({answer.text for answer in expected}) == 5

    borders = [0, *sorted(cuts), 5]
    for start, end in pairwise(borders):
        part = order[start:end]
        assert sample(SAMPLED, [asked[row] for row in part], part) == [expected[row] for row in part]


def test_a_row_draws_by_its_own_seed() -> None:
    one = prompts(1) * 3

    first, again, other = sample(SAMPLED, one, [1, 1, 2])

    assert first == again
    assert first != other


@pytest.mark.parametrize(
    "decoding",
    [
        BatchDecoding(temperature=1.0, top_k=6, max_tokens=1),
        BatchDecoding(temperature=0.5, top_k=4, max_tokens=1),
        BatchDecoding(temperature=1.0, top_p=0.1, max_tokens=1),
    ],
    ids=["top_k", "temperature", "top_p"],
)
def test_tokens_come_as_often_as_they_are_likely(decoding: BatchDecoding) -> None:
    prompt, count = prompts(1)[0], 2000
    with torch.inference_mode():
        logits = lively_model().model(input_ids=torch.tensor([prompt])).logits[0, -1].float()
    likely = cut_to_likely(logits, decoding)
    likely = likely / likely.sum()
    expected: defaultdict[str, float] = defaultdict(float)
    for token in likely.nonzero()[:, 0].tolist():
        expected[str(lively_model().tokenizer.decode([token])).replace("\ufffd", "")] += float(likely[token])

    found = Counter(answer.text for answer in sample(decoding, [prompt] * count, range(count)))

    assert 1 < len(expected) < 20
    assert set(found) <= set(expected)
    for text, share in expected.items():
        # Four standard deviations; the seeds are fixed, so this passes always or never.
        spread = 4 * (share * (1 - share) / count) ** 0.5
        assert found[text] / count == pytest.approx(share, abs=spread)


def test_each_row_ends_for_its_own_reason_and_counts_its_own_tokens() -> None:
    one_by_one = Decoding(max_tokens=8)
    ids = [list(sample_ids(lively_model(), prompt, one_by_one)) for prompt in prompts()]
    mark = ids[0][3]
    expected = [row.index(mark) if mark in row else None for row in ids]
    assert None in expected  # some row is cut off while another one ends
    with ending_at(mark):
        answers = sample(GREEDY, prompts())

    for row, answer in enumerate(answers):
        at = expected[row]
        assert answer.finish == ("length" if at is None else "stop")
        assert answer.tokens == (8 if at is None else at + 1)
        kept = ids[row][:at]
        assert answer.text == str(lively_model().tokenizer.decode(kept)).replace("\ufffd", "")


def test_a_stop_text_is_cut_off_with_what_follows() -> None:
    (whole,) = sample(replace(GREEDY, max_tokens=20), prompts(1))
    stop = whole.text[2:4]
    at = whole.text.index(stop)

    (answer,) = sample(replace(GREEDY, max_tokens=20, stop=("no such text", stop)), prompts(1))

    assert answer.text == whole.text[:at]
    assert answer.finish == "stop"
    assert answer.tokens < whole.tokens


def test_the_first_of_several_stop_texts_cuts() -> None:
    (whole,) = sample(replace(GREEDY, max_tokens=20), prompts(1))
    late, early = whole.text[4:5], whole.text[2:3]

    (answer,) = sample(replace(GREEDY, max_tokens=20, stop=(late, early)), prompts(1))

    assert answer.text == whole.text[: min(whole.text.index(late), whole.text.index(early))]


def test_a_prompt_near_the_end_of_the_context_takes_no_room_from_the_others() -> None:
    asked = [[5] * 120, *prompts(2)]  # the model reads 128

    long, *others = sample(replace(GREEDY, max_tokens=30), asked)

    assert (long.tokens, long.finish) == (8, "length")
    assert others == sample(replace(GREEDY, max_tokens=30), asked[1:], [1, 2])
    assert {other.tokens for other in others} == {30}


def test_penalties_make_what_was_said_less_likely() -> None:
    (plain,) = sample(replace(GREEDY, max_tokens=30), prompts(1))
    ids = lively_model().tokenizer(plain.text)["input_ids"]
    assert len(set(ids)) < len(ids)

    for penalized in (replace(GREEDY, presence_penalty=100.0), replace(GREEDY, frequency_penalty=100.0)):
        (answer,) = sample(replace(penalized, max_tokens=30), prompts(1))
        spoken = lively_model().tokenizer(answer.text)["input_ids"]
        assert len(set(spoken)) > len(set(ids)), penalized


def test_the_repetition_penalty_reads_the_prompt_and_not_the_padding() -> None:
    decoding = replace(GREEDY, repetition_penalty=1.8)
    expected = [sample(decoding, [prompt])[0] for prompt in prompts()]

    assert sample(decoding, prompts()) == expected
    assert expected != sample(GREEDY, prompts())


def test_an_abandoned_batch_ends_at_the_next_token() -> None:
    asked = iter([False, False, True])
    answers = sample_answers(
        lively_model(), prompts(2), replace(GREEDY, max_tokens=50), [0, 1], abandoned=lambda: next(asked)
    )

    assert [(answer.finish, answer.tokens) for answer in answers] == [("abandoned", 3)] * 2


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    ],
    ids=["cuda", "cpu", "mps"],
)
def test_a_batch_that_does_not_fit_says_so(error: RuntimeError) -> None:
    def full(*_args: Any) -> None:
        raise error

    handle = lively_model().model.register_forward_pre_hook(full)
    try:
        assert sample(GREEDY, prompts(2)) == [Answer("", "memory", 0)] * 2
    finally:
        handle.remove()
    assert sample(GREEDY, prompts(2))[0].finish == "length"


def test_an_error_that_is_not_about_memory_is_not_hidden() -> None:
    def broken(*_args: Any) -> None:
        raise RuntimeError("shapes do not match")

    handle = lively_model().model.register_forward_pre_hook(broken)
    try:
        with pytest.raises(RuntimeError, match="shapes do not match"):
            sample(GREEDY, prompts(1))
    finally:
        handle.remove()


def test_the_models_own_settings_are_read() -> None:
    opened = fresh_model()
    config: Any = opened.model.generation_config
    assert own_decoding(opened) == BatchDecoding()

    config.do_sample, config.temperature, config.top_p, config.top_k = True, 0.6, 0.95, 20
    config.repetition_penalty = 1.05

    assert own_decoding(opened) == BatchDecoding(
        temperature=0.6, top_p=0.95, top_k=20, repetition_penalty=1.05
    )


def test_the_models_own_penalty_is_applied_once_and_only_if_asked() -> None:
    expected = sample(GREEDY, prompts(2))
    config: Any = lively_model().model.generation_config
    config.repetition_penalty = 1.8
    try:
        assert sample(GREEDY, prompts(2)) == expected
    finally:
        config.repetition_penalty = None

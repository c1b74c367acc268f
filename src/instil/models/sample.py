"""Token ids to text: draw tokens one by one and stream whole characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from instil.models.decoding import Decoding
from instil.models.load import LanguageModel


@torch.inference_mode()
def sample_ids(language_model: LanguageModel, prompt: list[int], decoding: Decoding) -> Iterator[int]:
    """Yield the tokens of an answer, without the end mark.

    Ends at the end-of-turn mark, after `max_tokens`, or when the model has no position left.
    """
    model = language_model.model
    ends = end_marks(language_model)
    device = next(model.parameters()).device
    generator = torch.Generator(device=device)
    if decoding.seed is not None:
        generator.manual_seed(decoding.seed)
    else:
        generator.seed()
    room = (language_model.max_positions or 1 << 30) - len(prompt)
    seen, ids = list(prompt), torch.tensor([prompt], device=device)
    cache = None
    for _ in range(min(decoding.max_tokens, room)):
        output = model(input_ids=ids, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        token = _draw(output.logits[0, -1].float(), seen, decoding, generator)
        if token in ends:
            return
        yield token
        seen.append(token)
        ids = torch.tensor([[token]], device=device)


@torch.inference_mode()
def greedy_answers(
    language_model: LanguageModel, prompts: Sequence[list[int]], *, max_tokens: int, batch_size: int = 16
) -> Iterator[str]:
    """Yield the greedy answer to each prompt, in order; prompts of like length share a batch."""
    model, tokenizer = language_model.model, language_model.tokenizer
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    answers: dict[int, str] = {}
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        width = max(len(prompts[index]) for index in chosen)
        # Padding stands on the left, so that every answer begins at the same place.
        ids = torch.tensor(
            [[tokenizer.pad_token_id] * (width - len(prompts[i])) + prompts[i] for i in chosen]
        )
        attention = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in chosen])
        device = next(model.parameters()).device
        room = (language_model.max_positions or 1 << 30) - width
        generated: Any = model.generate(  # type: ignore[operator]
            input_ids=ids.to(device),
            attention_mask=attention.to(device),
            do_sample=False,
            max_new_tokens=max(1, min(max_tokens, room)),
            eos_token_id=sorted(end_marks(language_model)),
            pad_token_id=tokenizer.pad_token_id,
        )
        for index, row in zip(chosen, generated[:, width:], strict=True):
            answers[index] = whole(str(tokenizer.decode(row, skip_special_tokens=True)))
    yield from (answers[index] for index in range(len(prompts)))


def stream_text(language_model: LanguageModel, tokens: Iterator[int]) -> Iterator[str]:
    """Yield the text of tokens as it grows; a character that is not whole yet waits for its rest."""
    tokenizer = language_model.tokenizer
    pending: list[int] = []
    shown = ""
    for token in tokens:
        pending.append(token)
        text = str(tokenizer.decode(pending, skip_special_tokens=True))
        if text.endswith(_HALF):
            continue
        if new := whole(text[len(shown) :]):
            yield new
        shown = text
        if text.endswith("\n"):
            # A line is a safe place to start anew, so that decoding stays linear.
            pending, shown = [], ""
    if new := whole(str(tokenizer.decode(pending, skip_special_tokens=True))[len(shown) :]):
        yield new


_HALF = "\ufffd"


def whole(text: str) -> str:
    """Return text without what byte-level models leave of characters that they never finished."""
    return text.replace(_HALF, "")


def end_marks(language_model: LanguageModel) -> set[int]:
    """Return the tokens that end an answer, as the model or its tokenizer names them."""
    configured = getattr(language_model.model.generation_config, "eos_token_id", None)
    ends = set(configured) if isinstance(configured, list) else {configured}
    return {end for end in (*ends, language_model.tokenizer.eos_token_id) if end is not None}


def _draw(logits: torch.Tensor, seen: list[int], decoding: Decoding, generator: torch.Generator) -> int:
    """Return one token id drawn from logits of shape (vocabulary,)."""
    if decoding.repetition_penalty != 1.0:
        was_seen = torch.zeros_like(logits, dtype=torch.bool)
        was_seen[seen] = True
        logits = penalize(logits, was_seen, decoding.repetition_penalty)
    if decoding.temperature == 0:
        return int(logits.argmax())
    return int(torch.multinomial(cut_to_likely(logits, decoding), 1, generator=generator))


def penalize(logits: torch.Tensor, seen: torch.Tensor, penalty: float) -> torch.Tensor:
    """Return logits in which the tokens of the mask `seen` are less likely (CTRL, arXiv 1909.05858)."""
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


def cut_to_likely(logits: torch.Tensor, decoding: Decoding) -> torch.Tensor:
    """Return what is left of the probabilities after temperature, top-k and top-p; not normalized.

    Args:
        logits: of shape (…, vocabulary).
        decoding: its temperature is not 0.
    """
    logits = logits / decoding.temperature
    if decoding.top_k:
        least = torch.topk(logits, min(decoding.top_k, logits.shape[-1])).values[..., -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    probabilities = logits.softmax(-1)
    if decoding.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        # The token that crosses the threshold is kept, so at least one always is.
        ordered[ordered.cumsum(-1) - ordered >= decoding.top_p] = 0
        probabilities = torch.zeros_like(probabilities).scatter(-1, order, ordered)
    return probabilities

"""Answers to many prompts at once, each drawn with its own randomness.

A row draws one uniform number for each token from its own stream and looks it up in the cumulative
probabilities in the order of the vocabulary. So an answer does not depend on its neighbours but
through rounding: kernels add up in another order for another batch shape, which moves logits by
about 1e-6 in float32 (1e-2 in bfloat16). A token changes only where the two likeliest are as close
as that (greedy) or where the number falls as close as that to a border (sampled); from there the
answer is another one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import LogitsProcessor, StoppingCriteria

from instil.models.decoding import BatchDecoding
from instil.models.load import LanguageModel
from instil.models.sample import cut_to_likely, end_marks, penalize, whole

Finish = Literal["stop", "length", "memory", "abandoned"]


@dataclass(frozen=True)
class Answer:
    """What one row of a batch drew."""

    text: str
    finish: Finish
    """The model or a stop text ended it; it was cut off; memory did not suffice; nobody wants it any more."""
    tokens: int
    """Tokens that were drawn, the end mark included."""


def sample_answers(
    language_model: LanguageModel,
    prompts: Sequence[list[int]],
    decoding: BatchDecoding,
    seeds: Sequence[int],
    *,
    abandoned: Callable[[], bool] = lambda: False,
) -> list[Answer]:
    """Return an answer to each prompt, in order; no prompt may fill the context.

    Prompts are padded on the left to one length. A prompt that with its answer could reach the end
    of the context is answered alone, so that padding takes no room from it.

    Args:
        language_model: what answers.
        prompts: token ids.
        decoding: of all rows.
        seeds: of each row.
        abandoned: asked after each token; True ends the batch at once.
    """
    limit = language_model.max_positions or 1 << 30
    tight = [row for row, prompt in enumerate(prompts) if len(prompt) + decoding.max_tokens > limit]
    loose = [row for row in range(len(prompts)) if row not in tight]
    answers: dict[int, Answer] = {}
    for rows in (loose, *([row] for row in tight)):
        if rows:
            chosen = [prompts[row] for row in rows]
            drawn = _sample(language_model, chosen, decoding, [seeds[row] for row in rows], abandoned)
            answers.update(zip(rows, drawn, strict=True))
    return [answers[row] for row in range(len(prompts))]


def own_decoding(language_model: LanguageModel) -> BatchDecoding:
    """Return how the model's makers want it to be sampled; greedy where they do not say."""
    config: Any = language_model.model.generation_config
    penalty = getattr(config, "repetition_penalty", None) or 1.0
    if not getattr(config, "do_sample", None):
        return BatchDecoding(repetition_penalty=penalty)
    return BatchDecoding(
        temperature=1.0 if config.temperature is None else config.temperature,
        top_k=config.top_k or 0,
        top_p=1.0 if config.top_p is None else config.top_p,
        repetition_penalty=penalty,
    )


def _sample(
    language_model: LanguageModel,
    prompts: Sequence[list[int]],
    decoding: BatchDecoding,
    seeds: Sequence[int],
    abandoned: Callable[[], bool],
) -> list[Answer]:
    width = max(map(len, prompts))
    room = (language_model.max_positions or 1 << 30) - width
    ends = _Ends(language_model, decoding, width, min(decoding.max_tokens, room), len(prompts), abandoned)
    try:
        ids = _generate(language_model, prompts, _Draw(decoding, width, prompts, seeds), ends)
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        ids = None
    if ids is None:
        # Here the error is gone, and with it the frames that hold what has to be freed.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return [Answer("", "memory", 0)] * len(prompts)
    return [ends.answer(row, drawn) for row, drawn in enumerate(ids)]


@torch.inference_mode()
def _generate(
    language_model: LanguageModel, prompts: Sequence[list[int]], draw: _Draw, ends: _Ends
) -> list[list[int]]:
    """Return what was drawn after each prompt, with whatever stands after a row's end."""
    model, device = language_model.model, language_model.model.device
    width, pad = ends.width, _pad(language_model)
    ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts], device=device)
    mask = torch.tensor(
        [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device
    )
    drawn: Any = model.generate(  # type: ignore[operator]
        input_ids=ids,
        attention_mask=mask,
        logits_processor=[draw],
        stopping_criteria=[ends],
        max_new_tokens=ends.most,
        eos_token_id=sorted(end_marks(language_model)) or None,
        pad_token_id=pad,
        # `draw` decides everything; what the model's own settings say is in `own_decoding`.
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
    )
    rows: list[list[int]] = drawn[:, width:].tolist()
    return rows


class _Draw(LogitsProcessor):
    """Leaves each row one token to take: the likeliest, or the one that the row's own number points at."""

    def __init__(
        self, decoding: BatchDecoding, width: int, prompts: Sequence[list[int]], seeds: Sequence[int]
    ) -> None:
        self._decoding, self._width, self._prompts = decoding, width, prompts
        self._seen: torch.Tensor | None = None
        self._streams = [random.Random(seed) for seed in seeds]  # noqa: S311 (reproducible on purpose)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (rows, vocabulary) that are finite at one token of each row."""
        decoding = self._decoding
        logits = self._penalized(input_ids[:, self._width :], scores.float())
        if decoding.temperature == 0:
            tokens = logits.argmax(-1, keepdim=True)
        else:
            tokens = self._drawn(cut_to_likely(logits, decoding))
        return torch.full_like(scores, -torch.inf).scatter_(1, tokens, 0.0)

    def _penalized(self, answered: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        decoding = self._decoding
        if decoding.repetition_penalty != 1.0:
            logits = penalize(logits, self._see(answered, logits), decoding.repetition_penalty)
        if decoding.frequency_penalty or decoding.presence_penalty:
            ones = torch.ones_like(answered, dtype=logits.dtype)
            counts = torch.zeros_like(logits).scatter_add_(1, answered, ones)
            logits = logits - decoding.frequency_penalty * counts - decoding.presence_penalty * (counts > 0)
        return logits

    def _see(self, answered: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        """Return the mask of what each row has read or said, of the shape of `logits`; padding is neither."""
        if self._seen is None:
            self._seen = torch.zeros_like(logits, dtype=torch.bool)
            for row, prompt in enumerate(self._prompts):
                self._seen[row, prompt] = True
        return self._seen.scatter_(1, answered[:, -1:], value=True)

    def _drawn(self, probabilities: torch.Tensor) -> torch.Tensor:
        # Apple's GPU has no float64; in float32 the sum of a large vocabulary is off by more than its rows.
        device = "cpu" if probabilities.device.type == "mps" else probabilities.device
        # In the order of the vocabulary: sorted, two tokens that are as likely could change places.
        reached = probabilities.to(device, torch.float64).cumsum(-1)
        numbers = [[stream.random()] for stream in self._streams]
        points = torch.tensor(numbers, dtype=torch.float64, device=device) * reached[:, -1:]
        return torch.searchsorted(reached, points, right=True).to(probabilities.device)


class _Ends(StoppingCriteria):
    """Notes where and why each row ends."""

    def __init__(
        self,
        language_model: LanguageModel,
        decoding: BatchDecoding,
        width: int,
        most: int,
        rows: int,
        abandoned: Callable[[], bool],
    ) -> None:
        self.width, self.most = width, most
        self._tokenizer, self._marks = language_model.tokenizer, end_marks(language_model)
        self._stop, self._abandoned = decoding.stop, abandoned
        # A token is at least a byte, but for some that only mark a place: a few more than the longest stop.
        self._tail = max((len(text.encode()) for text in decoding.stop), default=0) + 8
        self._found: list[tuple[int, Finish] | None] = [None] * rows

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_kwargs: Any) -> torch.Tensor:  # noqa: ARG002
        """Return for each row whether it has ended, of shape (rows,)."""
        drawn = input_ids.shape[1] - self.width
        tails = input_ids[:, -min(drawn, self._tail) :].tolist()
        gone = self._abandoned()
        for row, tail in enumerate(tails):
            if self._found[row] is None and (finish := self._finish(tail, drawn, gone=gone)):
                self._found[row] = (drawn, finish)
        return torch.tensor([found is not None for found in self._found], device=input_ids.device)

    def answer(self, row: int, ids: list[int]) -> Answer:
        """Return what a row drew up to its end, without end mark and stop text."""
        found = self._found[row]
        assert found  # generation ends when every row has
        length, finish = found
        kept = ids[:length]
        if kept[-1] in self._marks:
            kept = kept[:-1]
        text = whole(str(self._tokenizer.decode(kept, skip_special_tokens=True)))
        cut = min((at for at in map(text.find, self._stop) if at >= 0), default=len(text))
        return Answer(text[:cut], "stop" if cut < len(text) else finish, length)

    def _finish(self, tail: list[int], drawn: int, *, gone: bool) -> Finish | None:
        if tail[-1] in self._marks:
            return "stop"
        if self._stop:
            text = whole(str(self._tokenizer.decode(tail, skip_special_tokens=True)))
            if any(stop in text for stop in self._stop):
                return "stop"
        if drawn >= self.most:
            return "length"
        return "abandoned" if gone else None


def _pad(language_model: LanguageModel) -> int:
    """Return the token that fills a batch; it is masked, so any will do where the model names none."""
    tokenizer: Any = language_model.tokenizer
    named = (tokenizer.pad_token_id, tokenizer.eos_token_id)
    return next((int(token) for token in named if token is not None), 0)


def _is_out_of_memory(error: RuntimeError) -> bool:
    # CUDA has a class for it; the CPU and Apple's GPU only say it.
    said = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in said for words in ("out of memory", "not enough memory", "can't allocate memory")
    )

"""Texts as vectors, so that texts that say the same lie close."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from instil.errors import MissingPackage, RequestError

_ROWS = 32
_LONGEST = 512  # tokens that are looked at


class Embedder:
    """Averages the last hidden states of a model of `transformers` over a text's tokens.

    That is how sentence-embedding models (E5, GTE, BGE-M3 …) are published and trained; Reimers & Gurevych,
    Sentence-BERT, 2019, compare it with other ways.

    Raises:
        MissingPackage: torch or transformers is not installed.
        RequestError: the model cannot be loaded.
    """

    def __init__(self, model: str) -> None:
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ModuleNotFoundError as error:
            raise MissingPackage("comparing by meaning", str(error.name), "train") from error
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(model)
            self._model: Any = AutoModel.from_pretrained(model).eval()
        except (OSError, ValueError) as error:
            raise RequestError(
                f"the embedding model {model!r} cannot be loaded: {str(error).splitlines()[0]}",
                hint="name a directory of a model of transformers, or a hub id that is in the cache",
            ) from error
        # Behind the text, where padding moves no token to another position.
        self._tokenizer.padding_side = "right"
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._torch = torch

    def vectors(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return a vector of length one for each text, in the order given: shape (texts, dimensions).

        A text is cut after 512 tokens, or where the model cannot read on.
        """
        limit = min(_LONGEST, getattr(self._model.config, "max_position_embeddings", None) or _LONGEST)
        order = sorted(range(len(texts)), key=lambda index: (len(texts[index]), texts[index]))
        found: npt.NDArray[np.float32] | None = None
        for start in range(0, len(order), _ROWS):
            places = order[start : start + _ROWS]
            batch = self._tokenizer(
                [texts[place] for place in places],
                padding=True,
                truncation=True,
                max_length=limit,
                return_tensors="pt",
            )
            batch.pop("token_type_ids", None)
            with self._torch.inference_mode():
                hidden = self._model(**batch).last_hidden_state
                mask = batch["attention_mask"].unsqueeze(-1)
                mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
                unit = self._torch.nn.functional.normalize(mean.float(), dim=-1)
            if found is None:
                found = np.empty((len(texts), unit.shape[1]), np.float32)
            found[places] = unit.numpy()
        return np.empty((0, 1), np.float32) if found is None else found

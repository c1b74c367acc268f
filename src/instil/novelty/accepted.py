"""The texts that were accepted so far, and which of them is most like a new one."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from instil.novelty.index import Index, Match, open_index
from instil.novelty.tokens import Tokenization, Vocabulary


class Nearest(NamedTuple):
    """The accepted text that is most similar."""

    text: str
    score: float
    """ROUGE-L F1."""


class AcceptedTexts:
    """Compares texts with all that were accepted before them.

    An accepted text of ten words takes about 250 bytes besides its own in UTF-8; others take nothing.
    """

    def __init__(
        self, threshold: float, tokenization: Tokenization = "auto", index: Index | None = None
    ) -> None:
        self._index = index or open_index(threshold)
        self._vocabulary = Vocabulary(tokenization)
        self._texts = _Texts()

    def __len__(self) -> int:
        return len(self._texts)

    def nearest(self, text: str) -> Nearest | None:
        """Return the accepted text with the highest score above the threshold, the first of equals."""
        return self._named(self._index.nearest(self._vocabulary.look_up(text)))

    def accept(self, text: str) -> None:
        """Compare later texts with this one too."""
        self._index.add(self._vocabulary.encode(text))
        self._texts.append(text)

    def filter(self, texts: Sequence[str]) -> list[Nearest | None]:
        """Take texts in order, accept those with none above the threshold, and return each one's nearest.

        Gives what `nearest` and `accept` would, with less to do between texts.
        """
        matches = self._index.filter(*self._vocabulary.encode_all(texts))
        for text, match in zip(texts, matches, strict=True):
            if match is None:
                self._texts.append(text)
        return [self._named(match) for match in matches]

    def most_similar(self, text: str, count: int) -> dict[str, float]:
        """Return the `count` accepted texts with the highest scores above 0 and the scores, best first."""
        found = self._index.most_similar(self._vocabulary.look_up(text), count)
        return {self._texts[match.position]: match.score for match in found}

    def _named(self, match: Match | None) -> Nearest | None:
        return None if match is None else Nearest(self._texts[match.position], match.score)


class _Texts:
    """A list of texts without the sixty bytes that each string takes besides its characters."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, position: int) -> str:
        return self._bytes[self._ends[position] : self._ends[position + 1]].decode("utf-8", "surrogatepass")

    def append(self, text: str) -> None:
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

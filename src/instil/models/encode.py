"""Texts with marked spans to token ids, and the tokens that each span became, by the tokenizer's offsets.

A token that crosses a border of a span would mix what is learned with what is not, and the model would
never see it at inference, where the text up to an answer is a piece of its own. So a text is cut at such
a border, and the pieces are tokenized apart. It is cut nowhere else: elsewhere the tokens are those that
other tools give the whole text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from instil.models.words import WordTokenizer

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from transformers import PreTrainedTokenizerBase

Spans = tuple[tuple[int, int], ...]
"""Ranges, each up to and without its end, in ascending order."""

_LEADS = ("\n", "1", ".")
"""Characters of different kinds, of which one does not share a token with what follows."""


class Marked(NamedTuple):
    """A text and the ranges of its characters that count."""

    text: str
    spans: Spans


class Encoded(NamedTuple):
    """The tokens of a marked text."""

    ids: list[int]
    spans: Spans
    """The ranges of tokens that the ranges of characters became."""


@dataclass(frozen=True)
class _Piece:
    """A part of a text that was tokenized alone."""

    start: int
    """Its first character in the text."""
    ids: list[int]
    token_at: Callable[[int], int | None]
    """Says which token begins at one of its characters; None where none does."""


class _Waiting(NamedTuple):
    """A piece of text that is to be tokenized together with others."""

    row: int
    place: int
    """Which piece of its text it is."""
    start: int
    """Its first character in the text."""
    text: str


class Encoder:
    """Tokenizes marked texts, many at once."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer: Any = tokenizer
        self._fast: Tokenizer | None = tokenizer.backend_tokenizer if tokenizer.is_fast else None
        self._words = WordTokenizer.of(self._fast) if self._fast is not None else None
        # Sentencepiece-like tokenizers put a space before a text, which a piece from the middle must not get;
        # so it is tokenized behind one of these, whose tokens are taken away again.
        self._leads = {lead: self._ids(lead) for lead in _LEADS}
        if self._ids("\na") == self._leads["\n"] + self._ids("a"):
            self._leads = {}

    def encode(self, texts: Sequence[Marked]) -> list[Encoded]:
        """Return the tokens of each text; special tokens are those that the text itself spells."""
        cuts = [self._sure_cuts(each) for each in texts]
        found = [None if its else self._by_words(each) for each, its in zip(texts, cuts, strict=True)]
        waiting = [row for row, each in enumerate(found) if each is None]
        while waiting:
            pieces = self._encode_pieces([(texts[row].text, cuts[row]) for row in waiting])
            for row, its_pieces in zip(waiting, pieces, strict=True):
                crossed = set[int]()
                encoded = _join(its_pieces, texts[row], crossed)
                cuts[row] |= crossed
                found[row] = None if crossed else encoded
            waiting = [row for row in waiting if found[row] is None]
        return [each for each in found if each is not None]

    def _sure_cuts(self, marked: Marked) -> set[int]:
        r"""Return the borders that need a cut whatever the tokens are.

        A space begins the token of the word after it, even where the offsets leave it out. Of several
        white characters the last one may be tokenized with what follows (`\s+(?!\S)` of GPT-2 and its
        heirs), so that even where no token crosses the border, those before it are others than when the
        text ends there.
        """
        text = marked.text
        borders = {border for border in chain.from_iterable(marked.spans) if 0 < border < len(text)}
        return {b for b in borders if text[b - 1] == " " or (b > 1 and text[b - 2 : b].isspace())}

    def _by_words(self, marked: Marked) -> Encoded | None:
        """Return the tokens of a text that needs no cut, where that can be told by its words alone."""
        words = self._words.encode(marked.text) if self._words else None
        if words is None:
            return None
        found = [
            token for token in words.tokens_at([*chain.from_iterable(marked.spans)]) if token is not None
        ]
        if len(found) < 2 * len(marked.spans):
            return None
        return Encoded(words.ids, tuple(zip(found[::2], found[1::2], strict=True)))

    def _encode_pieces(self, texts: Sequence[tuple[str, set[int]]]) -> list[list[_Piece]]:
        """Return the pieces of each text between its cuts."""
        pieces: list[list[_Piece | None]] = []
        waiting: list[_Waiting] = []
        for row, (text, cuts) in enumerate(texts):
            pieces.append([])
            for start, end in pairwise([0, *sorted(cuts), len(text)]):
                piece = self._piece_alone(start, text[start:end])
                if piece is None:
                    waiting.append(_Waiting(row, len(pieces[row]), start, text[start:end]))
                pieces[row].append(piece)
        for each, piece in zip(waiting, self._pieces_together(waiting), strict=True):
            pieces[each.row][each.place] = piece
        return [[piece for piece in its_pieces if piece is not None] for its_pieces in pieces]

    def _piece_alone(self, start: int, text: str) -> _Piece | None:
        """Return a piece that need not wait to be tokenized with others."""
        if self._fast is None:
            return _Piece(start, self._ids(text, middle=start > 0), lambda _: None)
        words = self._words.encode(text) if self._words else None
        return _Piece(start, words.ids, lambda place: words.tokens_at([place])[0]) if words else None

    def _pieces_together(self, waiting: Sequence[_Waiting]) -> Iterator[_Piece]:
        first = next(iter(self._leads), "")
        encodings = self._batch([(first if each.start else "") + each.text for each in waiting])
        for each, encoding in zip(waiting, encodings, strict=True):
            piece = self._without_lead(first if each.start else "", each.start, encoding)
            for lead in (*self._leads, ""):
                if piece is None:
                    (again,) = self._batch([lead + each.text])
                    piece = self._without_lead(lead, each.start, again)
            assert piece is not None  # without a lead there is nothing that could have merged
            yield piece

    def _without_lead(self, lead: str, start: int, encoding: Encoding) -> _Piece | None:
        """Return a piece that was tokenized behind a lead; None where both share a token."""
        ids, before = encoding.ids, self._leads.get(lead, [])
        if ids[: len(before)] != before:
            return None
        return _Piece(start, ids[len(before) :], partial(_token_at, encoding, len(lead), len(before)))

    def _ids(self, text: str, *, middle: bool = False) -> list[int]:
        """Return the tokens of a text; `middle`: of one that stands in the middle of another."""
        if middle:
            for lead, before in self._leads.items():
                ids = self._ids(lead + text)
                if ids[: len(before)] == before:
                    return ids[len(before) :]
        found: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def _batch(self, texts: Sequence[str]) -> list[Encoding]:
        fast = self._fast
        if fast is None or not texts:
            return []
        # A file may say that every text is cut or filled up, and whoever used the tokenizer before may too.
        if fast.truncation is not None:
            fast.no_truncation()
        if fast.padding is not None:
            fast.no_padding()
        return fast.encode_batch(texts, add_special_tokens=False)


def _token_at(encoding: Encoding, characters: int, tokens: int, place: int) -> int | None:
    """Return which token begins at a character; None where none does.

    Args:
        encoding: of a piece of text.
        characters: how many were put before the piece.
        tokens: how many those became.
        place: the character, counted in the piece.
    """
    place += characters
    token = encoding.char_to_token(place)
    if token is None:
        return None
    found = encoding.token_to_chars(token)
    return token - tokens if found and found[0] == place else None


def _join(pieces: Sequence[_Piece], marked: Marked, crossed: set[int]) -> Encoded:
    """Return the tokens of all pieces; adds the borders that a token crosses to `crossed`."""
    ids: list[int] = pieces[0].ids if len(pieces) == 1 else [i for piece in pieces for i in piece.ids]
    starts = [piece.start for piece in pieces]
    tokens = dict(zip(starts, accumulate((len(piece.ids) for piece in pieces), initial=0), strict=False))
    tokens[len(marked.text)] = len(ids)
    for border in chain.from_iterable(marked.spans):
        if border not in tokens:
            piece = pieces[bisect_right(starts, border) - 1]
            token = piece.token_at(border - piece.start)
            if token is None:
                crossed.add(border)
            tokens[border] = tokens[piece.start] + (token or 0)
    return Encoded(ids, tuple((tokens[start], tokens[end]) for start, end in marked.spans))

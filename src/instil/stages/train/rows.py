"""Training rows as tokens: rendered, made to fit, counted, and kept in a store that the loop reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import compress, count, tee
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from instil.data.examples import Counts, Example
from instil.data.fingerprint import fingerprint
from instil.data.jsonl import JsonlWriter
from instil.data.progress import Progress
from instil.data.shards import read_index, read_rows
from instil.errors import StageError, StoreError
from instil.models.fit import TooLong, fit
from instil.models.render import Refused, Rendered, Renderer
from instil.models.token_store import TokenStore
from instil.models.token_writer import TokenWriter
from instil.stages.base import EXAMPLES_FILE, KEPT_FILE, REJECTED_FILE, TRAIN_ROWS, VALIDATION_ROWS
from instil.stages.train import TrainConfig

SHORTENED_FILE = "shortened.jsonl"
Sources = Counter[tuple[str, str, str | None]]


class Tokenized(NamedTuple):
    """What became of one example."""

    number: int
    """Its place among the examples, counted from 0."""
    example: Example
    tokens: int
    """Of the whole conversation; 0 where it could not be rendered."""
    rows: tuple[Rendered, ...]
    """What is learned of it: one row, several where it was split, none where it is rejected."""
    reason: str | None = None
    """Why there is no row."""
    messages_left_out: int = 0
    """How many of its messages are in no row, though others are."""

    @property
    def shortened(self) -> bool:
        """Whether it was cut or split."""
        return bool(self.messages_left_out) or len(self.rows) > 1


@dataclass
class Tally:
    """What became of all examples."""

    asked: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    cut: int = 0
    """Examples of which the last exchanges are left out."""
    split: int = 0
    """Examples that became several rows, or that lost an exchange from their middle."""
    messages_left_out: int = 0
    """Messages of cut and split examples that are in no row."""
    ends: int = 0
    """Rows in which the end mark is learned."""
    rows: int = 0
    sources: Sources = field(default_factory=Counter)
    """Kept examples by kind, name and licence."""

    def add(self, each: Tokenized, how: TooLong, end: int | None) -> None:
        """Count one example; `end` is the token that ends an answer."""
        self.asked += 1
        if each.reason is not None:
            self.reasons[each.reason] += 1
            return
        origin = each.example.origin
        self.sources[origin.kind, origin.name, origin.license] += 1
        self.rows += len(each.rows)
        self.ends += sum(learns(row, end) for row in each.rows)
        if each.shortened:
            self.messages_left_out += each.messages_left_out
            self.cut += how == "cut"
            self.split += how == "split"

    @property
    def counts(self) -> Counts:
        """Examples that were asked for, kept and rejected."""
        rejected = self.reasons.total()
        return Counts(
            asked=self.asked, kept=self.asked - rejected, rejected=rejected, reasons=dict(self.reasons)
        )

    def notes(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        sources = [[*origin, kept] for origin, kept in self.sources.items()]
        return {**vars(self), "reasons": dict(self.reasons), "sources": sources}

    @classmethod
    def of(cls, notes: Mapping[str, Any]) -> Tally:
        """Return what `notes` wrote down."""
        sources: Sources = Counter(
            {(kind, name, license_): kept for kind, name, license_, kept in notes["sources"]}
        )
        return cls(**{**notes, "reasons": Counter(notes["reasons"]), "sources": sources})


def learns(row: Rendered, token: int | None) -> bool:
    """Whether a token is learned anywhere in a row."""
    return token is not None and token in compress(row.input_ids, row.mask)


def row_paths(config: TrainConfig, inputs: Mapping[str, Path]) -> tuple[Path, Path | None]:
    """Return where the training rows lie, and the validation rows if there are any.

    Args:
        config: may name files.
        inputs: directories of finished stages, by name.

    Raises:
        StageError: there is nothing to train on.
    """
    if config.examples:
        return config.examples, config.validation
    for stage, file in (("mix", TRAIN_ROWS), ("curate", KEPT_FILE), ("generate", EXAMPLES_FILE)):
        if stage in inputs:
            held_out = inputs[stage] / VALIDATION_ROWS if stage == "mix" else config.validation
            return inputs[stage] / file, held_out
    raise StageError("there is nothing to train on")


def read_examples(path: Path) -> Iterator[Example]:
    """Yield the examples of a file or of a directory of shards, one at a time.

    Raises:
        StageError: a row is no example.
    """
    for number, row in enumerate(read_rows(path), start=1):
        try:
            yield Example.model_validate(row)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise StageError(
                f"{str(path)!r} row {number:,} is no example: {place or 'it'}: {first['msg']}",
                hint="an example has `messages` and `origin`; `instil convert` makes it of other formats",
            ) from error


def count_rows(path: Path) -> int | None:
    """Return how many rows there are, where that is written down."""
    return int(read_index(path)["rows"]) if path.is_dir() else None


def tokenize(
    examples: Iterable[Example], renderer: Renderer, limit: int, how: TooLong
) -> Iterator[Tokenized]:
    """Yield what becomes of each example where a row may have `limit` tokens.

    Raises:
        RecipeError: the chat template is no good for training.
    """
    examples, again = tee(examples)
    rendered = renderer.render_many(example.messages for example in again)
    for number, example, found in zip(count(), examples, rendered):
        if isinstance(found, Refused):
            yield Tokenized(number, example, 0, (), found.reason)
            continue
        tokens = len(found.input_ids)
        if tokens <= limit:
            yield Tokenized(number, example, tokens, (found,))
            continue
        fitted = fit(renderer, example.messages, limit, how)
        if fitted.rows:
            yield Tokenized(number, example, tokens, fitted.rows, None, fitted.messages)
        else:
            yield Tokenized(number, example, tokens, (), f"more than {limit} tokens")


def store_rows(
    path: Path,
    directory: Path,
    renderer: Renderer,
    config: TrainConfig,
    *,
    end: int | None,
    seed: int,
    progress: Progress,
    lists: Path | None = None,
) -> tuple[TokenStore, Tally]:
    """Return the rows of a file or directory as a store of tokens, with what became of each of them.

    A whole store that an interrupted run left for the same tokens is used again.

    Args:
        path: where the rows lie.
        directory: where the store is to be.
        renderer: says what the tokens are.
        config: says how long a row may be and what becomes of one that is longer.
        end: the token that ends an answer.
        seed: of the packing.
        progress: where this tells how far it is.
        lists: directory for `rejected.jsonl` and `shortened.jsonl`; None: they are only counted.

    Raises:
        RecipeError: the chat template is no good for training.
    """
    limit, how = config.max_seq_length, config.too_long
    identity = fingerprint([renderer.fingerprint, limit, how, seed])
    if (store := _earlier(directory, identity, progress)) is not None:
        return store, Tally.of(store.header.notes)
    tally = Tally()
    writer = TokenWriter(
        directory,
        vocabulary=renderer.vocabulary,
        max_seq_length=limit,
        fingerprint=identity,
        seed=seed,
    )
    with ExitStack() as stack:
        stack.enter_context(writer)
        task = stack.enter_context(progress.task("rendering", total=count_rows(path), unit="rows"))
        listing = {
            name: stack.enter_context(_new_list(lists / name))
            for name in (REJECTED_FILE, SHORTENED_FILE)
            if lists
        }
        for each in tokenize(read_examples(path), renderer, limit, how):
            tally.add(each, how, end)
            if listing and each.reason is not None:
                listing[REJECTED_FILE].append(_rejected(each))
            elif listing and each.shortened:
                listing[SHORTENED_FILE].append(_shortened(each))
            for row in each.rows:
                writer.append(row, each.number)
            task.advance()
        for file in listing.values():
            file.sync()
        return writer.finish(tally.notes()), tally


def _earlier(directory: Path, identity: str, progress: Progress) -> TokenStore | None:
    """Return the store that an interrupted run left, if it holds the same tokens."""
    if not directory.exists():
        return None
    try:
        store = TokenStore(directory)
    except StoreError as error:
        progress.say(f"{error}; it is written again")
        return None
    return store if store.header.fingerprint == identity else None


def _new_list(path: Path) -> JsonlWriter:
    path.unlink(missing_ok=True)
    return JsonlWriter(path)


def _rejected(each: Tokenized) -> dict[str, Any]:
    name = "max_seq_length" if each.tokens else "chat_template"
    return {"id": each.example.id, "filter": name, "reason": each.reason, "tokens": each.tokens}


def _shortened(each: Tokenized) -> dict[str, Any]:
    return {
        "id": each.example.id,
        "tokens": each.tokens,
        "rows": [len(row.input_ids) for row in each.rows],
        "messages": len(each.example.messages),
        "messages_left_out": each.messages_left_out,
    }

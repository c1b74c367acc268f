"""Conversations with more tokens than a row may have: cut at the border of a turn, split, or rejected.

An exchange is what a user says up to the assistant's last answer to it. Whatever is taken away is whole
exchanges, so every row ends with an answer and begins as the conversation does, with its system prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice, pairwise, takewhile
from typing import Literal, NamedTuple

from instil.data.messages import Message
from instil.models.render import Refused, Rendered, Renderer

TooLong = Literal["cut", "split", "reject"]
"""What becomes of a conversation that is too long: its last exchanges are left out; it becomes several
rows, each with the system prompt; or none of it is learned."""


@dataclass(frozen=True)
class Fitted:
    """What a conversation that is too long became."""

    rows: tuple[Rendered, ...]
    """None where not even one exchange fits."""
    messages: int
    """How many of its messages are in no row."""


def exchanges(messages: Sequence[Message]) -> tuple[Sequence[Message], list[Sequence[Message]]]:
    """Return the system prompt, as messages that lead, and the exchanges after it."""
    lead = next((index for index, each in enumerate(messages) if each.role != "system"), len(messages))
    begins = [
        index
        for index in range(lead + 1, len(messages))
        if messages[index].role == "user" and messages[index - 1].role == "assistant"
    ]
    borders = pairwise([lead, *begins, len(messages)])
    return messages[:lead], [messages[start:end] for start, end in borders if start < end]


def fit(renderer: Renderer, messages: Sequence[Message], limit: int, how: TooLong) -> Fitted:
    """Return the rows that a conversation of more than `limit` tokens becomes, in its order.

    Every exchange is in one row at most; `split` leaves out only those that are too long by themselves.

    Raises:
        RecipeError: the template is no good for training.
    """
    if how == "reject":
        return Fitted((), len(messages))
    answered = max((index + 1 for index, each in enumerate(messages) if each.role == "assistant"), default=0)
    lead, parts = exchanges(messages[:answered])
    runs = list(islice(_runs(renderer, lead, parts, limit), 1 if how == "cut" else None))
    if how == "cut" and runs and runs[0].first > 0:
        runs = []
    kept = sum(len(part) for run in runs for part in parts[run.first : run.last])
    return Fitted(tuple(run.row for run in runs), len(messages) - kept - (len(lead) if runs else 0))


class _Run(NamedTuple):
    """Exchanges that fit into one row: those from `first` up to and without `last`."""

    first: int
    last: int
    row: Rendered


def _runs(
    renderer: Renderer, lead: Sequence[Message], parts: Sequence[Sequence[Message]], limit: int
) -> Iterator[_Run]:
    """Yield runs of exchanges that fit, each as long as it can be; nothing for one that is too long."""

    def render(first: int, last: int) -> Rendered | None:
        (found,) = renderer.render_many([[*lead, *chain.from_iterable(parts[first:last])]])
        return None if isinstance(found, Refused) or len(found.input_ids) > limit else found

    sizes, shared = _sizes(renderer, lead, parts)
    first = 0
    while first < len(parts):
        # The sizes tell where the run ends, but for a few tokens; rendering it tells exactly.
        ends = accumulate(sizes[first:], initial=shared)
        last = first + max(1, sum(1 for _ in takewhile(lambda size: size <= limit, ends)) - 1)
        row = render(first, last)
        while row is None and last > first + 1:
            last -= 1
            row = render(first, last)
        while row is not None and last < len(parts) and (longer := render(first, last + 1)) is not None:
            row, last = longer, last + 1
        if row is not None:
            yield _Run(first, last, row)
        first = last


def _sizes(
    renderer: Renderer, lead: Sequence[Message], parts: Sequence[Sequence[Message]]
) -> tuple[list[int], int]:
    """Return about how many tokens each exchange adds to a row, and what every row has besides them."""
    *alone, two = [
        0 if isinstance(each, Refused) else len(each.input_ids)
        for each in renderer.render_many(
            [*([*lead, *part] for part in parts), [*lead, *chain.from_iterable(parts[:2])]]
        )
    ]
    shared = max(0, sum(alone[:2]) - two) if len(parts) > 1 else 0
    return [max(0, size - shared) for size in alone], shared

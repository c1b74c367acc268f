"""Too long conversations: whole exchanges are left out, none is learned twice, and every row fits."""

from __future__ import annotations

from functools import cache
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.messages import Message, Role
from instil.models.fit import exchanges, fit
from instil.models.render import Rendered, Renderer
from tests.tiny import shared_model

_ROLES: tuple[Role, ...] = ("user", "assistant", "tool", "system")
_sizes = st.lists(st.integers(1, 30), min_size=1, max_size=8)


@cache
def _renderer(template: str = "chatml") -> Renderer:
    return Renderer(shared_model(template).tokenizer)


def _dialogue(sizes: list[int], *, system: bool = True) -> list[Message]:
    """Return a dialogue whose answers say which they are, and are as long as asked."""
    found = [Message(role="system", content="Be kind.")] if system else []
    for number, size in enumerate(sizes):
        found += [
            Message(role="user", content=f"Ask {number}?"),
            Message(role="assistant", content=f"<{number}>" + " word" * size),
        ]
    return found


def _text(row: Rendered, *, learned: bool = False) -> str:
    ids = [token for token, mask in zip(row.input_ids, row.mask, strict=True) if mask or not learned]
    return str(shared_model("chatml").tokenizer.decode(ids))


def _answers(row: Rendered) -> list[int]:
    text = _text(row, learned=True)
    return [number for number in range(30) if f"<{number}>" in text]


def _alone(sizes: list[int], number: int) -> int:
    """Return how many tokens an exchange has with the system prompt."""
    dialogue = _dialogue(sizes)
    return len(_renderer().render([dialogue[0], *dialogue[1 + 2 * number : 3 + 2 * number]]).input_ids)


@given(sizes=_sizes, limit=st.integers(20, 200))
def test_split_learns_every_exchange_that_fits_once_and_in_order(sizes: list[int], limit: int) -> None:
    fitted = fit(_renderer(), _dialogue(sizes), limit, "split")

    fitting = [number for number in range(len(sizes)) if _alone(sizes, number) <= limit]
    assert [number for row in fitted.rows for number in _answers(row)] == fitting
    assert all(len(row.input_ids) <= limit for row in fitted.rows)
    assert all(_text(row).startswith("<|im_start|>system\nBe kind.<|im_end|>") for row in fitted.rows)
    left_out = 2 * (len(sizes) - len(fitting))
    assert fitted.messages == (left_out if fitting else left_out + 1)


@given(sizes=_sizes, limit=st.integers(20, 200))
def test_cut_keeps_as_many_exchanges_as_fit_from_the_first_on(sizes: list[int], limit: int) -> None:
    dialogue = _dialogue(sizes)
    beginnings = [dialogue[: 1 + 2 * count] for count in range(1, len(sizes) + 1)]
    fitting = [each for each in beginnings if len(_renderer().render(each).input_ids) <= limit]

    fitted = fit(_renderer(), dialogue, limit, "cut")

    assert fitted.rows == ((_renderer().render(fitting[-1]),) if fitting else ())
    assert fitted.messages == len(dialogue) - (len(fitting[-1]) if fitting else 0)


def test_each_row_of_a_split_is_as_long_as_it_can_be() -> None:
    sizes = [5] * 9
    longest = len(_renderer().render(_dialogue(sizes[:3])).input_ids)

    fitted = fit(_renderer(), _dialogue(sizes), longest, "split")

    assert [_answers(row) for row in fitted.rows] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize("how", ["cut", "split"])
def test_what_nobody_answered_is_left_out_and_counted(how: Literal["cut", "split"]) -> None:
    dialogue = [*_dialogue([3, 3]), Message(role="user", content="And then?" + " why" * 50)]
    limit = len(_renderer().render(dialogue[:-1]).input_ids)

    fitted = fit(_renderer(), dialogue, limit, how)

    assert fitted.rows == (_renderer().render(dialogue[:-1]),)
    assert fitted.messages == 1


def test_a_split_never_ends_with_a_question() -> None:
    dialogue = [*_dialogue([9, 9, 9]), Message(role="user", content="And?")]

    # Room for two exchanges, so that the question would fit behind the third.
    fitted = fit(_renderer(), dialogue, len(_renderer().render(dialogue[:5]).input_ids), "split")

    answered = [each for row in fitted.rows for each in _answers(row)]
    assert answered == [0, 1, 2]
    assert not any("And?" in _text(row) for row in fitted.rows)
    assert fitted.messages == 1


@pytest.mark.parametrize(("filler", "condition"), [("!", "< 6"), ("!", "> 4")])
def test_rows_are_as_long_as_they_can_be_though_a_template_writes_long_ones_otherwise(
    filler: str, condition: str
) -> None:
    tokenizer = shared_model("chatml").tokenizer
    source = str(tokenizer.chat_template)
    other = source.replace(
        "message.role + '\\n'",
        f"message.role + '\\n' + ('{filler}' if messages | length {condition} else '')",
    )
    assert other != source
    try:
        tokenizer.chat_template = other
        renderer = Renderer(tokenizer)
    finally:
        tokenizer.chat_template = source
    dialogue = _dialogue([4] * 6, system=False)
    limit = len(renderer.render(dialogue[:6]).input_ids)

    fitted = fit(renderer, dialogue, limit, "split")

    assert [_answers(row) for row in fitted.rows] == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("how", ["cut", "split", "reject"])
def test_one_exchange_that_is_too_long_gives_no_row(how: Literal["cut", "split", "reject"]) -> None:
    assert fit(_renderer(), _dialogue([60]), 30, how).rows == ()
    assert fit(_renderer(), _dialogue([60]), 30, how).messages == 3


def test_nothing_is_kept_of_a_conversation_that_is_to_be_rejected() -> None:
    assert fit(_renderer(), _dialogue([3, 3]), 40, "reject").rows == ()


@given(roles=st.lists(st.sampled_from(_ROLES), max_size=12))
def test_exchanges_are_the_whole_conversation_and_begin_with_the_user(roles: list[Role]) -> None:
    messages = [Message(role=role, content=str(place)) for place, role in enumerate(roles)]

    lead, parts = exchanges(messages)

    assert [*lead, *(message for part in parts for message in part)] == messages
    assert all(message.role == "system" for message in lead)
    assert all(part[0].role == "user" for part in parts[1:])
    assert all(part[-1].role == "assistant" for part in parts[:-1])


def test_an_exchange_keeps_the_tools_it_used_together() -> None:
    roles: list[Role] = ["system", "user", "assistant", "tool", "assistant", "user", "user", "assistant"]

    lead, parts = exchanges([Message(role=role, content="x") for role in roles])

    assert len(lead) == 1
    assert [[message.role for message in part] for part in parts] == [roles[1:5], roles[5:]]

"""What becomes of turns that are empty, repeated, too early, too late, or a tool's."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.corpora.base import BadRecord
from instil.corpora.formats import without_tools
from instil.corpora.formats.turns import conversation
from instil.data.messages import Role, Turn

U: Role = "user"
A: Role = "assistant"
S: Role = "system"
T: Role = "tool"
CALL = '<tool_call>\n{"name": "look", "arguments": {}}\n</tool_call>'

TURNS = st.lists(
    st.tuples(st.sampled_from([U, A, S, T]), st.sampled_from(["", " \n", "q", "a b"])), max_size=8
)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([(U, "q"), (A, "a")], [(U, "q"), (A, "a")]),
        # A question that nobody answered teaches nothing.
        ([(U, "q"), (A, "a"), (U, "r")], [(U, "q"), (A, "a")]),
        ([(U, "q"), (A, "a"), (U, "r"), (T, "t"), (S, "s")], [(U, "q"), (A, "a")]),
        # An empty turn ends the conversation.
        ([(U, "q"), (A, "a"), (U, "r"), (A, ""), (U, "s"), (A, "b")], [(U, "q"), (A, "a")]),
        ([(U, "q"), (A, "a"), (U, "\n"), (A, "b")], [(U, "q"), (A, "a")]),
        ([(S, ""), (U, "q"), (A, "a")], [(U, "q"), (A, "a")]),
        ([(U, "q"), (A, CALL), (T, ""), (A, "a")], [(U, "q"), (A, CALL), (T, ""), (A, "a")]),
        # Two turns of one role are one; two results are two.
        ([(U, "q"), (U, "r"), (A, "a"), (A, "b")], [(U, "q\n\nr"), (A, "a\n\nb")]),
        ([(S, "s"), (S, "t"), (U, "q"), (A, "a")], [(S, "s\n\nt"), (U, "q"), (A, "a")]),
        (
            [(U, "q"), (A, CALL), (T, "1"), (T, "2"), (A, "a")],
            [(U, "q"), (A, CALL), (T, "1"), (T, "2"), (A, "a")],
        ),
        # Nobody asked for a greeting, unless the system prompt did.
        ([(A, "hi"), (T, "t"), (U, "q"), (A, "a")], [(U, "q"), (A, "a")]),
        ([(A, ""), (U, "q"), (A, "a")], [(U, "q"), (A, "a")]),
        ([(S, "s"), (A, "hi"), (U, "q"), (A, "a")], [(S, "s"), (A, "hi"), (U, "q"), (A, "a")]),
        ([(S, "s"), (T, "t"), (U, "q"), (A, "a")], [(S, "s"), (U, "q"), (A, "a")]),
        # What is not empty is untouched.
        ([(U, " q\n"), (A, "\n a ")], [(U, " q\n"), (A, "\n a ")]),
    ],
)
def test_a_conversation_is_settled(given: list[Turn], kept: list[Turn]) -> None:
    assert list(conversation(given)) == kept


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "no question with an answer"),
        ([(U, "q")], "no question with an answer"),
        ([(S, "s"), (A, "a"), (U, "q")], "no question with an answer"),
        ([(U, "q"), (A, ""), (U, "r"), (A, "b")], "no question with an answer: turn 2 of assistant is empty"),
        ([(U, ""), (A, "a")], "no question with an answer: turn 1 of user is empty"),
    ],
)
def test_what_is_no_conversation_says_why(given: list[Turn], reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        conversation(given)
    assert str(caught.value) == reason


@given(turns=TURNS)
def test_a_settled_conversation_can_be_learned_from_and_settles_no_further(turns: list[Turn]) -> None:
    try:
        settled = conversation(turns)
    except BadRecord:
        return
    roles = [role for role, _ in settled]
    assert roles[-1] == A
    assert U in roles
    assert roles[0] in (U, S)
    assert all(left != right or left == T for left, right in pairwise(roles))
    assert all(content.strip() for role, content in settled if role != T)
    assert conversation(settled) == settled


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([(U, "q"), (A, CALL), (T, "t"), (A, "a")], [(U, "q"), (A, "a")]),
        ([(U, "q"), (A, f"I look.\n{CALL}"), (T, "t"), (A, "a")], [(U, "q"), (A, "a")]),
        ([(S, "s\n\n<tools>\n{}\n</tools>"), (U, "q"), (A, "a")], [(S, "s"), (U, "q"), (A, "a")]),
        ([(S, "<tools>\n{}\n</tools>"), (U, "q"), (A, "a")], [(U, "q"), (A, "a")]),
        ([(S, "Call what is in <tools> {} </tools> so: …"), (U, "q"), (A, "a")], [(U, "q"), (A, "a")]),
        ([(U, "q"), (A, "a"), (U, "r"), (A, CALL), (T, "t")], [(U, "q"), (A, "a")]),
        # What people say about tools is no tool.
        ([(U, "What is <tool_call>?"), (A, "A mark.")], [(U, "What is <tool_call>?"), (A, "A mark.")]),
    ],
)
def test_without_tools_nothing_of_them_is_left(given: list[Turn], kept: list[Turn]) -> None:
    assert list(without_tools(given)) == kept


def test_a_conversation_that_is_nothing_but_calls_is_a_bad_record_without_them() -> None:
    with pytest.raises(BadRecord, match="no question with an answer without its tool turns"):
        without_tools([(U, "q"), (A, CALL), (T, "t")])


@given(turns=TURNS)
def test_a_conversation_without_tools_is_returned_as_it_is(turns: list[Turn]) -> None:
    plain = [turn for turn in turns if turn[0] != T]
    assert without_tools(plain) is plain

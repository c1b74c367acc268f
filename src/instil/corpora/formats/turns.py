"""Turns as people wrote them down become a conversation that can be learned from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from instil.corpora.base import BadRecord
from instil.data.messages import Role, Turn

BETWEEN = "\n\n"
"""What stands between two messages that become one."""


def conversation(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    r"""Return turns in the form that all rows have.

    - An empty turn ends the conversation: what follows it answers something that is not there. An empty
      system prompt is none, and a tool may return nothing.
    - Two turns of the same role become one, with a blank line between, as a person who sends two messages
      means one question; chat templates want the roles to take turns. Results of tools stay apart.
    - A greeting of the assistant before anybody asked stays if a system prompt stands before it, and is
      dropped if not: then the beginning of the conversation is missing. (FastChat drops it too.)
    - Questions at the end that nobody answered teach nothing and are dropped.

    Raises:
        BadRecord: no question with an answer remains.
    """
    found: list[Turn] = []
    asked, empty, last = False, "", None
    for number, turn in enumerate(turns, start=1):
        role, content = turn
        if not content or content.isspace():
            if role == "system":
                continue
            if role != "tool":
                if not asked and role == "assistant":
                    continue
                empty = f": turn {number} of {role} is empty"
                break
        if role == "user":
            asked = True
        elif not asked and role != "system" and (role == "tool" or not found):
            continue
        if role == last and role != "tool":
            found[-1] = (role, f"{found[-1][1]}{BETWEEN}{content}")
        else:
            found.append(turn)
            last = role
    while found and found[-1][0] != "assistant":
        found.pop()
    if not found or (found[0][0] != "user" and all(role != "user" for role, _ in found)):
        raise BadRecord(f"no question with an answer{empty}")
    return tuple(found)


def alternating(texts: Sequence[object]) -> tuple[Turn, ...]:
    """Return the conversation of a list of texts, of which the user says the first.

    Raises:
        BadRecord: one is no text, or no question with an answer remains.
    """
    turns: list[Turn] = []
    role: Role = "user"
    for text in texts:
        if not isinstance(text, str):
            raise BadRecord("the turns are not all text")
        turns.append((role, text))
        role = "assistant" if role == "user" else "user"
    return conversation(turns)

"""Chats as lists of turns: OpenAI `messages` and sharegpt `conversations`."""

from __future__ import annotations

from typing import Any, get_args

from instil.corpora.base import BadRecord, Format, Record, lead, text
from instil.data.messages import Message, Role

# Who speaks, by the names that published corpora use.
_ROLES: dict[str, Role] = {
    **{role: role for role in get_args(Role)},
    "human": "user",
    "client": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "counselor": "assistant",
}


def messages(record: Record) -> tuple[Message, ...]:
    """Return the conversation of `messages: [{role, content}]`."""
    return _turns(record.get("messages"), "messages", "role", "content")


def sharegpt(record: Record) -> tuple[Message, ...]:
    """Return the conversation of `conversations: [{from, value}]`, with `system` before it."""
    system = lead(text(record, "system", required=False))
    return (*system, *_turns(record.get("conversations"), "conversations", "from", "value"))


def _turns(turns: Any, name: str, who: str, what: str) -> tuple[Message, ...]:
    if not isinstance(turns, list) or not turns:
        raise BadRecord(f"{name!r} is not a list of turns")
    found = []
    for number, each in enumerate(turns, start=1):
        if not isinstance(each, dict):
            raise BadRecord(f"turn {number} is not an object")
        role = _ROLES.get(str(each.get(who)).lower())
        if role is None:
            raise BadRecord(f"turn {number} has the unknown role {each.get(who)!r}")
        found.append(Message(role=role, content=text(each, what)))
    while found and found[-1].role != "assistant":
        found.pop()  # a question that nobody answered teaches nothing
    if not any(message.role == "user" for message in found):
        raise BadRecord("no question with an answer")
    return tuple(found)


MESSAGES = Format("messages", matches=lambda record: "messages" in record, messages=messages)
SHAREGPT = Format("sharegpt", matches=lambda record: "conversations" in record, messages=sharegpt)

"""Chats as lists of messages: the OpenAI chat form, which is also the form of our own examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, get_args

import orjson
from pydantic import ValidationError

from instil.corpora.base import BadRecord, Format, Record, Row, text
from instil.corpora.formats.tools import call_of_text, with_calls, with_tools
from instil.corpora.formats.turns import BETWEEN, conversation
from instil.data.examples import Example, Label, Origin
from instil.data.messages import Role, Turn
from instil.data.shards import join_row

# Who speaks, by the names that published corpora use.
_ROLES: dict[str, Role] = {
    **{role: role for role in get_args(Role)},
    **dict.fromkeys(("human", "client", "prompter"), "user"),
    **dict.fromkeys(("gpt", "bot", "chatgpt", "bing", "bard", "ai", "model", "counselor"), "assistant"),
    "developer": "system",
    **dict.fromkeys(("function", "observation", "ipython", "tool_response", "function_response"), "tool"),
}
_CALLERS = ("function_call", "tool_call")


def turns_of(messages: Any, name: str) -> list[Turn]:
    """Return the turns of a list of messages, `{role, content}` or `{from, value}`, as they stand there.

    Args:
        messages: what a record holds under `name`.
        name: the key, for the message of an error.

    Raises:
        BadRecord: it is no such list, or somebody unknown speaks.
    """
    if not isinstance(messages, list) or not messages:
        raise BadRecord(f"{name!r} is not a list of turns")
    found: list[Turn] = []
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, dict):
            raise BadRecord(f"a turn is not an object: turn {number}")
        who, content = message.get("role"), message.get("content")
        if who is None:
            who = message.get("from")
        if content is None:
            content = message.get("value")
        role = _ROLES.get(who) if isinstance(who, str) else None
        if role is None:
            role = _role(who, number)
        plain = isinstance(content, str) and len(message) == 2
        if not isinstance(content, str):
            content = _joined(content, number)
        if role == "assistant" and (not plain or who in _CALLERS):
            if who in _CALLERS:
                content = call_of_text(content)
            elif calls := message.get("tool_calls"):
                content = with_calls(content, calls)
            elif call := message.get("function_call"):
                content = with_calls(content, [call])
        found.append((role, content))
    return found


def opened(record: Record, turns: Sequence[Turn]) -> Sequence[Turn]:
    """Return turns after the system prompt and the tools that stand beside them in a record.

    Raises:
        BadRecord: `system` is not text, or `tools` is no list.
    """
    system, tools = record.get("system"), record.get("tools")
    if not system and not tools:
        return turns
    system = text(record, "system", required=False)
    if turns and turns[0][0] == "system":
        first, turns = turns[0][1], turns[1:]
        system = first if system.strip() in ("", first.strip()) else f"{system}{BETWEEN}{first}"
    return [("system", with_tools(system, tools)), *turns]


def read(record: Record) -> tuple[Row]:
    """Return the conversation of `messages: [{role, content}]`; our own rows keep their origin and label.

    Raises:
        BadRecord: the record has no question with an answer.
    """
    turns = conversation(opened(record, turns_of(record.get("messages"), "messages")))
    return (_own(record, turns) if "origin" in record else Row(turns),)


def write(example: Example) -> Mapping[str, Any]:
    """Return a row of our own: `messages`, `origin`, and what else the example holds."""
    return example.row()


def _role(who: Any, number: int) -> Role:
    role = _ROLES.get(str(who).strip().lower())
    if role is None and who in _CALLERS:
        return "assistant"
    if role is None:
        raise BadRecord(f"unknown role {who!r}: turn {number}")
    return role


def _joined(content: Any, number: int) -> str:
    """Return the text of a content that is null, or a list of parts."""
    if content is None:
        return ""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise BadRecord(f"'content' is not text: turn {number}")
    for part in content:
        if part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise BadRecord(f"a part of type {part.get('type')!r} is not text: turn {number}")
    return "".join(part["text"] for part in content)


def _own(record: Record, turns: tuple[Turn, ...]) -> Row:
    """Return a row with what it says of itself, if it is one of ours; another's `origin` says nothing."""
    given = record["origin"]
    if not isinstance(given, dict):
        return Row(turns)
    if isinstance(record.get("details"), str):
        record = join_row([], given, record["details"])
        given = record["origin"]
    label = record.get("label")
    try:
        return Row(
            turns,
            Label.model_validate(label) if isinstance(label, dict) else None,
            _origin(orjson.dumps(given)),
            _numbers(record.get("scores")),
            _numbers(record.get("similar")),
        )
    except (ValidationError, TypeError):  # TypeError: a number that no JSON of ours can hold
        return Row(turns)


def _numbers(value: Any) -> Mapping[str, float] | None:
    """Return numbers by name, or None where a field holds something else or nothing."""
    if isinstance(value, dict) and value and all(isinstance(each, int | float) for each in value.values()):
        return value
    return None


@lru_cache(maxsize=4096)
def _origin(text: bytes) -> Origin:
    # Rows of one corpus have one origin, and validating it takes longer than reading them.
    return Origin.model_validate_json(text)


MESSAGES = Format("messages", matches=lambda record: "messages" in record, read=read, write=write)

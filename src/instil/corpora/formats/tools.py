r"""Tools in conversations, in the convention of Hermes that Qwen and others took over.

What can be called stands as `<tools>…</tools>` at the end of the system prompt, one JSON object a line; a
call as `<tool_call>\n{"name": …, "arguments": {…}}\n</tool_call>` in what the assistant says; a result as a
message of the role `tool`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import orjson

from instil.corpora.base import BadRecord
from instil.corpora.formats.turns import BETWEEN, conversation
from instil.data.messages import Turn

_CALL, _TOOLS = "<tool_call>", "<tools>"
_LEAD = re.compile(r"\s*<tools>\n.*\n</tools>\s*\Z", re.DOTALL)


def with_tools(system: str, tools: Any) -> str:
    """Return a system prompt that ends with the tools that can be called, or as it is where there are none.

    Args:
        system: the prompt, which may be empty.
        tools: a list of descriptions in the form of OpenAI or any other, or such a list as JSON text.

    Raises:
        BadRecord: `tools` is neither.
    """
    if not tools:
        return system
    if isinstance(tools, str):
        tools = _parsed(tools, "'tools'")
    if not isinstance(tools, list):
        raise BadRecord("'tools' is not a list")
    if not tools:
        return system
    listed = "".join(f"{_text(tool)}\n" for tool in tools)
    before = f"{system}{BETWEEN}" if system.strip() else ""
    return f"{before}<tools>\n{listed}</tools>"


def with_calls(content: str, calls: Any) -> str:
    """Return what an assistant says followed by its calls.

    Args:
        content: its text, which may be empty.
        calls: calls as OpenAI writes them, `{"function": {"name", "arguments"}}`, or without the `function`;
            `arguments` is an object or its JSON text.

    Raises:
        BadRecord: there is no list of calls, one has no name, or its arguments are not JSON.
    """
    if not isinstance(calls, list):
        raise BadRecord("'tool_calls' is not a list")
    parts = [content] if content.strip() else []
    for call in calls:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise BadRecord("a tool call without a name")
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            arguments = _parsed(arguments or "{}", "the arguments of a tool call")
        parts.append(call_text(function["name"], {} if arguments is None else arguments))
    return "\n".join(parts)


def call_text(name: str, arguments: Any) -> str:
    """Return one call as the assistant says it."""
    return f"{_CALL}\n{_text({'name': name, 'arguments': arguments})}\n</tool_call>"


def call_of_text(content: str) -> str:
    """Return a call that stands alone in a turn, as sharegpt's `function_call` has it: a JSON object or list.

    Raises:
        BadRecord: it is neither, and no text in the convention already.
    """
    if content.lstrip().startswith(_CALL):
        return content
    calls = _parsed(content, "a tool call")
    return with_calls("", calls if isinstance(calls, list) else [calls])


def without_tools(turns: Sequence[Turn]) -> Sequence[Turn]:
    """Return a conversation without the tools it may use, its calls and their results.

    A message with a call goes whole, for what it says besides announces the call; so does a system prompt
    that has its tools elsewhere than at its end, as the prompts of Hermes do, for it explains how to call.

    Raises:
        BadRecord: no question with an answer is left.
    """
    if not any(role == "tool" or _CALL in content or _TOOLS in content for role, content in turns):
        return turns
    kept: list[Turn] = []
    for role, content in turns:
        if role == "system":
            content = _LEAD.sub("", content)
            kept.append((role, "" if _TOOLS in content else content))
        elif role == "user" or (role == "assistant" and _CALL not in content):
            kept.append((role, content))
    try:
        return conversation(kept)
    except BadRecord as error:
        raise BadRecord(f"{error} without its tool turns") from error


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parsed(text: str, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRecord(f"{what} is not JSON") from error

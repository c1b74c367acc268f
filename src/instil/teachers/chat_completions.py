"""The OpenAI chat completions API: the body of a request, and what an answer means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from instil.teachers.base import Completion, FinishReason, Request, Usage
from instil.teachers.providers import Provider, StructuredOutput
from instil.teachers.refusals import Refusal

_FINISH: Mapping[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",  # Mistral: the context is full
    "content_filter": "content_filter",
    "sensitive": "content_filter",  # Zhipu
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
_BROKEN = frozenset({"error", "insufficient_system_resource", "network_error"})
"""Reasons that say that the server gave up on the way (OpenRouter, DeepSeek, Zhipu)."""

_FORMAT_WORDS = ("response_format", "json_schema", "json_object", "schema", "grammar", "structured output")
"""What a server speaks of when it cannot hold to a format; no two say it alike."""

_PLAINEST: tuple[StructuredOutput, ...] = ("off", "json_object", "json_schema")
_MAX_TOKENS = ("max_tokens", "max_completion_tokens")
"""The name that most servers know, and the one that a server asks for that does not."""


@dataclass(frozen=True)
class Dialect:
    """How one server wants to be asked."""

    structured_output: StructuredOutput = "off"
    max_tokens_name: str = "max_tokens"
    seed_name: str = "seed"

    @classmethod
    def of(cls, provider: Provider, structured_output: StructuredOutput) -> Dialect:
        """Return what is known of a provider."""
        return cls(structured_output, provider.max_tokens_name, provider.seed_name)

    def after(self, refusal: Refusal, body: Mapping[str, Any]) -> Dialect | None:
        """Return the dialect that `refusal` of `body` teaches, or None if it is about something else."""
        if self.max_tokens_name == _MAX_TOKENS[0] and refusal.speaks_of(_MAX_TOKENS[1]):
            return replace(self, max_tokens_name=_MAX_TOKENS[1])
        if "response_format" in body and refusal.speaks_of(*_FORMAT_WORDS):
            return replace(self, structured_output="off")
        return None

    def plainer(self, other: Dialect) -> Dialect:
        """Return what both of two calls have learned that were in flight at the same time."""
        return replace(
            self,
            structured_output=min(self.structured_output, other.structured_output, key=_PLAINEST.index),
            max_tokens_name=max(self.max_tokens_name, other.max_tokens_name, key=_MAX_TOKENS.index),
        )


PLAIN = Dialect()


def chat_body(model: str, request: Request, dialect: Dialect = PLAIN) -> dict[str, Any]:
    """Return the JSON body that asks `model` for one answer to `request`."""
    sampling = request.sampling.model_dump(mode="json", exclude_defaults=True)
    extra = sampling.pop("extra", {})
    names = {"max_tokens": dialect.max_tokens_name, "seed": dialect.seed_name}
    body: dict[str, Any] = {
        "model": model,
        "messages": [message.model_dump() for message in request.messages],
        **{names.get(name, name): value for name, value in sampling.items()},
    }
    if request.response_schema is not None:
        form = response_format(request.response_schema, dialect.structured_output)
        # Without the word in a message servers refuse `json_object`, or write blanks without end.
        if form and (form["type"] == "json_schema" or _speaks_of_json(request)):
            body["response_format"] = form
    return {**body, **extra}


def read_completion(content: bytes) -> Completion:
    """Return the first choice of an answer.

    Raises:
        KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError: `content` is no
            chat completion, or says that the server gave up on the way.
    """
    answer: Any = orjson.loads(content)
    choice = answer["choices"][0]
    finish = choice.get("finish_reason") or "stop"
    if finish in _BROKEN:
        raise ValueError(f"finish_reason {finish!r}")
    message = choice["message"]
    text, thoughts = _content(message.get("content"))
    if not text and message.get("tool_calls"):
        text = "\n".join(str(call["function"]["arguments"]) for call in message["tool_calls"])
    if not text and message.get("refusal"):
        text, finish = str(message["refusal"]), "content_filter"
    reasoning = message.get("reasoning_content") or message.get("reasoning") or thoughts
    return Completion(
        text=text,
        finish_reason=_FINISH.get(finish, "stop"),
        model=str(answer.get("model") or ""),
        usage=_usage(answer.get("usage") or {}),
        reasoning=reasoning if isinstance(reasoning, str) and reasoning else None,
    )


def response_format(schema: Mapping[str, Any], mode: StructuredOutput) -> dict[str, Any] | None:
    """Return what tells a server to answer by `schema`, or None where `mode` has nothing for it."""
    if mode == "json_schema":
        named = {"name": "answer", "schema": schema, "strict": is_closed(schema)}
        return {"type": "json_schema", "json_schema": named}
    # What comes in the other mode is an object, whatever else was wanted: of a list only its first member.
    return {"type": "json_object"} if mode == "json_object" and not _is_list(schema) else None


def _is_list(schema: Mapping[str, Any]) -> bool:
    """Return whether a prompt for this schema asks for a list, be it that an object stands around it."""
    parts = list(schema.get("properties", {}).values())
    return schema.get("type") != "object" or [part.get("type") for part in parts] == ["array"]


def _speaks_of_json(request: Request) -> bool:
    return any("json" in message.content.lower() for message in request.messages)


def is_closed(schema: Any) -> bool:
    """Return whether every object in a schema names all of its keys and requires each.

    Only such a schema may be sent as `strict`; with any other a server says 400.
    """
    if isinstance(schema, list):
        return all(map(is_closed, schema))
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object":
        keys = set(schema.get("properties", {}))
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != keys:
            return False
    return all(map(is_closed, schema.values()))


def _content(content: Any) -> tuple[str, str]:
    """Return the text and the thoughts of a message's content: a text, a list of parts, or nothing."""
    if isinstance(content, str):
        return content, ""
    parts = [part for part in content or () if isinstance(part, Mapping)]
    text = "".join(part["text"] for part in parts if part.get("type") in ("text", "output_text"))
    # Mistral's reasoning models: a part whose `thinking` is a list of parts.
    thoughts = "".join(_content(part.get("thinking"))[0] for part in parts if part.get("type") == "thinking")
    return text, thoughts


def _usage(usage: Any) -> Usage:
    return Usage(
        input_tokens=int(usage.get("prompt_tokens") or 0),
        output_tokens=int(usage.get("completion_tokens") or 0),
    )

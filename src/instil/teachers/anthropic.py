"""Claude by Anthropic's messages API, or any server that speaks it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import Field

from instil.config.base import RuntimeOnly
from instil.errors import TeacherRejected, TeacherUnavailable
from instil.teachers.base import Completion, FinishReason, Request, Usage
from instil.teachers.http import HttpAnswer, HttpClient, open_http
from instil.teachers.refusals import read_refusal
from instil.teachers.remote import Address, RemoteTeacherConfig, Variable, read_key, split_system

log = logging.getLogger(__name__)

VERSION = "2023-06-01"
"""The version of the API; it has had no other since."""

_FINISH: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",  # the server broke off a long turn: what is there is not whole
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

_FORMAT_WORDS = ("output_config", "output_format", "json_schema", "schema", "structured output", "grammar")
"""What the server speaks of when a model, or a keyword of the schema, is not supported."""


class AnthropicConfig(RemoteTeacherConfig):
    """Claude by Anthropic's messages API."""

    kind: Literal["anthropic"]
    model: str = Field(min_length=1)
    """The model name that the server expects."""
    api_key_env: Annotated[Variable, RuntimeOnly] = "ANTHROPIC_API_KEY"
    """Name of the environment variable that holds the key, never the key."""
    base_url: Annotated[Address, RuntimeOnly] = "https://api.anthropic.com/v1"
    """Address up to and with the version; a proxy's, if one is used."""
    temperature: float | None = Field(default=None, ge=0, le=1)
    """Sampling temperature, from 0 to 1; the server's default if not given."""
    structured_output: Literal["auto", "json_schema", "off"] = "auto"
    """How the server is told to answer in JSON: by a schema, which is what `auto` stands for, or by the
    prompt alone. A model without structured outputs is asked in plain text."""

    unsupported: ClassVar[frozenset[str]] = frozenset(
        {"sampling_seed", "frequency_penalty", "presence_penalty"}
    )

    def identity(self) -> dict[str, Any]:
        """Return what decides an answer: `auto` counts as what it stands for."""
        return {**super().identity(), "structured_output": "json_schema" if self._structured else "off"}

    def schema_for(self, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the schema if the server is told of it."""
        return schema if self._structured else None

    def preflight(self) -> None:
        """Check that the key is in the environment."""
        read_key(self.api_key_env, "api_key_env")

    @asynccontextmanager
    async def open(self, home: Path) -> AsyncIterator[AnthropicTeacher]:  # noqa: ARG002
        """Connect, ready to be used in an `async with`."""
        key = read_key(self.api_key_env, "api_key_env")
        headers = {"x-api-key": key.get_secret_value(), "anthropic-version": VERSION}
        async with open_http(timeout_s=self.timeout_s, headers=headers, secrets=[key]) as http:
            yield AnthropicTeacher(http, self, structured=self._structured)

    @property
    def _structured(self) -> bool:
        return self.structured_output != "off"


class AnthropicTeacher:
    """Asks one model.

    Args:
        http: the open client.
        config: where and whom to ask.
        structured: send a request's schema.
    """

    def __init__(self, http: HttpClient, config: AnthropicConfig, *, structured: bool) -> None:
        self._http, self._config, self._structured = http, config, structured
        self._url = config.base_url.rstrip("/") + "/messages"

    async def complete(self, request: Request) -> Completion:
        """Return the text of the server's answer, and its thinking aside.

        A schema that the server refuses is left out at once, and for the rest of the run.

        Raises:
            TeacherUnavailable: 429, 529 (overloaded), 5xx, a timeout, a broken connection or answer.
            TeacherRefused: the key, the model or the account's money is missing.
            TeacherRejected: any other 4xx, or nothing is asked.
        """
        body = messages_body(self._config, request, structured=self._structured)
        answer = await self._post(body)
        if answer.status == 400 and "output_config" in body:
            refusal = read_refusal(answer.content)
            if refusal.speaks_of(*_FORMAT_WORDS):
                plain = await self._post(messages_body(self._config, request, structured=False))
                if plain.status == 200:
                    self._go_plain(self._http.reason(answer.content))
                answer = plain
        return self._read(answer)

    async def _post(self, body: Mapping[str, Any]) -> HttpAnswer:
        return await self._http.request("POST", self._url, body=orjson.dumps(body))

    def _go_plain(self, reason: str) -> None:
        if self._structured:
            log.warning("the teacher is asked in plain text from now on; its server says: %s", reason)
        self._structured = False

    def _read(self, answer: HttpAnswer) -> Completion:
        if answer.status != 200:
            raise self._http.error(self._url, answer)
        try:
            return messages_completion(answer.content)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            sent = self._http.quoted(answer.content)[:80]
            raise TeacherUnavailable(f"{self._url} sent what is not a message: {sent!r}") from error


def messages_body(config: AnthropicConfig, request: Request, *, structured: bool) -> dict[str, Any]:
    """Return the JSON body that asks for one message.

    Raises:
        TeacherRejected: nothing is asked, or a message is a tool's.
    """
    system, asked = split_system(request)
    if any(message.role == "tool" for message in asked):
        raise TeacherRejected("the messages API takes no message of the role 'tool'")
    sampling = request.sampling.model_dump(mode="json", exclude_defaults=True)
    extra = sampling.pop("extra", {})
    if "stop" in sampling:
        sampling["stop_sequences"] = sampling.pop("stop")
    # The API has no default for the most tokens.
    sampling.setdefault("max_tokens", config.max_tokens)
    body = {"model": config.model, "messages": [message.model_dump() for message in asked], **sampling}
    if system:
        body["system"] = system
    if structured and request.response_schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": request.response_schema}}
    return {**body, **extra}


def messages_completion(content: bytes) -> Completion:
    """Return what an answer says.

    Raises:
        KeyError, TypeError, AttributeError, ValueError, OverflowError: `content` is no message.
    """
    answer: Any = orjson.loads(content)
    blocks = answer["content"]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    if not text:
        calls = [block["input"] for block in blocks if block["type"] == "tool_use"]
        text = "\n".join(orjson.dumps(call).decode() for call in calls)
    thinking = "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    return Completion(
        text=text,
        finish_reason=_FINISH.get(answer.get("stop_reason") or "", "stop"),
        model=str(answer.get("model") or ""),
        usage=_usage(answer.get("usage") or {}),
        reasoning=thinking or None,
    )


def _usage(usage: Mapping[str, Any]) -> Usage:
    """Return the tokens used; what the cache held, or took in, is input too."""
    cached = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return Usage(
        input_tokens=sum(int(usage.get(name) or 0) for name in cached),
        output_tokens=int(usage.get("output_tokens") or 0),
    )

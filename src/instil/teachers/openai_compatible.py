"""Any server that speaks the OpenAI chat completions API, or several that serve the same model."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal, Self

import orjson
from pydantic import BeforeValidator, model_validator

from instil.config.base import Items, RuntimeOnly
from instil.errors import TeacherUnavailable
from instil.teachers.base import Completion, Request
from instil.teachers.chat_completions import Dialect, chat_body, read_completion
from instil.teachers.chat_server import ChatServerConfig
from instil.teachers.endpoints import Endpoints
from instil.teachers.http import HttpAnswer, HttpClient
from instil.teachers.providers import PROVIDERS
from instil.teachers.refusals import read_refusal
from instil.teachers.remote import Address, refuse_options

log = logging.getLogger(__name__)


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class OpenAICompatibleConfig(ChatServerConfig):
    """A server with the OpenAI chat completions API: a `provider` by name, or any by its `base_url`."""

    kind: Literal["openai_compatible"]
    base_url: Annotated[tuple[Address, ...], Items, BeforeValidator(_listed), RuntimeOnly] = ()
    """Address up to and with the version, for example https://api.example.com/v1, or a list of servers with
    the same model: each call goes to the one with the fewest calls outstanding."""

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.provider is None and not self.base_url:
            raise ValueError(f"give a base_url, or a provider: {', '.join(PROVIDERS)}")
        if self.provider:
            refuse_options(self, self.known.unknown, f"provider {self.provider!r}")
        return self

    @asynccontextmanager
    async def open(self, home: Path) -> AsyncIterator[OpenAICompatibleTeacher]:  # noqa: ARG002
        """Connect, ready to be used in an `async with`."""
        async with self.connect() as http:
            endpoints = Endpoints(self.base_url or (self.known.base_url,))
            yield OpenAICompatibleTeacher(http, endpoints, self.model, self.dialect)


class OpenAICompatibleTeacher:
    """Asks one server, or several equal ones; connections are kept open by the client.

    Args:
        http: the open client.
        endpoints: where to ask.
        model: the name that the server expects.
        dialect: how the server wants to be asked, as far as it is known.
    """

    def __init__(self, http: HttpClient, endpoints: Endpoints, model: str, dialect: Dialect) -> None:
        self._http, self._endpoints, self._model, self._dialect = http, endpoints, model, dialect

    async def complete(self, request: Request) -> Completion:
        """Return the first choice of the server's answer.

        A request that the server refuses for its form (`response_format`, the name of `max_tokens`) is
        asked again at once in a plainer form, which is kept for the rest of the run.

        Raises:
            TeacherUnavailable: 408, 409, 425, 429, 5xx, a timeout, a broken connection or answer.
            TeacherRefused: 401, 402, 403, 404, an unknown model, no quota left.
            TeacherRejected: any other 4xx.
        """
        return await self._endpoints.ask(lambda base_url: self._ask(f"{base_url}/chat/completions", request))

    async def _ask(self, url: str, request: Request) -> Completion:
        dialect, lesson = self._dialect, ""
        while True:
            body = chat_body(self._model, request, dialect)
            answer = await self._http.request("POST", url, body=orjson.dumps(body))
            if answer.status == 200:
                # Not before: the words of a refusal alone could be about something else.
                if lesson:
                    self._adopt(dialect, lesson)
                return self._read(url, answer)
            refusal = read_refusal(answer.content)
            plainer = dialect.after(refusal, body) if answer.status in (400, 422) else None
            if plainer is None:
                raise self._http.error(url, answer)
            # Groq says this of one answer that the model spoiled, not of the mode.
            if not refusal.speaks_of("json_validate_failed"):
                lesson = self._http.reason(answer.content)
            dialect = plainer

    def _adopt(self, dialect: Dialect, reason: str) -> None:
        learned = self._dialect.plainer(dialect)
        if learned.structured_output != self._dialect.structured_output:
            log.warning("the teacher is asked in plain text from now on; its server says: %s", reason)
        self._dialect = learned

    def _read(self, url: str, answer: HttpAnswer) -> Completion:
        try:
            return read_completion(answer.content)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as error:
            status = _status_inside(answer.content)
            if status is not None:
                raise self._http.error(url, HttpAnswer(status, answer.headers, answer.content)) from error
            sent = self._http.quoted(answer.content)[:80]
            raise TeacherUnavailable(f"{url} sent what is not a chat completion: {sent!r}") from error


def _status_inside(content: bytes) -> int | None:
    """Return the status that a gateway put into the body of a 200, as OpenRouter does."""
    codes = (int(code) for code in read_refusal(content).codes if code.isdecimal())
    return next((code for code in codes if 400 <= code < 600), None)

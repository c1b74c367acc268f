"""Any server that speaks the OpenAI chat completions API."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import orjson
from pydantic import Field, SecretStr

from instil.config.base import RuntimeOnly
from instil.errors import RequestError, TeacherUnavailable
from instil.teachers.base import Completion, FinishReason, Request, TeacherConfigBase, Usage
from instil.teachers.http import HttpClient, open_http


class OpenAICompatibleConfig(TeacherConfigBase):
    """A server with the OpenAI chat completions API: OpenAI, Qianfan, DeepSeek, vLLM, Ollama or llama.cpp."""

    kind: Literal["openai_compatible"]
    base_url: str = Field(pattern=r"^https?://")
    """Address up to and with the version, for example https://api.example.com/v1."""
    model: str
    """The model name that the server expects."""
    api_key_env: Annotated[str | None, RuntimeOnly] = Field(default=None, pattern=r"^[A-Za-z_]\w*$")
    """Name of the environment variable that holds the key, never the key; none for an open server."""
    timeout_s: Annotated[float, RuntimeOnly] = Field(default=120.0, gt=0)
    """Seconds after which a call counts as lost and is tried again."""

    def preflight(self) -> None:
        """Check that the key is in the environment."""
        self._key()

    @asynccontextmanager
    async def open(self, home: Path) -> AsyncIterator[OpenAICompatibleTeacher]:  # noqa: ARG002
        """Connect, ready to be used in an `async with`."""
        key = self._key()
        headers = {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        async with open_http(timeout_s=self.timeout_s, headers=headers, secrets=[key] if key else []) as http:
            yield OpenAICompatibleTeacher(http, self.base_url, self.model)

    def _key(self) -> SecretStr | None:
        if self.api_key_env is None:
            return None
        value = os.environ.get(self.api_key_env, "")
        if not value.strip():
            raise RequestError(
                f"generate.teacher.api_key_env: the environment variable {self.api_key_env!r} is not set",
                hint=f"export {self.api_key_env}=… before the run; the key itself is never written to a file",
            )
        return SecretStr(value.strip())


class OpenAICompatibleTeacher:
    """Asks one server; connections are kept open by the client."""

    def __init__(self, http: HttpClient, base_url: str, model: str) -> None:
        self._http, self._model = http, model
        self._url = base_url.rstrip("/") + "/chat/completions"

    async def complete(self, request: Request) -> Completion:
        """Return the first choice of the server's answer.

        Raises:
            TeacherUnavailable: 408, 409, 425, 429, 5xx, a timeout, a broken connection or answer.
            TeacherRefused: 401, 402, 403, 404.
            TeacherRejected: any other 4xx.
        """
        sampling = request.sampling.model_dump(mode="json", exclude_defaults=True)
        extra = sampling.pop("extra", {})
        messages = [message.model_dump() for message in request.messages]
        body = {"model": self._model, "messages": messages, **sampling, **extra}
        answer = await self._http.request("POST", self._url, body=orjson.dumps(body))
        if answer.status != 200:
            raise self._http.error(self._url, answer)
        try:
            return _completion(answer.content)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as error:
            sent = self._http.quoted(answer.content)[:80]
            raise TeacherUnavailable(f"{self._url} sent what is not a chat completion: {sent!r}") from error


def _completion(content: bytes) -> Completion:
    answer: Any = orjson.loads(content)
    choice = answer["choices"][0]
    text = choice["message"]["content"]
    finish = choice.get("finish_reason") or "stop"
    usage = answer.get("usage") or {}
    return Completion(
        text=text if isinstance(text, str) else "",
        finish_reason=finish if finish in get_args(FinishReason) else "stop",
        model=str(answer.get("model") or ""),
        usage=Usage(
            input_tokens=int(usage.get("prompt_tokens") or 0),
            output_tokens=int(usage.get("completion_tokens") or 0),
        ),
    )

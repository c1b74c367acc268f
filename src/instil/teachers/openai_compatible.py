"""Any server that speaks the OpenAI chat completions API."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import orjson
from pydantic import Field, SecretStr

from instil.config.base import RuntimeOnly
from instil.errors import RequestError, TeacherRefused, TeacherRejected, TeacherUnavailable
from instil.teachers.base import Completion, FinishReason, Request, TeacherConfigBase, Usage

if TYPE_CHECKING:
    import aiohttp


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
    async def open(self) -> AsyncIterator[OpenAICompatibleTeacher]:
        """Connect, ready to be used in an `async with`."""
        import aiohttp

        key = self._key()
        headers = {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        async with aiohttp.ClientSession(
            headers={"content-type": "application/json", **headers},
            timeout=aiohttp.ClientTimeout(total=self.timeout_s),
            connector=aiohttp.TCPConnector(limit=0),
        ) as session:
            yield OpenAICompatibleTeacher(session, self.base_url, self.model, key)

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
    """Asks one server; connections are kept open by the session."""

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, model: str, key: SecretStr | None = None
    ) -> None:
        self._session, self._model, self._key = session, model, key
        self._url = base_url.rstrip("/") + "/chat/completions"

    async def complete(self, request: Request) -> Completion:
        """Return the first choice of the server's answer.

        Raises:
            TeacherUnavailable: 408, 409, 425, 429, 5xx, a timeout, a broken connection or answer.
            TeacherRefused: 401, 402, 403, 404.
            TeacherRejected: any other 4xx.
        """
        import aiohttp

        sampling = request.sampling.model_dump(mode="json", exclude_defaults=True)
        body = {"model": self._model, "messages": [m.model_dump() for m in request.messages], **sampling}
        try:
            async with self._session.post(self._url, data=orjson.dumps(body)) as response:
                content = await response.read()
                if response.status != 200:
                    raise self._error(response.status, response.headers.get("retry-after"), content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise TeacherUnavailable(
                f"{self._url}: {reason}", hint="is the server running, and is base_url its address?"
            ) from error
        try:
            return _completion(content)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise TeacherUnavailable(
                f"{self._url} sent what is not a chat completion: {self._without_key(content)[:80]!r}"
            ) from error

    def _error(self, status: int, retry_after: str | None, content: bytes) -> Exception:
        message = f"{self._url} answered {status}: {_reason(self._without_key(content))}"
        if status in (408, 409, 425, 429) or status >= 500:
            return TeacherUnavailable(message, retry_after=_seconds(retry_after))
        if status in (401, 402, 403):
            return TeacherRefused(
                message, hint="check the key in the variable of api_key_env and the account"
            )
        if status == 404:
            return TeacherRefused(message, hint="check base_url and model")
        return TeacherRejected(message)

    def _without_key(self, content: bytes) -> bytes:
        """Return what the server sent, fit for an error: some servers quote the key that they refuse."""
        return content.replace(self._key.get_secret_value().encode(), b"***") if self._key else content


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


def _reason(content: bytes) -> str:
    try:
        error = orjson.loads(content)["error"]
        return str(error["message"] if isinstance(error, dict) else error)[:300]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return content[:200].decode("utf-8", "replace")


def _seconds(retry_after: str | None) -> float | None:
    try:
        seconds = float(retry_after or "nan")
    except ValueError:
        return None  # an HTTP date: rare among these servers; the jitter decides
    return max(0.0, seconds) if math.isfinite(seconds) else None

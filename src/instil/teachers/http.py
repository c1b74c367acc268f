"""HTTP to a teacher's server: kept connections, and one class of error for each thing to do.

The only file that knows the HTTP client (docs/decisions/0003-http-client.md).
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
from pydantic import SecretStr

from instil.errors import TeacherError, TeacherRefused, TeacherRejected, TeacherUnavailable

if TYPE_CHECKING:
    import aiohttp

_CONGESTED = frozenset({429, 503, 529})
_PASSING = frozenset({408, 409, 425, 429})


@dataclass(frozen=True)
class HttpAnswer:
    """What a server sent, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    content: bytes


class HttpClient:
    """Sends requests to one kind of server; make it with `open_http`.

    Args:
        session: the open connections.
        secrets: what must not reach an error, even where a server quotes it.
    """

    def __init__(self, session: aiohttp.ClientSession, secrets: Iterable[SecretStr] = ()) -> None:
        self._session = session
        self._secrets = [secret.get_secret_value().encode() for secret in secrets]

    async def request(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """Return the server's answer, whatever its status.

        Raises:
            TeacherUnavailable: no connection, a timeout, or an answer that broke off.
        """
        import aiohttp

        try:
            async with self._session.request(method, url, data=body, headers=headers) as response:
                content = await response.read()
                found = {name.lower(): value for name, value in response.headers.items()}
                return HttpAnswer(response.status, found, content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = self.quoted((str(error) or type(error).__name__).encode())
            raise TeacherUnavailable(
                f"{self.quoted(url.encode())}: {reason}",
                hint="is the server running, and is base_url its address?",
            ) from error

    def hide(self, secret: SecretStr) -> None:
        """Keep a secret that was learned later out of every error."""
        self._secrets.append(secret.get_secret_value().encode())

    def quoted(self, content: bytes) -> str:
        """Return what a server sent as text without secrets: some servers quote the key that they refuse."""
        for secret in self._secrets:
            content = content.replace(secret, b"***")
        return content.decode("utf-8", "replace")

    def error(self, url: str, answer: HttpAnswer) -> TeacherError:
        """Return the error that a status other than 200 means in the field's usage.

        408, 409, 425, 429 and 5xx pass; 401, 402, 403 and 404 need the user; any other is the
        request's fault.
        """
        status = answer.status
        message = f"{self.quoted(url.encode())} answered {status}: {self.reason(answer.content)}"
        if status in _PASSING or status >= 500:
            wait = retry_after_seconds(answer.headers.get("retry-after"))
            return TeacherUnavailable(message, retry_after=wait, congested=status in _CONGESTED)
        if status in (401, 402, 403):
            return TeacherRefused(
                message, hint="check the key in the variable of api_key_env and the account"
            )
        if status == 404:
            return TeacherRefused(message, hint="check base_url and model")
        return TeacherRejected(message)

    def reason(self, content: bytes) -> str:
        """Return the error message in a server's answer, or the beginning of the answer."""
        try:
            error = orjson.loads(content)["error"]
            text = str(error["message"] if isinstance(error, dict) else error)
            return self.quoted(text.encode("utf-8", "replace"))[:300]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return self.quoted(content)[:200]


@asynccontextmanager
async def open_http(
    *, timeout_s: float, headers: Mapping[str, str] | None = None, secrets: Iterable[SecretStr] = ()
) -> AsyncIterator[HttpClient]:
    """Open a client that keeps its connections until the block ends.

    Args:
        timeout_s: seconds after which a request counts as lost.
        headers: sent with every request.
        secrets: what must not reach an error.
    """
    # A fifth of a second to import; only who asks a server pays.
    import aiohttp

    async with aiohttp.ClientSession(
        headers={"content-type": "application/json", **(headers or {})},
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        connector=aiohttp.TCPConnector(limit=0),
    ) as session:
        yield HttpClient(session, secrets)


def retry_after_seconds(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header; None if there is none or it is a date."""
    try:
        seconds = float(value or "nan")
    except ValueError:
        return None  # an HTTP date: rare among these servers; the jitter decides
    return max(0.0, seconds) if math.isfinite(seconds) else None

"""HTTP to a teacher's server: kept connections, and one class of error for each thing to do.

The only file that knows the HTTP client (docs/decisions/0003-http-client.md).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import SecretStr

from instil.errors import TeacherError, TeacherUnavailable, TeacherUnreachable
from instil.teachers.refusals import read_refusal, teacher_error

if TYPE_CHECKING:
    import aiohttp

_CONNECT_S = 30.0
"""Seconds after which an address that does not even accept a connection counts as unreachable."""


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
        self._secrets: list[bytes] = []
        for secret in secrets:
            self.hide(secret)

    async def request(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """Return the server's answer, whatever its status.

        Raises:
            TeacherUnreachable: no connection.
            TeacherUnavailable: a timeout, or an answer that broke off.
        """
        import aiohttp

        try:
            # A key must not follow a redirect to whoever is named there; a POST would arrive as a GET.
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=method == "GET"
            ) as response:
                content = await response.read()
                found = {name.lower(): value for name, value in response.headers.items()}
                return HttpAnswer(response.status, found, content)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            failure = self._lost(url, error, unreachable=True)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = self._lost(url, error, unreachable=False)
        raise failure

    def hide(self, secret: SecretStr) -> None:
        """Keep a secret that was learned later out of every error."""
        value = secret.get_secret_value()
        # As it stands in a header, and as it stands in a URL.
        forms = {value, quote(value, safe=""), quote(value)} - {""}
        self._secrets += (form.encode() for form in forms)

    def quoted(self, content: bytes) -> str:
        """Return what a server sent as text without secrets: some servers quote the key that they refuse."""
        for secret in self._secrets:
            content = content.replace(secret, b"***")
        return content.decode("utf-8", "replace")

    def error(self, url: str, answer: HttpAnswer) -> TeacherError:
        """Return the error that a status other than 200 means in the field's usage (`refusals`)."""
        refusal = read_refusal(answer.content)
        message = f"{self.quoted(url.encode())} answered {answer.status}: {self.reason(answer.content)}"
        headers = {name: self.quoted(value.encode()) for name, value in answer.headers.items()}
        return teacher_error(message, answer.status, refusal, headers, _server_time(answer))

    def reason(self, content: bytes) -> str:
        """Return the error message in a server's answer, or the beginning of the answer."""
        message = read_refusal(content).message
        if message is None:
            return self.quoted(content)[:200]
        return self.quoted(message.encode("utf-8", "replace"))[:300]

    def _lost(self, url: str, error: Exception, unreachable: bool) -> TeacherUnavailable:
        kind = TeacherUnreachable if unreachable else TeacherUnavailable
        text = str(error)
        reason = self.quoted((text or type(error).__name__).encode())
        failure = kind(
            f"{self.quoted(url.encode())}: {reason}",
            hint="is the server running, and is base_url its address?",
        )
        # A cause is printed with a traceback; one that quotes a secret (a token in the URL) is left out.
        if self.quoted(text.encode()) == text:
            failure.__cause__ = error
        return failure


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
        timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s / 2, _CONNECT_S)),
        connector=aiohttp.TCPConnector(limit=0),
        # What a server wants to remember of a call is no part of the next one.
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield HttpClient(session, secrets)


def _server_time(answer: HttpAnswer) -> float:
    """Return the seconds since the epoch by the server's clock: a Retry-After date is its time, not ours."""
    try:
        return parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()

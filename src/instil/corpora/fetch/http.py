"""HTTP for downloads: passing trouble is tried again, everything else is one clear error.

The only file of the corpora that knows the HTTP client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from instil.errors import InstilError, RequestError

if TYPE_CHECKING:
    import aiohttp

Sleep = Callable[[float], Awaitable[None]]

_ATTEMPTS = 6
"""How often in a row something may fail; what was received in between starts the count anew."""
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_CONNECT_S = 20.0
_SILENCE_S = 60.0
"""Seconds without a byte after which a connection counts as lost."""
_BLOCK = 1 << 18
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_FORBIDDEN = (401, 403, 407, 451)
_RANGE = "bytes"


class Lost(Exception):
    """Passing trouble: the same request may succeed later.

    `wait_s` is how many seconds the server asked to wait, if it did; `reached` is False where there was no
    connection at all.
    """

    def __init__(self, reason: str, *, wait_s: float | None = None, reached: bool = True) -> None:
        super().__init__(reason)
        self.wait_s, self.reached = wait_s, reached


class Refused(RequestError):
    """The server does not give the file to this user, and will not later."""


class Unreachable(RequestError):
    """There is no way to the server."""


@dataclass(frozen=True)
class Probe:
    """What a server says of a file before it is downloaded."""

    size: int | None
    """Bytes; None where it does not say."""
    ranges: bool
    """Whether parts of it can be asked for."""
    version: str
    """What changes when the file does: its ETag or date; empty where it states neither."""


class Patience:
    """Counts failures in a row and waits between them, longer every time.

    Args:
        sleep: waits so many seconds.
        begun: whether something was received before. A name that is not found or a refused connection does
            not come right within seconds; a network that was there may come back.
    """

    def __init__(self, sleep: Sleep, *, begun: bool) -> None:
        self._sleep, self._begun, self._failed = sleep, begun, 0

    def progress(self) -> None:
        """Start the count anew: something was received."""
        self._failed = 0

    async def failed(self, url: str, trouble: Lost) -> None:
        """Wait before the next attempt.

        Raises:
            Unreachable: there is no connection, and nothing had begun.
            InstilError: it failed too often.
        """
        self._failed += 1
        host = urlsplit(url).netloc
        if not trouble.reached and not self._begun and self._failed > 1:
            raise Unreachable(f"{host} cannot be reached: {trouble}") from trouble
        if self._failed >= _ATTEMPTS:
            raise InstilError(
                f"{host} failed {self._failed} times in a row: {trouble}",
                hint="what came is kept; run the same command again and it goes on there",
            ) from trouble
        wait = _FIRST_WAIT_S * 2 ** (self._failed - 1) if trouble.wait_s is None else trouble.wait_s
        await self._sleep(min(wait, _LONGEST_WAIT_S))


class Http:
    """Reads addresses; make it with `open_http`."""

    def __init__(self, session: aiohttp.ClientSession, sleep: Sleep) -> None:
        self._session = session
        self.sleep = sleep

    async def read(self, url: str, headers: Mapping[str, str]) -> bytes:
        """Return what lies at an address; it must be small.

        Raises:
            RequestError: the server cannot be reached, or refuses.
            InstilError: it failed too often.
        """
        patience = Patience(self.sleep, begun=False)
        while True:
            try:
                async with self._get(url, headers) as response:
                    return await response.read()
            except Lost as trouble:
                await patience.failed(url, trouble)

    async def probe(self, url: str, headers: Mapping[str, str]) -> Probe:
        """Return what a server says of a file, for the price of its first byte.

        Raises:
            RequestError: the server cannot be reached, or refuses.
            InstilError: it failed too often.
        """
        patience = Patience(self.sleep, begun=False)
        while True:
            try:
                async with self._get(url, {**headers, "range": f"{_RANGE}=0-0"}) as response:
                    version = response.headers.get("etag") or response.headers.get("last-modified") or ""
                    size = response.headers.get("content-length", "")
                    if ranges := response.status == 206:
                        size = response.headers.get("content-range", "").rpartition("/")[2]
                    return Probe(int(size) if size.isdigit() else None, ranges, version)
            except Lost as trouble:
                await patience.failed(url, trouble)

    async def stream(
        self, url: str, headers: Mapping[str, str], start: int, end: int | None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a file from `start` up to `end`, in order; None: up to its end.

        Raises:
            Lost: the connection broke; what was yielded is good.
            RequestError: the server refuses.
        """
        whole = start == 0 and end is None
        asked = {} if whole else {"range": f"{_RANGE}={start}-{'' if end is None else end - 1}"}
        async with self._get(url, {**headers, **asked}) as response:
            if not whole and response.status != 206:
                raise Lost("the server sent the whole file where a part was asked for")
            left = None if end is None else end - start
            async for block in response.content.iter_chunked(_BLOCK):
                # Some servers send more than was asked for.
                block = block if left is None else block[:left]
                if block:
                    yield block
                left = None if left is None else left - len(block)
                if left == 0:
                    return
        if left:
            raise Lost("the server ended before the part was whole")

    @asynccontextmanager
    async def _get(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        import aiohttp

        try:
            # Packed content would have other ranges than the file.
            async with self._session.get(url, headers={"accept-encoding": "identity", **headers}) as response:
                if response.status in _PASSING:
                    raise Lost(f"it answered {response.status}", wait_s=_asked_wait(response.headers))
                if response.status in _FORBIDDEN:
                    raise Refused(f"{urlsplit(url).netloc} answered {response.status} for {_shown(url)}")
                if response.status >= 400:
                    raise RequestError(f"{urlsplit(url).netloc} answered {response.status} for {_shown(url)}")
                yield response
        except aiohttp.ClientConnectorError as error:
            raise Lost(error.os_error.strerror or str(error), reached=False) from error
        except aiohttp.InvalidURL as error:
            raise RequestError(f"{url!r} is no address") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Lost(str(error) or type(error).__name__) from error


@asynccontextmanager
async def open_http(connections: int, sleep: Sleep = asyncio.sleep) -> AsyncIterator[Http]:
    """Open a client that keeps its connections until the block ends.

    Args:
        connections: how many may be open at a time.
        sleep: waits so many seconds between attempts.
    """
    # A fifth of a second to import; only who downloads pays.
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S)
    async with aiohttp.ClientSession(
        timeout=timeout,
        connector=aiohttp.TCPConnector(limit=connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        # HTTPS_PROXY and its like: who has no other way out must not fail here.
        trust_env=True,
    ) as session:
        yield Http(session, sleep)


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


def _shown(url: str) -> str:
    """Return an address without what may be secret in it."""
    parts = urlsplit(url)
    return parts._replace(query="", fragment="", netloc=parts.hostname or parts.netloc).geturl()

"""A token that is fetched once for all calls and renewed before it ends (OAuth 2.0, RFC 6749 section 4.4)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_SHARE, _MOST_S = 0.1, 300.0
"""A token is renewed when this share of its time is left, at most this many seconds."""


@dataclass(frozen=True)
class Grant:
    """A token as it was granted."""

    token: str
    expires_in: float
    """Seconds for which it is good, from when it was asked for."""


class AccessToken:
    """The current token.

    Args:
        fetch: asks for a new one.
        clock: seconds that never go back.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[Grant]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch, self._clock = fetch, clock
        self._token = ""
        self._renew_at = 0.0
        self._turn = asyncio.Lock()

    async def get(self) -> str:
        """Return a token that is good for a while; calls at the same time wait for one fetch.

        Raises:
            TeacherError: no token was granted.
        """
        async with self._turn:
            if not self._token or self._clock() >= self._renew_at:
                asked = self._clock()
                grant = await self._fetch()
                self._token = grant.token
                self._renew_at = asked + grant.expires_in - min(_MOST_S, _SHARE * grant.expires_in)
            return self._token

    def forget(self, token: str) -> None:
        """Fetch another one next time, unless that was done since `token` was handed out."""
        if token == self._token:
            self._token = ""

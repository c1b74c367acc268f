"""Share calls among equal servers: the one with the least to do is asked."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from instil.errors import TeacherError, TeacherUnavailable, TeacherUnreachable

T = TypeVar("T")

_DOWN_S = 10.0
"""Seconds for which an address that took no connection is not asked."""
_AILING_S = 1.0
"""The same after any other failure: who fails at once has the least to do, and would be asked every call."""


@dataclass
class _Endpoint:
    base_url: str
    outstanding: int = 0
    last_asked: int = 0
    failed: bool = False
    avoided_until: float = 0.0

    def usable(self, now: float) -> bool:
        """Whether it may be asked; one that failed is tried with one call at a time until it answers."""
        return not self.failed or (now >= self.avoided_until and self.outstanding == 0)


class Endpoints:
    """Several addresses of the same model.

    Args:
        base_urls: at least one.
        clock: seconds that never go back.
    """

    def __init__(self, base_urls: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoints = [_Endpoint(base_url.rstrip("/")) for base_url in base_urls]
        self._clock = clock
        self._asked = 0

    async def ask(self, send: Callable[[str], Awaitable[T]]) -> T:
        """Return what `send(base_url)` returns for the address with the fewest calls outstanding.

        Addresses with equally many take turns. One that takes no connection was asked nothing, so the
        call goes to the next at once.

        Raises:
            TeacherUnreachable: no address takes a connection.
            TeacherError: whatever else `send` raises.
        """
        untried = list(self._endpoints)
        while True:
            endpoint = self._least_busy(untried)
            untried.remove(endpoint)
            endpoint.outstanding += 1
            try:
                answer = await send(endpoint.base_url)
            except TeacherUnreachable as error:
                self._avoid(endpoint, _DOWN_S)
                if len(self._endpoints) == 1:
                    raise
                if not untried:
                    raise self._all_down(error) from error
            except TeacherUnavailable:
                self._avoid(endpoint, _AILING_S)
                raise
            except TeacherError:
                endpoint.failed = False
                raise
            else:
                endpoint.failed = False
                return answer
            finally:
                endpoint.outstanding -= 1

    def _least_busy(self, untried: Sequence[_Endpoint]) -> _Endpoint:
        now = self._clock()
        # Where all have failed, waiting for one to come back would only be slower than asking.
        usable = [endpoint for endpoint in untried if endpoint.usable(now)] or untried
        chosen = min(usable, key=lambda endpoint: (endpoint.outstanding, endpoint.last_asked))
        self._asked += 1
        chosen.last_asked = self._asked
        return chosen

    def _avoid(self, endpoint: _Endpoint, seconds: float) -> None:
        endpoint.failed = True
        endpoint.avoided_until = self._clock() + seconds

    def _all_down(self, error: TeacherUnreachable) -> TeacherUnreachable:
        return TeacherUnreachable(
            f"none of the {len(self._endpoints)} addresses takes a connection; the last: {error}",
            hint=error.hint,
        )

"""Let a person see what teachers log: a batch that moved on, a server that is asked again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOGGER = logging.getLogger("instil.teachers")


@contextmanager
def telling(say: Callable[[str], None]) -> Iterator[None]:
    """Hand every line that a teacher logs at INFO or above to `say` while the block runs.

    Args:
        say: shows one line; may be called from any thread.
    """
    handler = _Saying(say)
    level = _LOGGER.level
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(min(logging.INFO, _LOGGER.getEffectiveLevel()))
    try:
        yield
    finally:
        _LOGGER.setLevel(level)
        _LOGGER.removeHandler(handler)


class _Saying(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say one line."""
        self._say(record.getMessage())

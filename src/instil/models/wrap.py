"""Templates that write a message alike wherever it stands, without running them for each conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, get_args

from instil.data.messages import Message, Role
from instil.models.encode import Marked

Render = Callable[[Sequence[Message], bool], Marked]
"""Runs a template; the second argument says whether the text is to be ready for the next answer."""

_CONTENT = "\ue000"
"""A character for private use, so that it stands nowhere else in the text."""


class _Wrapping(NamedTuple):
    """What a template writes around the content of one role's messages."""

    before: str
    after: str
    learned: int | None
    """How much of `after` is learned together with the content; None where neither is."""


class Wrapper:
    """Writes what a template would write, from what it wrote around one message of each role.

    Good only for templates of which that is known (`ChatTemplate.wraps`).
    """

    def __init__(self, render: Render) -> None:
        self._wrappings = {role: self._wrapping(render, role) for role in get_args(Role)}
        self._ready = render([], True).text

    def mark(self, messages: Sequence[Message], *, prompt: bool) -> Marked:
        """Return a conversation as text with the answers marked; `prompt`: ready for the next answer."""
        parts: list[str] = []
        spans: list[tuple[int, int]] = []
        place = 0
        for message in messages:
            before, after, learned = self._wrappings[message.role]
            parts += (before, message.content, after)
            end = place + len(before) + len(message.content)
            if learned is not None:
                spans.append((place + len(before), end + learned))
            place = end + len(after)
        if prompt:
            parts.append(self._ready)
        return Marked("".join(parts), tuple(spans))

    def _wrapping(self, render: Render, role: Role) -> _Wrapping:
        text, spans = render([Message(role=role, content=_CONTENT)], False)
        before, after = text.split(_CONTENT)
        return _Wrapping(before, after, spans[0][1] - len(before) - len(_CONTENT) if spans else None)

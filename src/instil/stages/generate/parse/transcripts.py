"""Conversations as plain text: each turn begins a line with `User:`, `Assistant:`, `患者：`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from instil.data.messages import Message, Role
from instil.stages.generate.parse import keys
from instil.stages.generate.parse.items import NoItem
from instil.stages.generate.parse.parts import CUT_OFF, Malformed, malformed

UNKNOWN_SPEAKER = "an unknown speaker"
TWO_NAMES = "a speaker under two names"
NO_CONVERSATION = "no conversation in the answer"
# These also begin lines of what a speaker says; they are speakers only where they are from the start.
_WEAK = frozenset(
    {"q", "a", "question", "answer", "问", "答", "model", "agent", "expert", "support", "专家"}
    | {"student", "teacher", "person"}
)
_LABEL = re.compile(
    r"^[ \t]*+(?:[#>•-]++[ \t]*+)*+[*_【\[<(（]*(?P<who>[^\W\d_][\w \t-]{0,24}?)[*_】\]>)）]*"
    r"[ \t]*[:：][*_]*[ \t]?",
    re.MULTILINE,
)
_TITLE = (
    r"[ \t]*[#*_【\[]*[ \t]*(?:对话|会话|對話|dialogue|dialog|conversation|example|示例)"
    r"[ \t]*[一二三四五六七八九十\d]*[ \t]*[】\]]*[*_]*[ \t]*(?:[:：.、][^\n]*)?"
)
_BETWEEN = re.compile(
    rf"^(?:{_TITLE}|[ \t]*(?:#{{3,}}|-{{3,}}|={{3,}}|\*{{3,}})[ \t]*)\r?$\s*", re.MULTILINE | re.IGNORECASE
)


def transcripts(
    text: str, *, cut_off: bool, check: Callable[[list[Message]], tuple[Message, ...]]
) -> Iterator[tuple[Message, ...] | Malformed]:
    """Yield the conversations of an answer without JSON.

    Args:
        text: the answer as it came.
        cut_off: whether the token limit ended it; then nobody knows where its last turn would have ended.
        check: returns a conversation that can be learned from, or raises NoItem.
    """
    parts = [part for part in _split(text) if any(_labels(part))]
    if not parts:
        yield malformed(NO_CONVERSATION, text)
    for number, part in enumerate(parts, start=1):
        if cut_off and number == len(parts):
            yield malformed(CUT_OFF, part)
            continue
        try:
            yield check(read_transcript(part))
        except NoItem as error:
            yield malformed(str(error), part)


def is_transcript(text: str) -> bool:
    """Return whether an answer is a transcript: somebody whom the table knows speaks before any JSON."""
    json_starts = re.search(r"[\[{［｛]\s*[\[{［｛\"'“‘]|```", text)
    first = next(_labels(text), None)
    return first is not None and (json_starts is None or first[1].start() < json_starts.start())


def read_turns(turns: list[str]) -> list[Message]:
    """Return the turns of a list of strings of which each begins with its speaker.

    Raises:
        NoItem: one does not.
    """
    messages = []
    for turn in turns:
        label = _LABEL.match(turn)
        role = keys.role(label["who"]) if label else None
        if label is None or role is None:
            raise NoItem(UNKNOWN_SPEAKER)
        messages.append(Message(role=role, content=turn[label.end() :].strip()))
    return messages


def read_transcript(text: str) -> list[Message]:
    """Return the turns of one conversation; lines without a speaker belong to the turn before them.

    Raises:
        NoItem: nobody speaks whom the table knows, or one speaker has two names.
    """
    names: dict[Role, str] = {}
    turns: list[tuple[Role, re.Match[str]]] = []
    for role, found in _labels(text):
        name = keys.plain(found["who"])
        if names.setdefault(role, name) == name:
            turns.append((role, found))
        elif name not in _WEAK:
            raise NoItem(TWO_NAMES)
    if not turns:
        raise NoItem(UNKNOWN_SPEAKER)
    ends = [*(found.start() for _, found in turns[1:]), len(text)]
    return [
        Message(role=role, content=text[found.end() : end].strip())
        for (role, found), end in zip(turns, ends, strict=True)
    ]


def _labels(text: str) -> Iterator[tuple[Role, re.Match[str]]]:
    for found in _LABEL.finditer(text):
        role = keys.role(found["who"])
        if role is not None:
            yield role, found


def _split(text: str) -> Iterator[str]:
    """Yield the conversations of a text: a line between them counts where a new one begins behind it."""
    start = 0
    for found in _BETWEEN.finditer(text):
        label = _LABEL.match(text, found.end())
        if label and keys.role(label["who"]) in ("user", "system"):
            yield text[start : found.start()]
            start = found.end()
    yield text[start:]

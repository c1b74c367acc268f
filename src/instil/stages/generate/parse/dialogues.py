"""Conversations out of an answer: lists of turns under any key, pairs, and transcripts as plain text.

A conversation begins with the user, after a system message if there is one; the speakers take turns; and
the assistant has the last word: a thanks or a question behind it is left out, as it is from corpora,
because nobody answered it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from instil.data.messages import Message
from instil.stages.generate.parse import keys
from instil.stages.generate.parse.items import NoItem, items_of, text_of
from instil.stages.generate.parse.objects import Found, find_objects, part_text
from instil.stages.generate.parse.parts import SURROGATE, Item, Malformed, malformed, without_end, writable
from instil.stages.generate.parse.transcripts import (
    UNKNOWN_SPEAKER,
    is_transcript,
    read_transcript,
    read_turns,
    transcripts,
)

NO_TURNS = "no turns of a conversation"
EMPTY_TURN = "an empty turn"
NOT_USER_FIRST = "does not begin with the user"
NO_ALTERNATION = "two turns of one speaker in a row"
NO_ANSWER = "no answer of the assistant"
_DEEPEST = 6

Messages = tuple[Message, ...]


def parse_dialogues(text: str, *, cut_off: bool) -> Iterator[Messages | Malformed]:
    """Yield the conversations of an answer in order, and each part that is none; at least one part in all.

    Reads what `parse_items` reads around and inside objects, `messages`, `conversations`, turns as pairs or
    as strings with their speaker, a list of turns without an object around it, and transcripts without JSON.

    Args:
        text: the answer as it came.
        cut_off: whether it ended because of the token limit; then a transcript's last conversation is none.
    """
    if is_transcript(text):
        yield from transcripts(text, cut_off=cut_off, check=checked)
        return
    run: list[Found] = []
    for part in find_objects(text, cut_off=cut_off):
        if run and not (isinstance(part, Found) and _is_turn(part.value) and _follows(run[-1], part)):
            yield _run(run, cut_off)
            run = []
        if isinstance(part, Malformed):
            yield part
        elif _is_turn(part.value):
            run.append(part)
        else:
            yield from _conversations(part.value, part.text, 0)
    if run:
        yield _run(run, cut_off)


def checked(messages: list[Message]) -> Messages:
    """Return a conversation that can be learned from.

    Raises:
        NoItem: it breaks a rule that stands on top of this file.
    """
    kept = list(messages)
    while kept and kept[-1].role == "user":
        kept.pop()
    turns = kept[1:] if kept and kept[0].role == "system" else kept
    if not turns:
        raise NoItem(NO_ANSWER if messages else NO_TURNS)
    if any(not message.content.strip() for message in kept):
        raise NoItem(EMPTY_TURN)
    for number, message in enumerate(turns):
        if message.role != ("user", "assistant")[number % 2]:
            raise NoItem(NO_ALTERNATION if number else NOT_USER_FIRST)
    if not writable("".join(message.content for message in kept)):
        raise NoItem(SURROGATE)
    return tuple(kept)


def _run(run: list[Found], cut_off: bool) -> Messages | Malformed:
    """Return the conversation of a list of turns that has no object around it.

    Turns that a broken one parts from the rest are no conversation, nor are those before a cut.
    """
    source, start, end = run[0].source, run[0].start, run[-1].end
    before, after = source[:start].rstrip(), source[end:].lstrip(" \t\r\n,，")
    listed = before.endswith(("[", "［")) and after.startswith(("]", "］"))
    alone = not (cut_off or set(before + after) & set("[{［｛"))
    if not (listed or alone):
        return malformed(without_end(cut_off), source[start:end])
    return _conversation([found.value for found in run], None, source[start:end])


def _follows(before: Found, found: Found) -> bool:
    gap = before.source[before.end : found.start]
    return before.source is found.source and not set(gap) & set("[]［］")


def _is_turn(value: dict[str, Any]) -> bool:
    names = list(value)
    return any(map(keys.is_speaker, names)) and any(map(keys.is_said, names))


def _conversations(value: dict[str, Any], text: str, depth: int) -> Iterator[Messages | Malformed]:
    turns = [(name, each) for name, each in value.items() if keys.is_turns(name)]
    nested = [
        each for name, each in value.items() if isinstance(each, dict | list) and not keys.is_turns(name)
    ]
    if len(turns) == 1 and not _holds_conversations(turns[0][1]):
        system = [each for name, each in value.items() if keys.role(name) == "system"]
        yield _conversation(turns[0][1], system[0] if system else None, text)
        return
    inner = [each for _, each in turns] + nested
    if (turns or not _is_pair(value)) and inner and depth < _DEEPEST:
        for each in inner:
            yield from _inside(each, depth + 1)
        return
    for part in items_of(value, text):
        if isinstance(part, Malformed):
            yield part
        else:
            yield from _from_item(part)


def _inside(value: Any, depth: int) -> Iterator[Messages | Malformed]:
    if isinstance(value, dict):
        yield from _conversations(value, part_text(value), depth)
    elif isinstance(value, list) and not _holds_conversations(value):
        yield _conversation(value, None, part_text(value))
    elif isinstance(value, list) and depth < _DEEPEST:
        for each in value:
            yield from _inside(each, depth + 1)
    else:
        yield malformed(NO_TURNS, part_text(value))


def _holds_conversations(value: Any) -> bool:
    """Return whether a list is one of conversations and not one of turns."""
    if isinstance(value, dict):
        return True
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, list):
        return not all(isinstance(each, str) for each in first)
    return (
        isinstance(first, dict)
        and not _is_turn(first)
        and any(isinstance(each, list) or keys.is_turns(name) for name, each in first.items())
    )


def _is_pair(value: dict[str, Any]) -> bool:
    parts = {keys.key(name).part for name, each in value.items() if isinstance(each, str)}
    return {"instruction", "output"} <= parts


def _from_item(item: Item) -> Iterator[Messages | Malformed]:
    yield (Message(role="user", content=item.question), Message(role="assistant", content=item.output))


def _conversation(turns: Any, system: Any, text: str) -> Messages | Malformed:
    try:
        lead = [Message(role="system", content=system)] if isinstance(system, str) and system.strip() else []
        return checked([*lead, *_messages(turns)])
    except NoItem as error:
        return malformed(str(error), text)


def _messages(turns: Any) -> list[Message]:
    if isinstance(turns, str):
        return read_transcript(turns)
    if not isinstance(turns, list) or not turns:
        raise NoItem(NO_TURNS)
    if all(isinstance(turn, str) for turn in turns):
        return read_turns(turns)
    return [message for turn in turns for message in _turn(turn)]


def _turn(turn: Any) -> list[Message]:
    """Return the messages of one member of a list: one turn, or a question and its answer."""
    if isinstance(turn, list) and len(turn) == 2 and all(isinstance(each, str) for each in turn):
        return [Message(role="user", content=turn[0]), Message(role="assistant", content=turn[1])]
    if not isinstance(turn, dict):
        raise NoItem(NO_TURNS)
    speakers = [each for name, each in turn.items() if keys.is_speaker(name)]
    said = [each for name, each in turn.items() if keys.is_said(name)]
    pairs = list(zip(speakers, said, strict=False)) if speakers else list(turn.items())
    if not pairs or (speakers and (len(speakers) > 1 or len(said) != 1)):
        raise NoItem(NO_TURNS)
    messages = []
    for who, content in pairs:
        role = keys.role(who)
        if role is None and not speakers and (keys.is_beside(str(who)) or content in (None, "")):
            continue  # the number of a turn, or its topic
        if role is None:
            raise NoItem(UNKNOWN_SPEAKER)
        if not isinstance(content, str):
            raise NoItem(EMPTY_TURN if content is None else NO_TURNS)
        messages.append(Message(role=role, content=text_of(content)))
    return messages

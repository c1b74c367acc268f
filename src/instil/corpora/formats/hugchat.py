r"""HugChat text: `text: "Human: … \n HugChat: … \n\n"`, also with `[Human]:`, and an optional `prefix`."""

from __future__ import annotations

import re

from instil.corpora.base import BadRecord, Format, Record, lead, text
from instil.data.messages import Message, Role

_SPEAKER = re.compile(r"(?:^|\n)[ \t]*\[?(Human|HugChat)\]?:[ \t]?")


def messages(record: Record) -> tuple[Message, ...]:
    """Return the conversation; the blanks that separate turns belong to the format, not to the text."""
    whole = text(record, "text")
    parts = _SPEAKER.split(whole)
    if len(parts) < 5:
        raise BadRecord("'text' does not hold a turn of Human and one of HugChat")
    found = list(lead(text(record, "prefix", required=False) or parts[0]))
    for speaker, said in zip(parts[1::2], parts[2::2], strict=True):
        role: Role = "user" if speaker == "Human" else "assistant"
        if not said.strip():
            raise BadRecord(f"a turn of {speaker} is empty")
        found.append(Message(role=role, content=said.rstrip(" \n")))
    while found and found[-1].role != "assistant":
        found.pop()  # a question that nobody answered teaches nothing
    if not any(message.role == "user" for message in found):
        raise BadRecord("no question with an answer")
    return tuple(found)


HUGCHAT = Format(
    "hugchat",
    matches=lambda record: (
        isinstance(record.get("text"), str) and _SPEAKER.search(record["text"]) is not None
    ),
    messages=messages,
)

r"""HugChat text: `text: "Human: … \n HugChat: … \n\n"`, also with `[Human]:`, and an optional `prefix`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from instil.corpora.base import BadRecord, Format, Record, Row, text
from instil.corpora.formats.turns import conversation
from instil.corpora.formats.writing import exchange, proven
from instil.data.examples import Example
from instil.data.messages import Turn

_SPEAKER = re.compile(r"\n[ \t]*\[?(Human|HugChat)\]?:[ \t]?")
# What our writer puts behind a turn, before the line of the next one and at the end.
_ENDS = (" \n\n", " \n", " ")


def read(record: Record) -> tuple[Row]:
    """Return the conversation; the blanks that separate turns belong to the format, not to the text.

    Raises:
        BadRecord: the text has no question with an answer.
    """
    parts = _SPEAKER.split(f"\n{text(record, 'text')}")
    if len(parts) < 5:
        raise BadRecord("'text' does not hold a turn of Human and one of HugChat")
    prefix = text(record, "prefix", required=False)
    turns: list[Turn] = [("system", prefix if prefix.strip() else parts[0].strip())]
    for speaker, said in zip(parts[1::2], parts[2::2], strict=True):
        turns.append(("user" if speaker == "Human" else "assistant", _said(said)))
    return (Row(conversation(turns)),)


def write(example: Example) -> Mapping[str, Any]:
    """Return the text with its marks, and the system prompt as `prefix`.

    Raises:
        BadRecord: the example has tool turns, questions that are not answered in turn, or lines that begin
            as marks do.
    """
    system, pairs = exchange(example, "hugchat")
    said = "".join(f"Human: {question} \n HugChat: {answer} \n\n" for question, answer in pairs)
    return proven({"text": said, "prefix": system}, example, read, "hugchat")


def _said(text: str) -> str:
    """Return a turn without what separates it from the next: exactly where we wrote it, else all of it."""
    end = next((end for end in _ENDS if text.endswith(end)), None)
    return text.removesuffix(end) if end else text.rstrip(" \n")


def _matches(record: Record) -> bool:
    value = record.get("text")
    return isinstance(value, str) and ("HugChat:" in value or "[HugChat]:" in value)


HUGCHAT = Format("hugchat", matches=_matches, read=read, write=write)

"""Conversations in one text, in which marks say who speaks."""

from __future__ import annotations

import re
from collections.abc import Callable

from instil.corpora.base import BadRecord, Format, Record, Row, text
from instil.corpora.formats.turns import conversation
from instil.data.messages import Role, Turn

# Each begins with plain characters, which the search for them can leap to.
HUMAN_ASSISTANT = re.compile(r"\n[ \t]*(Human|Assistant)[:：]")
"""The marks of BELLE and of Anthropic's HH-RLHF, at the beginning of a line."""
_OIG = re.compile(r"<(human|bot)>:")
_GUANACO = re.compile(r"### ?(Human|Assistant):")
_USERS = ("human", "Human")


def marked(whole: str, marks: re.Pattern[str], ends: tuple[str, ...] = ()) -> tuple[str, list[Turn]]:
    """Return what stands before the first mark, and the turns.

    The blank after a mark and the white space before the next belong to the format, not to the text.

    Args:
        whole: the text.
        marks: finds the mark before each turn; its group is who speaks.
        ends: words that end a turn, if the format has such.
    """
    parts = marks.split(f"\n{whole}")
    turns: list[Turn] = []
    for speaker, said in zip(parts[1::2], parts[2::2], strict=True):
        role: Role = "user" if speaker in _USERS else "assistant"
        said = said.rstrip()
        for end in ends:
            said = said.removesuffix(end)
        turns.append((role, said.removeprefix(" ").lstrip("\n").rstrip()))
    return parts[0].strip(), turns


def oig(record: Record) -> tuple[Row]:
    r"""Return the conversation of `text: "<human>: …\n<bot>: …"`.

    What stands before it, such as `Background: …`, is the system prompt.

    Raises:
        BadRecord: the text has no question with an answer.
    """
    return (Row(_conversation(text(record, "text"), _OIG)),)


def guanaco(record: Record) -> tuple[Row]:
    """Return the conversation of `text: "### Human: …### Assistant: …"`.

    Raises:
        BadRecord: the text has no question with an answer.
    """
    return (Row(_conversation(text(record, "text"), _GUANACO)),)


def belle_multiturn(record: Record) -> tuple[Row]:
    r"""Return the conversation that `instruction: "Human:…\nAssistant:…\nHuman:…\nAssistant:"` begins.

    Raises:
        BadRecord: there is no question or no answer.
    """
    before, turns = marked(text(record, "instruction"), HUMAN_ASSISTANT)
    # The answer goes on where the last mark stands, mostly with nothing behind it.
    begun = turns.pop()[1] if turns and turns[-1][0] == "assistant" else ""
    context = text(record, "input", required=False)
    if turns and context.strip():
        turns[-1] = (turns[-1][0], f"{turns[-1][1]}\n{context}")
    answer: Turn = ("assistant", f"{begun}{text(record, 'output')}")
    return (Row(conversation([("system", before), *turns, answer])),)


def _conversation(whole: str, marks: re.Pattern[str]) -> tuple[Turn, ...]:
    before, turns = marked(whole, marks)
    if not turns:
        raise BadRecord("'text' has no marks of who speaks")
    return conversation([("system", before), *turns])


def _holds(key: str, *marks: str) -> Callable[[Record], bool]:
    def matches(record: Record) -> bool:
        value = record.get(key)
        return isinstance(value, str) and any(mark in value for mark in marks)

    return matches


BELLE_MULTITURN = Format(
    "belle_multiturn",
    matches=lambda record: (
        isinstance(record.get("instruction"), str)
        and record["instruction"].startswith(("Human:", "Human："))
        and record["instruction"].rstrip().endswith(("Assistant:", "Assistant："))
        and "output" in record
        and "history" not in record
    ),
    read=belle_multiturn,
    answer="output",
)
OIG = Format("oig", matches=_holds("text", "<bot>:", "<human>:"), read=oig)
GUANACO = Format("guanaco", matches=_holds("text", "### Assistant:", "### Human:"), read=guanaco)

"""ShareGPT: `conversations: [{from, value}]`, and what other corpora write under that name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from instil.corpora.base import BadRecord, Format, Record, Row
from instil.corpora.formats.chat import opened, turns_of
from instil.corpora.formats.turns import alternating, conversation
from instil.corpora.formats.writing import proven
from instil.data.examples import Example
from instil.data.messages import Turn

_NAMES = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation"}
_PAIRS = (("human", "assistant"), ("question", "answer"), ("user", "assistant"))


def read(record: Record) -> tuple[Row]:
    """Return the conversation, with `system` and `tools` before it.

    The turns may be `{role, content}` as well, as in WildChat and LMSYS-Chat (there under `conversation`);
    pairs such as `{human, assistant}`; or plain texts, of which the user says the first, as in LIMA.

    Raises:
        BadRecord: the record has no question with an answer.
    """
    name = "conversations" if "conversations" in record else "conversation"
    turns = record.get(name)
    if isinstance(turns, list) and turns:
        if isinstance(turns[0], str):
            return (Row(conversation(opened(record, alternating(turns)))),)
        if isinstance(turns[0], dict):
            for keys in _PAIRS:
                if keys[0] in turns[0]:
                    return (Row(_of_pairs(record, turns, *keys)),)
    return (Row(conversation(opened(record, turns_of(turns, name)))),)


def write(example: Example) -> Mapping[str, Any]:
    """Return `conversations` with the names that LLaMA-Factory expects, `system` beside them.

    Raises:
        BadRecord: a system prompt stands within the conversation.
    """
    turns = [(message.role, message.content) for message in example.messages]
    system = turns.pop(0)[1] if turns[0][0] == "system" else ""
    if any(role == "system" for role, _ in turns):
        raise BadRecord("sharegpt holds no system prompt within a conversation")
    said = [{"from": _NAMES[role], "value": content} for role, content in turns]
    return proven({"conversations": said, "system": system}, example, read, "sharegpt")


def _of_pairs(record: Record, pairs: list[Any], question: str, answer: str) -> tuple[Turn, ...]:
    """Return the conversation of `[{question, answer}, …]`; an `instruction` stands above the first one."""
    turns: list[Turn] = []
    for pair in pairs:
        if not isinstance(pair, dict) or not all(
            isinstance(pair.get(key), str) for key in (question, answer)
        ):
            raise BadRecord(f"a pair without the texts {question!r} and {answer!r}")
        turns += [("user", pair[question]), ("assistant", pair[answer])]
    above = record.get("instruction")
    if isinstance(above, str) and above.strip():
        turns[0] = ("user", f"{above}\n{turns[0][1]}")
    return conversation(opened(record, turns))


SHAREGPT = Format(
    "sharegpt",
    matches=lambda record: "conversations" in record or "conversation" in record,
    read=read,
    write=write,
)

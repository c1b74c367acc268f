"""MOSS: 002's `plain_text` with marks, and 003's `chat: {turn_1: {Human, …, MOSS}}` with tools."""

from __future__ import annotations

import re
from typing import Any

from instil.corpora.base import BadRecord, Format, Record, Row, lead, text
from instil.corpora.formats.marked import marked
from instil.corpora.formats.tools import call_text
from instil.corpora.formats.turns import conversation
from instil.data.messages import Turn

_MARKS = re.compile(r"\[(Human|MOSS)\]:")
_ENDS = ("<eoh>", "<eoa>", "<eom>")
_WRAPPED = re.compile(r"\s*(?:<\|[\w ]+\|>:)?\s*(.*?)\s*(?:<eo[hmtcra]>)?\s*", re.DOTALL)
_NOTHING = ("", "None", "None.")
# The commands of MOSS with what its instruction calls their argument: `API: Search(query)`.
_ARGUMENTS = {"Search": "query", "Calculate": "expression", "Solve": "equation", "Text2Image": "description"}
_COMMAND = re.compile(r"(\w+)\((.*?)\)(?:\s*,\s*(?=\w+\()|\s*$)", re.DOTALL)


def read(record: Record) -> tuple[Row]:
    """Return the conversation; `meta_instruction` or `prefix` is the system prompt.

    In 003 a command is a call of a tool, said after the thoughts that lead to it, and the results are the
    tool's. Thoughts that lead to no command are no part of the reply and are left out.

    Raises:
        BadRecord: there is no question with an answer, or a command is none of MOSS's four.
    """
    given = "meta_instruction" if record.get("meta_instruction") else "prefix"
    system = lead(text(record, given, required=False))
    if "plain_text" in record:
        before, turns = marked(text(record, "plain_text"), _MARKS, _ENDS)
        return (Row(conversation([*(system or lead(before)), *turns])),)
    chat = record.get("chat")
    if not isinstance(chat, dict) or not all(isinstance(turn, dict) for turn in chat.values()):
        raise BadRecord("'chat' is not an object of turns")
    # In a table every row has the turns of the longest one, empty where there are none.
    numbers = (number for number in sorted(chat, key=_number) if any(chat[number].values()))
    return (Row(conversation([*system, *(said for number in numbers for said in _turns(chat[number]))])),)


def _turns(turn: dict[str, Any]) -> list[Turn]:
    said = {key: _unwrapped(turn, key) for key in ("Human", "Inner Thoughts", "Commands", "Tool Responses")}
    turns: list[Turn] = [("user", said["Human"])]
    if said["Commands"]:
        calls = _calls(said["Commands"])
        thoughts = [said["Inner Thoughts"]] if said["Inner Thoughts"] else []
        turns += [("assistant", "\n".join([*thoughts, *calls])), ("tool", said["Tool Responses"])]
    return [*turns, ("assistant", _unwrapped(turn, "MOSS"))]


def _calls(commands: str) -> list[str]:
    """Return the calls of `Search("…"), Calculate("…")`."""
    calls, end = [], 0
    for found in _COMMAND.finditer(commands):
        name, argument = found.groups()
        if found.start() != end or name not in _ARGUMENTS:
            break
        argument = argument.strip()
        if len(argument) > 1 and argument[0] == argument[-1] in ('"', "'"):
            argument = argument[1:-1]
        calls.append(call_text(name, {_ARGUMENTS[name]: argument}))
        end = found.end()
    if end != len(commands) or not calls:
        raise BadRecord("a command is not one of " + ", ".join(_ARGUMENTS))
    return calls


def _unwrapped(turn: dict[str, Any], key: str) -> str:
    """Return a part of a turn without its marks, empty where it says that there is nothing."""
    found = _WRAPPED.fullmatch(text(turn, key, required=False))
    said = found[1] if found else ""
    return "" if key not in ("Human", "MOSS") and said in _NOTHING else said


def _number(name: str) -> int:
    digits = name.removeprefix("turn_")
    if not digits.isdecimal():
        raise BadRecord(f"'chat' has the unknown turn {name!r}")
    return int(digits)


def _matches(record: Record) -> bool:
    chat = record.get("chat")
    return "plain_text" in record or (isinstance(chat, dict) and "turn_1" in chat)


MOSS = Format("moss", matches=_matches, read=read)

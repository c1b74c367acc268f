"""JSON schemas of what a prompt may ask for, for servers that hold an answer to one.

Every key is required and no other is allowed, as servers want it of a strict schema; a list stands in an
object, because none of them takes a list by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]


def _object(**properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _listed(member: Schema) -> Schema:
    return _object(items={"type": "array", "items": member})


_TEXT: Schema = {"type": "string"}
_ROLE: Schema = {"type": "string", "enum": ["system", "user", "assistant"]}
_TURN = _object(role=_ROLE, content=_TEXT)

ITEMS = _listed(_object(instruction=_TEXT, input=_TEXT, output=_TEXT))
"""Instructions with their answers."""
GROUNDED_ITEMS = _listed(_object(instruction=_TEXT, input=_TEXT, output=_TEXT, evidence=_TEXT))
"""The same, with what of a passage they rest on."""
DIALOGUES = _listed(_object(messages={"type": "array", "items": _TURN}))
"""Conversations."""
INSTRUCTION = _object(instruction=_TEXT)
"""One instruction."""

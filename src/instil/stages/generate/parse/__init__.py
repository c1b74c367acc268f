"""From what a teacher wrote to items and conversations, one by one.

What stands around them and what is wrong with them is seen through as far as that leaves no doubt; each
part that is not a whole item is returned with its reason, never completed and never dropped.
"""

from __future__ import annotations

from instil.stages.generate.parse.dialogues import parse_dialogues
from instil.stages.generate.parse.items import parse_items
from instil.stages.generate.parse.numbered import parse_numbered
from instil.stages.generate.parse.parts import Item, Malformed
from instil.stages.generate.parse.thinking import UNFINISHED, Thinking, split_thinking

__all__ = [
    "UNFINISHED",
    "Item",
    "Malformed",
    "Thinking",
    "parse_dialogues",
    "parse_items",
    "parse_numbered",
    "split_thinking",
]

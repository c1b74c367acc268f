"""Nasty answers, and what comes out of them, as text that can be reviewed: tests/golden/parse*.txt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from instil.stages.generate.parse import Item, Malformed, parse_dialogues, parse_items, parse_numbered

ANSWERS = Path(__file__).parents[1] / "golden" / "parse_answers.txt"
PARSERS = {"items": parse_items, "numbered": parse_numbered, "dialogues": parse_dialogues}


def answers() -> Iterator[tuple[str, str, bool, str]]:
    """Yield the name, the parser, whether it is cut off, and the text of each answer."""
    for block in re.split(r"^=== ", ANSWERS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, text = block.split("\n", 1)
        found = re.fullmatch(r"(.+) \[(\w+)(, cut off)?\]", title)
        assert found is not None, title
        yield title, found[2], found[3] is not None, text


def shown(part: object) -> str:
    if isinstance(part, Malformed):
        return f"rejected  {part.reason}\n    {part.text!r}"
    if isinstance(part, Item):
        fields = {"instruction": part.instruction, "input": part.input, "output": part.output}
        return "item" + "".join(f"\n    {name:<13}{text!r}" for name, text in fields.items())
    assert isinstance(part, tuple)
    return "conversation" + "".join(f"\n    {message.role:<11}{message.content!r}" for message in part)


def test_nasty_answers_give_what_was_reviewed(golden: Callable[[str, str], None]) -> None:
    lines = []
    for title, parser, cut_off, text in answers():
        lines.append(f"=== {title}")
        lines += [shown(part) for part in PARSERS[parser](text, cut_off=cut_off)]
    golden("parse.txt", "\n".join(lines) + "\n")

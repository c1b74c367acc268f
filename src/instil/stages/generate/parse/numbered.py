"""Items in the style of Alpaca: `1. Instruction:`, `1. Input:` and `1. Output:`, and `###` between tasks.

Tasks are told by their instructions, not by their numbers, which teachers repeat, skip and restart. Labels
count only as an answer uses them from its first task on: where they have numbers, a line `Output:` without
one is content, and so is `Question:` where tasks begin with `Instruction:`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from instil.stages.generate.parse import keys
from instil.stages.generate.parse.items import TWICE, NoItem, parse_items
from instil.stages.generate.parse.keys import Part
from instil.stages.generate.parse.parts import CUT_OFF, EMPTY, SURROGATE, Item, Malformed, malformed, writable

NO_TASK = "no numbered task in the answer"
_LABEL = re.compile(
    r"^[ \t]*+(?:[#>*_•-]++[ \t]*+)*+(?:(?P<number>\d{1,5})[ \t]*[.)、．:：][ \t]*)?"
    r"[*_【\[]*(?P<name>[^\W\d][\w \t]{0,30}?)[ \t]*[*_】\]]*[ \t]*[:：][*_]*[ \t]?",
    re.MULTILINE,
)
_END_OF_TASK = re.compile(
    r"^[ \t]*#{3,}[ \t]*(?:(?:task|example|任务|示例)?[ \t]*\d*[ \t]*[.:：、)]?[ \t]*)\r?$",
    re.MULTILINE | re.IGNORECASE,
)
_NUMBER_ALONE = re.compile(
    r"\n[ \t]*[*_#]*[ \t]*(?:task|任务)?[ \t]*(\d{1,5})[ \t]*[.)、．:：]?[*_]*[ \t]*\Z", re.IGNORECASE
)

_Label = tuple[Part, re.Match[str]]


def parse_numbered(text: str, *, cut_off: bool, lead: str = "") -> Iterator[Item | Malformed]:
    """Yield the tasks of an answer in order, and each that is none; at least one part in all.

    White space around a text is layout and removed; inside it is untouched. Where the answer is JSON all
    the same, it is read as JSON.

    Args:
        text: the answer as it came.
        cut_off: whether it ended because of the token limit; then its last task is none, unless a `###`
            ends it.
        lead: the end of the prompt that the answer continues, such as `3. Instruction:`; ignored where the
            answer begins with a label of its own.
    """
    if not text.strip():
        yield malformed(EMPTY, text)
        return
    whole = text if _begins_with_label(text) else lead + text
    tasks = _tasks(whole)
    if not tasks:
        yield from parse_items(text, cut_off=cut_off) if "{" in text else (malformed(NO_TASK, text),)
        return
    ends = [*(task[0][1].start() for task in tasks[1:]), len(whole)]
    for task, end in zip(tasks, ends, strict=True):
        last = end == len(whole)
        begin = task[0][1].start()
        finish = _END_OF_TASK.search(whole, task[-1][1].end(), end)
        if last and cut_off and finish is None:
            yield malformed(CUT_OFF, whole[begin:])
            continue
        stop = finish.start() if finish else end
        try:
            yield _item(whole, task, stop, last=last)
        except NoItem as error:
            yield malformed(str(error), whole[begin:stop].rstrip())


def _begins_with_label(text: str) -> bool:
    found = _LABEL.match(text.lstrip().removeprefix("###").lstrip())
    return found is not None and keys.key(found["name"]).part == "instruction"


def _tasks(text: str) -> list[list[_Label]]:
    """Return the labels of each task; a task begins with its instruction."""
    labels = [(part, found) for found in _LABEL.finditer(text) if (part := keys.key(found["name"]).part)]
    if any(found["number"] for part, found in labels if part == "instruction"):
        labels = [(part, found) for part, found in labels if found["number"]]
    names: dict[Part, str] = {}
    tasks: list[list[_Label]] = []
    for part, found in labels:
        name = keys.plain(found["name"])
        if names.setdefault(part, name) != name:
            continue
        if part == "instruction" or not tasks:
            tasks.append([])
        tasks[-1].append((part, found))
    return tasks


def _item(text: str, task: list[_Label], stop: int, *, last: bool) -> Item:
    ends = [*(found.start() for _, found in task[1:]), stop]
    texts: dict[Part, str] = {}
    for (part, found), end in zip(task, ends, strict=True):
        if part in texts:
            raise NoItem(TWICE)
        texts[part] = _trimmed(text[found.end() : end])
    final = task[-1][0]
    texts[final] = _without_next_number(texts[final], task[0][1]["number"], last=last)
    for part in ("instruction", "output"):
        if part not in texts:
            raise NoItem(f"no text under the key {part!r}")
        if not texts[part]:
            raise NoItem(f"empty {part}")
    if not writable("".join(texts.values())):
        raise NoItem(SURROGATE)
    return Item(texts["instruction"], keys.given(texts.get("input", "")), texts["output"])


def _trimmed(text: str) -> str:
    """Return a text without the layout around it; a first line that is indented stays so."""
    bare = re.sub(r"\A(?:[ \t]*\r?\n)+", "", text)
    return (bare if bare != text else bare.lstrip()).rstrip()


def _without_next_number(text: str, number: str | None, *, last: bool) -> str:
    """Return a text without the number of the next task, which may stand on a line of its own."""
    found = _NUMBER_ALONE.search(text)
    if found is None or (last and found[1] != str(int(number or -2) + 1)):
        return text
    return text[: found.start()].rstrip()

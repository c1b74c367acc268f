"""What comes back from answers that are almost JSON, beside the libraries that repair JSON.

    python -m benchmarks.parsing [--quick] [--json]

Rows of Alpaca and its Chinese edition, three in an answer, are broken in every way of `BREAKS` (seeded).
Counted are items that come back exactly as they went in, and items that come back and never went in: a
wrong item would be learned. Peers get our table of keys, and their time is for decoding alone.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, arguments, peer_environment, report
from instil.stages.generate.parse import Item, parse_items
from instil.stages.generate.parse.items import items_of
from instil.stages.generate.parse.keys import given

DATA = ROOT.parent / "shared" / "data"
SEED = 11
ITEMS_PER_ANSWER = 3
# Import, and the expression that decodes `text`.
PEERS = {
    "json.loads": ("json", "json.loads(text)"),
    "json_repair": ("json_repair", "json_repair.loads(text)"),
    "fast_json_repair": ("fast_json_repair", "fast_json_repair.loads(text)"),
    "dirtyjson": ("dirtyjson", "dirtyjson.loads(text)"),
    "json5": ("json5", "json5.loads(text)"),
}
_PEER = """
import json, sys, time
import {module}
found, seconds = [], 0.0
for text in json.load(open(sys.argv[1], encoding="utf-8")):
    began = time.process_time()
    try:
        value = {decode}
    except Exception as error:
        value = None
    seconds += time.process_time() - began
    found.append(value)
json.dump([seconds, found], sys.stdout, default=str)
"""

Row = dict[str, str]
Break = Callable[[list[Row], random.Random], str]


@dataclass(frozen=True)
class Answer:
    """A broken answer, and the items that can be got out of it for certain."""

    kind: str
    text: str
    cut_off: bool
    items: tuple[Item, ...]


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def joined(rows: list[Row], comma: str = ", ", member: Callable[[str, str], str] | None = None) -> str:
    """Return a list of objects whose members are written by `member`."""
    member = member or (lambda key, value: f"{dump(key)}: {dump(value)}")
    return (
        "[" + comma.join("{" + ", ".join(member(*pair) for pair in row.items()) + "}" for row in rows) + "]"
    )


def unescaped(text: str, quote: str = '"') -> str:
    """Return text between quotes as a model writes it that escapes neither quotes nor line breaks."""
    return quote + text.replace("\\", "\\\\") + quote


def renamed(rows: list[Row], names: tuple[str, str, str]) -> list[Row]:
    return [dict(zip(names, row.values(), strict=True)) for row in rows]


def full_width(key: str, value: str) -> str:
    return f"“{key}”：“{dump(value)[1:-1]}”"


def without_a_quote(rows: list[Row], rng: random.Random, which: int) -> str:
    """Return an answer in which one string of one row has no opening (0) or closing (-1) quote."""
    spoiled = rng.randrange(len(rows))
    parts = []
    for number, row in enumerate(rows):
        members = {key: dump(value) for key, value in row.items()}
        if number == spoiled:
            key = rng.choice(["instruction", "output"])
            members[key] = members[key][1:] if which == 0 else members[key][:-1]
        parts.append("{" + ", ".join(f"{dump(key)}: {value}" for key, value in members.items()) + "}")
    return "[" + ", ".join(parts) + "]"


def lines(rows: list[Row], _rng: random.Random) -> str:
    return "\n".join(map(dump, rows))


BREAKS: dict[str, Break] = {
    "clean": lambda rows, _: dump(rows),
    "fence": lambda rows, _: f"```json\n{json.dumps(rows, indent=1, ensure_ascii=False)}\n```",
    "fences": lambda rows, _: "\n\n".join(f"Task:\n```json\n{dump(row)}\n```" for row in rows),
    "prose": lambda rows, _: (
        f"Sure! Here are the tasks [JSON]:\n\n{dump(rows)}\n\nLet me know if you need more."
    ),
    "object around": lambda rows, _: dump({"tasks": rows, "count": 3}),
    "two objects around": lambda rows, _: dump({"data": {"items": rows}}),
    "lines": lines,
    "other keys": lambda rows, _: dump(renamed(rows, ("Question", "Context", "Answer"))),
    "Chinese keys": lambda rows, _: dump(renamed(rows, ("指令", "输入", "输出"))),
    "trailing commas": lambda rows, _: (
        joined(rows, ", ", lambda k, v: f"{dump(k)}: {dump(v)}" + "," * (k == "output"))[:-1] + ",]"
    ),
    "double commas": lambda rows, _: joined(rows, ",, "),
    "no commas between objects": lambda rows, _: joined(rows, "\n"),
    "no commas between members": lambda rows, _: (
        "["
        + ",\n".join("{" + "\n".join(f"{dump(k)}: {dump(v)}" for k, v in r.items()) + "}" for r in rows)
        + "]"
    ),
    "Python": lambda rows, _: repr([{**row, "input": row["input"] or None} for row in rows]),
    "single quotes inside single quotes": lambda rows, _: joined(
        rows, ", ", lambda k, v: f"'{k}': " + unescaped(v, "'")
    ),
    "smart quotes": lambda rows, _: joined(rows, ", ", lambda k, v: f"“{k}”: “{dump(v)[1:-1]}”"),
    "full width": lambda rows, _: (
        "［" + "，".join("｛" + "，".join(full_width(*p) for p in r.items()) + "｝" for r in rows) + "］"
    ),
    "line breaks": lambda rows, _: joined(
        rows,
        ",\n",
        lambda k, v: f"{dump(k)}: " + f'"{chr(10).join(dump(line)[1:-1] for line in v.split(chr(10)))}"',
    ),
    "quotes not escaped": lambda rows, _: joined(rows, ",\n", lambda k, v: f"{dump(k)}: " + unescaped(v)),
    "bare keys": lambda rows, _: joined(rows, ", ", lambda k, v: f"{k}: {dump(v)}"),
    "comments": lambda rows, _: joined(
        rows, ", // the next one\n", lambda k, v: f"{dump(k)}: {dump(v)} /* {k} */"
    ),
    "no },{": lambda rows, _: "[{" + ", ".join(dump(row)[1:-1] for row in rows) + "}]",
    "no }": lambda rows, _: "[" + ", ".join(dump(row)[:-1] for row in rows) + "]",
    "no {": lambda rows, _: "[" + ", ".join(dump(row)[1:] for row in rows) + "]",
    "no opening quote": lambda rows, rng: without_a_quote(rows, rng, 0),
    "no closing quote": lambda rows, rng: without_a_quote(rows, rng, -1),
    "escaped twice": lambda rows, _: dump(dump(rows))[1:-1],
    "cut off": lambda rows, rng: (text := dump(rows))[: rng.randrange(1, len(text))],
    "cut off in Python": lambda rows, rng: (text := repr(rows))[: rng.randrange(1, len(text))],
    "cut off, quotes not escaped": lambda rows, rng: (text := BREAKS["quotes not escaped"](rows, rng))[
        : rng.randrange(1, len(text))
    ],
}


def item(row: Row) -> Item:
    return Item(*row.values())


def whole(rows: list[Row], kind: str, text: str) -> tuple[Item, ...]:
    """Return the items that an answer has in full."""
    if not kind.startswith("cut off"):
        return tuple(map(item, rows))
    write = {
        "cut off": "clean",
        "cut off in Python": "repr",
        "cut off, quotes not escaped": "quotes not escaped",
    }[kind]
    found = []
    for count in range(1, len(rows) + 1):
        part = repr(rows[:count]) if write == "repr" else BREAKS[write](rows[:count], random.Random(0))
        if len(text) >= len(part) - 1:
            found.append(item(rows[count - 1]))
    return tuple(found)


def rows_of(language: str) -> list[Row]:
    """Return the rows of one edition of Alpaca with text in both parts."""
    if language == "en":
        found = json.loads((DATA / "alpaca" / "alpaca_data.json").read_text(encoding="utf-8"))
    else:
        found = []
        for path in sorted((DATA / "alpaca_zh").glob("*.json")):
            try:
                found += json.loads(path.read_text(encoding="utf-8"))
            except ValueError:  # one file is broken as published
                continue
    kept = ("instruction", "input", "output")
    rows = [
        {key: row[key] for key in kept} for row in found if all(isinstance(row.get(key), str) for key in kept)
    ]
    # What a parser empties on purpose, or rightly rejects, is no measure of repair.
    filled = (row for row in rows if row["instruction"].strip() and row["output"].strip())
    # A few rows have a form feed and `rac` for \\frac: whoever made them decoded what was not escaped.
    sound = (row for row in filled if not any(mark in "".join(row.values()) for mark in "\b\f"))
    return [row for row in sound if given(row["input"]) == row["input"]]


def broken_answers(per_kind: int) -> Iterator[Answer]:
    """Yield `per_kind` answers of each kind, half of them Chinese."""
    for language in ("en", "zh"):
        rows = rows_of(language)
        for kind, spoil in BREAKS.items():
            rng = random.Random(f"{SEED} {language} {kind}")
            for _ in range(per_kind // 2):
                chosen = rng.sample(rows, ITEMS_PER_ANSWER)
                text = spoil(chosen, rng)
                cut = kind.startswith("cut off")
                yield Answer(kind, text, cut, whole(chosen, kind, text))


def malformed_tenth() -> Iterator[Answer]:
    """Yield 1,000 answers: 32 cut off at 72%, 36 fenced, 14 in prose, 13 with a trailing comma."""
    padding = (
        "Explain in clear steps how a practitioner would verify the finding, which evidence would change the "
        "conclusion, and what a careful beginner most often gets wrong when the first result convinces. "
    )
    faults = ["cut"] * 32 + ["fence"] * 36 + ["prose"] * 14 + ["comma"] * 13
    faults += [""] * (1000 - len(faults))
    random.Random(SEED).shuffle(faults)
    for number, fault in enumerate(faults):
        rows = [
            {
                "instruction": f"Task {k} for call {number}: {padding}",
                "input": "" if k else f"context of call {number}",
                "output": f"Answer {k} to call {number}. {padding}",
            }
            for k in range(ITEMS_PER_ANSWER)
        ]
        clean = json.dumps(rows)
        text = {
            "cut": clean[: int(len(clean) * 0.72)],
            "fence": f"```json\n{json.dumps(rows, indent=1)}\n```",
            "prose": f"Sure! Here are the tasks you asked for:\n\n{clean}\n\nLet me know if you need more.",
            "comma": clean.replace("}]", "},]"),
            "": clean,
        }[fault]
        yield Answer("cut off" if fault == "cut" else fault, text, fault == "cut", tuple(map(item, rows)))


@dataclass
class Figures:
    """What one way of reading got out of many answers."""

    expected: int = 0
    exact: int = 0
    wrong: int = 0
    seconds: float = 0.0
    answers: int = 0

    def count(self, answer: Answer, items: list[Item]) -> None:
        """Add one answer: items are compared as a bag, since the order is never in doubt."""
        exact = (Counter(answer.items) & Counter(items)).total()
        self.expected += len(answer.items)
        self.exact += exact
        self.wrong += len(items) - exact
        self.answers += 1

    def row(self) -> dict[str, float]:
        """Return the figures for the report."""
        each = self.seconds / self.answers * 1e6 if self.answers else 0.0
        return {
            "expected": self.expected,
            "exact": self.exact,
            "wrong": self.wrong,
            "us_per_answer": round(each, 1),
        }


def ours(answers: list[Answer]) -> tuple[float, list[list[Item]]]:
    found, began = [], time.process_time()
    for answer in answers:
        parts = parse_items(answer.text, cut_off=answer.cut_off)
        found.append([part for part in parts if isinstance(part, Item)])
    return time.process_time() - began, found


def peer(python: Path, name: str, answers: list[Answer]) -> tuple[float, list[list[Item]]]:
    module, decode = PEERS[name]
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump([answer.text for answer in answers], file)
        file.flush()
        code = _PEER.format(module=module, decode=decode)
        done = subprocess.run([python, "-c", code, file.name], capture_output=True, check=True)
    seconds, values = json.loads(done.stdout)
    return seconds, [list(peer_items(value)) for value in values]


def peer_items(value: Any) -> Iterator[Item]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, list):
            yield from peer_items(each)
        elif isinstance(each, dict):
            yield from (part for part in items_of(each, "") if isinstance(part, Item))


def measure(
    read: Callable[[list[Answer]], tuple[float, list[list[Item]]]], answers: list[Answer], runs: int
) -> dict[str, Figures]:
    """Return figures by kind and for `all`; time is the median over runs of one kind at a time."""
    total: dict[str, Figures] = {"all": Figures()}
    for kind in dict.fromkeys(answer.kind for answer in answers):
        some = [answer for answer in answers if answer.kind == kind]
        times = []
        for _ in range(runs):
            seconds, found = read(some)
            times.append(seconds)
        figures = total.setdefault(kind, Figures())
        for answer, items in zip(some, found, strict=True):
            figures.count(answer, items)
            total["all"].count(answer, items)
        figures.seconds = sorted(times)[len(times) // 2]
        total["all"].seconds += figures.seconds
    return total


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__)
    if not DATA.exists():
        sys.exit(f"{DATA} is missing; this benchmark reads Alpaca from there")
    answers = list(broken_answers(20 if options.quick else 200))
    tenth = list(malformed_tenth())
    runs = 1 if options.quick else 3
    found = {"instil": (measure(ours, answers, runs), measure(ours, tenth, runs))}
    missing = []
    with ExitStack() as stack:
        for name in PEERS:
            python: Path | None = Path(sys.executable)
            if name != "json.loads":
                bin_dir = stack.enter_context(peer_environment(name))
                python = bin_dir / "python" if bin_dir else None
            if python is None:
                missing.append(name)
                continue

            def read(
                some: list[Answer], python: Path = python, name: str = name
            ) -> tuple[float, list[list[Item]]]:
                return peer(python, name, some)

            found[name] = (measure(read, answers, 1), measure(read, tenth, 1))
    if not options.json:
        _print(found)
    figures: dict[str, Any] = {
        name: {
            "all": broken["all"].row(),
            "clean": broken["clean"].row(),
            "malformed_tenth": tenth["all"].row(),
            "kinds": {kind: [each.exact, each.wrong] for kind, each in broken.items()},
        }
        for name, (broken, tenth) in found.items()
    }
    mine = figures.pop("instil")
    ratio = {
        name: round(each["all"]["us_per_answer"] / mine["all"]["us_per_answer"], 2)
        for name, each in figures.items()
    }
    report("parsing", ours=mine, peers=figures, ratio=ratio, not_installed=missing)


def _pair(figures: Figures) -> str:
    return f"{figures.exact} / {figures.wrong}"


def _print(found: dict[str, tuple[dict[str, Figures], dict[str, Figures]]]) -> None:
    print("items back exactly / items back wrong, of those that are whole\n")
    print(f"{'':<32}{'of':>6}" + "".join(f"{name:>19}" for name in found))
    for kind in next(iter(found.values()))[0]:
        of = found["instil"][0][kind].expected
        cells = "".join(f"{_pair(b[kind]):>19}" for b, _ in found.values())
        print(f"{kind:<32}{of:>6}{cells}")
    cells = "".join(f"{_pair(t['all']):>19}" for _, t in found.values())
    print(f"{'one answer in ten malformed':<32}{3000:>6}{cells}")
    for label, kind in (("us an answer, all", "all"), ("us an answer, clean", "clean")):
        cells = "".join(f"{b[kind].row()['us_per_answer']:>19}" for b, _ in found.values())
        print(f"{label:<38}{cells}")


if __name__ == "__main__":
    main()

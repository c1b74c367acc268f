"""parse_items: whole items are kept, nothing is invented, and nothing a teacher writes is an accident."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.stages.generate.parse import Item, Malformed, parse_items

A, B = Item("a", "", "1"), Item("b", "x", "2")
JSON_A = '{"instruction": "a", "input": "", "output": "1"}'
JSON_B = '{"instruction": "b", "input": "x", "output": "2"}'


def parse(text: str, *, cut_off: bool = False) -> list[Item | Malformed]:
    return list(parse_items(text, cut_off=cut_off))


@pytest.mark.parametrize(
    "text",
    [
        f"[{JSON_A}, {JSON_B}]",
        f'{{"items": [{JSON_A}, {JSON_B}], "note": "two"}}',
        f"{JSON_A}\n{JSON_B}\n",
        f"```json\n[{JSON_A},\n{JSON_B}]\n```",
        f"Here you are:\n1. {JSON_A}\n2. {JSON_B}\nI hope [this] helps.",
        f"[{JSON_A} {JSON_B}]",
        f"[{JSON_A}, {JSON_B},]",
        f"[{JSON_A}, {JSON_B}",
    ],
    ids=["list", "object around", "lines", "fence", "prose", "no commas", "trailing comma", "no end"],
)
def test_reads_the_items_out_of_whatever_stands_around_them(text: str) -> None:
    assert parse(text) == [A, B]


def test_white_space_line_breaks_and_other_keys_are_left_as_they_came() -> None:
    text = '{"instruction": " 写\n一行 ", "output": "\\tdef f():\\n    \\"x\\" {\\n", "id": 7}'

    assert parse(text) == [Item(" 写\n一行 ", "", '\tdef f():\n    "x" {\n')]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ('{"output": "1"}', "no text under the key 'instruction'"),
        ('{"instruction": "a"}', "no text under the key 'output'"),
        ('{"instruction": "a", "output": 5}', "no text under the key 'output'"),
        ('{"instruction": "a", "output": null}', "no text under the key 'output'"),
        ('{"instruction": " \\n", "output": "1"}', "empty instruction"),
        ('{"instruction": "a", "output": ""}', "empty output"),
        ('{"instruction": "a", "input": ["x"], "output": "1"}', "no text under the key 'input'"),
    ],
)
def test_what_is_not_a_whole_item_is_named_and_the_rest_is_kept(item: str, reason: str) -> None:
    assert parse(f"[{JSON_A}, {item}, {JSON_B}]") == [A, Malformed(reason, item), B]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty answer"),
        (" \n", "empty answer"),
        ("I cannot help with that.", "no JSON in the answer"),
        ("[]", "no JSON in the answer"),
    ],
)
def test_an_answer_without_items_is_one_part_that_is_none(text: str, reason: str) -> None:
    assert parse(text) == [Malformed(reason, text)]


@pytest.mark.parametrize("absent", ['"input": null, ', ""])
def test_an_item_without_input_has_an_empty_one(absent: str) -> None:
    assert parse(f'{{"instruction": "a", {absent}"output": "1"}}') == [A]


def test_a_cut_at_the_token_limit_is_told_from_a_mistake() -> None:
    torn = '{"instruction": "b", "outp'

    assert parse(f"[{JSON_A}, {torn}", cut_off=True) == [A, Malformed("cut off at max_tokens", torn)]
    assert parse(f"[{JSON_A}, {torn}", cut_off=False) == [A, Malformed("not valid JSON", torn)]
    # Only the last part can have been cut off.
    assert parse(f"{torn} {JSON_A}", cut_off=True) == [Malformed("not valid JSON", torn + " "), A]


def test_the_input_follows_the_instruction_on_a_line_of_its_own() -> None:
    assert B.question == "b\nx"
    assert A.question == "a"
    assert Item("a", " \n", "1").question == "a"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"a": ' * 3000, 0),
        ('{"a": ' * 3000 + JSON_A, 1),
        ('{"a": [' * 600 + JSON_A + "]}" * 600, 0),
        ('{"instruction": ' + "1" * 5000 + ', "output": "1"} ' + JSON_A, 1),
        ('{"instruction": NaN, "output": -Infinity} ' + JSON_A, 1),
        ("{" * 3000, 0),
    ],
    ids=["nested for ever", "nested, then an item", "nested and whole", "digits for ever", "no numbers", "{"],
)
def test_a_model_in_a_loop_is_a_part_that_is_no_item(text: str, kept: int) -> None:
    parts = parse(text)

    assert sum(part == A for part in parts) == kept
    assert any(isinstance(part, Malformed) for part in parts)


@pytest.mark.parametrize("broken", ['{"instruction": "\\ud83d", "output": "1"}', '{"x": "\\udc00"}'])
def test_half_a_surrogate_pair_cannot_be_written_to_a_file_and_is_no_item(broken: str) -> None:
    parts = parse(f"[{broken}, {JSON_A}]")

    assert parts == [Malformed("half a surrogate pair, which is no character", broken), A]
    assert parse('{"instruction": "\\ud83d\\ude00", "output": "1"}') == [Item("😀", "", "1")]


# Text that has everything which makes or breaks an item; no backslash, so strings stand as they are.
_SHARDS = st.sampled_from(
    [*'{}[],: \n"a中1', "null", '"instruction"', '"input"', '"output"', '"items"', '"b"', JSON_A, JSON_B]
    + [f', "{key}": "x"' for key in ("input", "output")]
    + ['{"instruction": "b"']
)


@given(st.lists(_SHARDS, max_size=30).map("".join), st.booleans())
def test_every_word_of_an_item_stands_in_the_answer(text: str, cut_off: bool) -> None:
    parts = parse(text, cut_off=cut_off)

    assert parts  # an answer never vanishes
    for part in parts:
        if isinstance(part, Item):
            assert part.instruction.strip()
            assert part.instruction in text
            assert part.output.strip()
            assert part.output in text
            assert part.input in text


_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda text: bool(text.strip()))
_ITEMS = st.lists(st.builds(Item, _TEXT, st.one_of(st.just(""), _TEXT), _TEXT), min_size=1, max_size=4)


@given(_ITEMS, st.booleans(), st.sampled_from([None, 2]), st.data())
def test_a_list_that_is_cut_anywhere_gives_its_whole_items_and_no_other(
    items: list[Item], ascii_only: bool, indent: int | None, data: st.DataObject
) -> None:
    rows = [{"instruction": i.instruction, "input": i.input, "output": i.output} for i in items]
    text = json.dumps(rows, ensure_ascii=ascii_only, indent=indent)
    # Where each item ends: the text of the list up to it, without the bracket behind it.
    ends = [
        len(json.dumps(rows[: n + 1], ensure_ascii=ascii_only, indent=indent).rstrip("]\n"))
        for n in range(len(rows))
    ]
    cut = data.draw(st.integers(0, len(text)))
    parts = parse(text[:cut], cut_off=True)

    whole = sum(end <= cut for end in ends)
    assert [part for part in parts if isinstance(part, Item)] == items[:whole]

"""parse_items: whole items are kept, nothing is invented, and nothing a teacher writes is an accident."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.stages.generate.parse import Item, Malformed, keys, parse_items

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
        f"First:\n```json\n{JSON_A}\n```\nSecond:\n```\n{JSON_B}\n```",
        f'{{"data": {{"tasks": [{JSON_A}, {JSON_B}]}}, "meta": {{"count": 2}}}}',
        f'{{"booking": [{JSON_A}], "triage": [{JSON_B}]}}',
        f'{{"1": {JSON_A}, "2": {JSON_B}}}',
        f'{{"task": "Write two", "items": [{JSON_A}, {JSON_B}]}}',
        f"[[{JSON_A}], [{JSON_B}]]",
        f"Use {{braces}} and \\frac{{1}}{{2}}: {JSON_A} {{}} {JSON_B}".replace("{} ", ""),
        json.dumps(f"[{JSON_A}, {JSON_B}]"),
        json.dumps(f"[{JSON_A},\n {JSON_B}]")[1:-1],
    ],
    ids=[
        "list",
        "object around",
        "lines",
        "fence",
        "prose",
        "no commas",
        "trailing comma",
        "no end",
        "fences",
        "two around",
        "two lists",
        "numbered",
        "a task around",
        "lists",
        "braces in prose",
        "a JSON string",
        "escaped",
    ],
)
def test_reads_the_items_out_of_whatever_stands_around_them(text: str) -> None:
    assert parse(text) == [A, B]


def test_lists_of_all_instructions_and_all_outputs_are_taken_row_by_row() -> None:
    text = '{"instructions": ["a", "b"], "inputs": ["", "x"], "outputs": ["1", ["2", "3"]]}'

    assert parse(text) == [Item("a", "", "1"), Item("b", "x", "2\n3")]
    assert parse('{"instructions": "a", "outputs": ["1", "2"]}') == [Item("a", "", "1\n2")]


def test_white_space_line_breaks_and_other_keys_are_left_as_they_came() -> None:
    text = '{"instruction": " 写\n一行 ", "output": "\\tdef f():\\n    \\"x\\" {\\n", "id": 7}'

    assert parse(text) == [Item(" 写\n一行 ", "", '\tdef f():\n    "x" {\n')]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ('{"output": "1"}', "no text under the key 'instruction'"),
        ('{"instruction": "a"}', "no text under the key 'output'"),
        ('{"instruction": "a", "output": true}', "no text under the key 'output'"),
        ('{"instruction": "a", "output": {"text": "1"}}', "no text under the key 'output'"),
        ('{"instruction": "a", "output": {"a": 1, "b": 2}}', "no text under the key 'output'"),
        (
            '{"instruction": "a", "output": {"question": "b", "answer": "1"}}',
            "no text under the key 'output'",
        ),
        ('{"instruction": "a", "output": [{"q": "b", "a": "1"}]}', "no text under the key 'output'"),
        ('{"instructions": ["a", "b"], "outputs": ["1"]}', "lists of different lengths"),
        ('{"instruction": "a", "output": ["1", {"b": 2}]}', "no text under the key 'output'"),
        ('{"instruction": "a", "output": []}', "no text under the key 'output'"),
        ('{"instruction": "a", "output": null}', "no text under the key 'output'"),
        ('{"instruction": " \\n", "output": "1"}', "empty instruction"),
        ('{"instruction": "a", "output": ""}', "empty output"),
        ('{"instruction": "a", "input": {"x": 1}, "output": "1"}', "no text under the key 'input'"),
        ('{"instruction": "a", "output": "1", "output": "2"}', "a key twice with different texts"),
        ('{"instruction": "a", "instruction": "b", "output": "1"}', "a key twice with different texts"),
        ('{"question": "a", "answer": "1", "response": "2"}', "two different texts for 'output'"),
        (
            '{"instruction": "a", "question": "q", "input": "x", "output": "1"}',
            "two different texts for 'input'",
        ),
        ('{"messages": [{"role": "user", "content": "a"}]}', "a conversation where an item was asked for"),
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
        ("[]", "an empty list"),
        ("```json\n[ ]\n```\n", "an empty list"),
        ('{"items": []}', "an empty list"),
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
    assert parse(f"[{JSON_A}, {torn}", cut_off=False) == [A, Malformed("breaks off in the middle", torn)]
    # Only the last part can have been cut off.
    assert parse(f"{torn}\n{JSON_A}", cut_off=True) == [Malformed("not valid JSON", torn + "\n"), A]


@pytest.mark.parametrize("cut_off", [True, False])
@pytest.mark.parametrize(
    "torn",
    [
        '{"instruction": "b", "input": "x", "output": "2',
        '{"instruction": "b", "input": "x", "output": "2"',
        '{"instruction": "b", "input": "x", "output": "2", ',
        '{"instruction": "b", "input": "x", "output": 2',
        '{"instruction": "b", "output": ["1", "2"',
        "{'instruction': 'b', 'output': '2",
        '{instruction: "b", output: "2"',
        "{“instruction”：“b”，“output”：“2”",
        '{"instruction": "Say "b" now", "output": "Say "2',
        "{\"instruction\": \"b\", \"output\": \"def f(): return {'instruction': 'c', 'output': '3'}",
        '{"instruction": "b", "output": "[{\\"instruction\\": \\"c\\", \\"output\\": \\"3\\"}',
        '{"instruction": "b", "instances": [{"input": "c", "output": "3"}, {"input": "d", "outp',
        '{"messages": [{"role": "user", "content": "b"}, {"role": "assistant", "content": "2"}',
    ],
)
def test_what_is_cut_off_is_never_completed_nor_looked_into(torn: str, cut_off: bool) -> None:
    reason = "cut off at max_tokens" if cut_off else "breaks off in the middle"

    assert parse(f"[{JSON_A}, {torn}", cut_off=cut_off) == [A, Malformed(reason, torn)]


def test_the_input_follows_the_instruction_on_a_line_of_its_own() -> None:
    assert B.question == "b\nx"
    assert A.question == "a"
    assert Item("a", " \n", "1").question == "a"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"a": ' * 3000, 0),
        ('{"a": ' * 3000 + '{"b": 1}', 0),
        ('{"a": [' * 30 + JSON_A + "]}" * 30, 0),
        ('{"instruction": ' + "1" * 5000 + ', "output": NaN} ' + JSON_A, 1),
        ('{"instruction": NaN, "output": -Infinity} ' + JSON_A, 1),
        ('{"instruction": "' * 400 + "\n" + JSON_A, 1),
        ("{" * 3000, 0),
        ("[" * 3000, 0),
        ('{"' * 3000, 0),
        ('{"a": 1, ' + "// x" * 3000, 0),
        ('{"a": ' + "/* " * 3000, 0),
        ('{"instruction": "' + '", ' * 3000, 0),
    ],
    ids=[
        "nested for ever",
        "nested, then none",
        "nested and whole",
        "digits for ever",
        "no numbers",
        "strings for ever",
        "{",
        "[",
        '{"',
        "comments for ever",
        "half comments",
        "quotes for ever",
    ],
)
def test_a_model_in_a_loop_is_a_part_that_is_no_item(text: str, kept: int) -> None:
    parts = parse(text)

    assert sum(part == A for part in parts) == kept
    assert any(isinstance(part, Malformed) for part in parts)


@pytest.mark.parametrize(
    "broken", ['{"instruction": "\\ud83d", "output": "1"}', '{"instruction": "\\udc00a", "output": "1",}']
)
def test_half_a_surrogate_pair_cannot_be_written_to_a_file_and_is_no_item(broken: str) -> None:
    parts = parse(f"[{broken}, {JSON_A}]")

    assert parts == [Malformed("half a surrogate pair, which is no character", broken), A]
    assert parse('{"instruction": "\\ud83d\\ude00", "output": "1"}') == [Item("😀", "", "1")]
    assert parse('{"instruction": "\\ud83d\\ude00", "output": "1",}') == [Item("😀", "", "1")]


def test_half_a_surrogate_pair_of_the_answer_itself_can_be_written_as_a_part_that_is_none() -> None:
    (part,) = parse('{"instruction": "\ud83d", "output": "1"}')

    assert part == Malformed(
        "half a surrogate pair, which is no character", '{"instruction": "\\ud83d", "output": "1"}'
    )


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


# No backspace and no form feed: before a letter they are taken for LaTeX that nobody escaped.
_CHARACTERS = st.one_of(
    st.characters(codec="utf-8", exclude_characters="\b\f"), st.sampled_from("\"'“”‘’{}[]:,：，\\n\n \t中/#")
)
_TEXT = st.text(_CHARACTERS, min_size=1, max_size=8).filter(lambda text: bool(text.strip()))
# Marks for no input have a test of their own.
_INPUT = st.one_of(st.just(""), _TEXT.filter(lambda text: keys.given(text) == text))
_ITEMS = st.lists(st.builds(Item, _TEXT, _INPUT, _TEXT), min_size=1, max_size=4)


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


MEND = [
    ("single quotes", "[{'instruction': 'a', 'input': '', 'output': '1'}]"),
    ("Python's literals", "[{'instruction': 'a', 'input': None, 'is_classification': False, 'output': '1'}]"),
    ("smart quotes", "[{“instruction”: “a”, “input”: “”, “output”: “1”}]"),
    ("full width", "［｛“instruction”：“a”，“input”：“”，“output”：“1”｝］"),
    ("full-width colons only", '[{"instruction"："a"，"input"："","output"："1"}]'),
    ("smart quotes that close plain ones", '[{"instruction”: "a”, "output”: "1”}]'),
    ("bare keys", '[{instruction: "a", input: "", output: "1"}]'),
    ("comments", '[{"instruction": "a", // what\n "input": "", /* nothing */ "output": "1" # so\n}]'),
    ("double commas", '[{"instruction": "a",, "input": "", "output": "1",,},,]'),
    ("no commas", '[{"instruction": "a"\n"input": ""\n"output": "1"}]'),
    ("no brace at the end", '[{"instruction": "a", "input": "", "output": "1"]'),
    ("no brace before a bracket and prose", 'Here: [{"instruction": "a", "output": "1"]\nBye'),
    ("no brace at the start", '["instruction": "a", "input": "", "output": "1"}]'),
    ("no quote at the end", '[{"instruction": "a, "input": "", "output": "1"}]'),
    ("no quote at the start", '[{"instruction": a", "input": "", "output": 1"}]'),
    ("three quotes", '[{"instruction": """a""", "output": """1"""}]'),
    ("prose on its line", '{"instruction": "a", "output": "1",} Let me know if you need more.'),
]


@pytest.mark.parametrize("text", [text for _, text in MEND], ids=[name for name, _ in MEND])
def test_what_leaves_no_doubt_is_read_as_it_was_meant(text: str) -> None:
    assert parse(text) == [A]


@pytest.mark.parametrize(
    ("output", "meant"),
    [
        ('Say "hi" to "them"', None),
        ("line one\nline two", None),
        ('a 65" screen', None),
        ("他说“好”，然后走了", None),
        ('{"name": "x", "age": 3}', None),
        ("C:\\\\dir", "C:\\dir"),
        ('mixed \\"escaped\\" and "bare"', 'mixed "escaped" and "bare"'),
        ("\\alpha and \\(x\\) and \\frac{1}{2} \\times 3\nend", None),
        ("tab\\there", "tab\there"),
    ],
)
def test_quotes_line_breaks_and_backslashes_that_nobody_escaped_are_content(
    output: str, meant: str | None
) -> None:
    text = f'[{{"instruction": "a", "input": "", "output": "{output}"}}, {JSON_B}]'

    assert parse(text) == [Item("a", "", output if meant is None else meant), B]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        # The quote that is missing could stand in many places.
        ('{"instruction": "a", "output": “Recyclone” is "1"}', "not valid JSON"),
        ('{"instruction": "a", "output": one "two" three"}', "not valid JSON"),
        (
            '{"instruction": "Say "a, "output": "1"}',
            "not valid JSON, and can be read in more than one way",
        ),
        ('{"instruction": "a, "wxyz": "y", "output": "1"}', "not valid JSON"),
        # A key of the item that seems to stand in its text.
        (
            '{"instruction": "a", "output": "{"output": "x"} is JSON"}',
            "not valid JSON, and can be read in more than one way",
        ),
        # A key that nobody expects behind a quote that nobody escaped.
        (
            '{"instruction": "Use "x" here", "wxyz": "y", "output": "1"}',
            "not valid JSON, and can be read in more than one way",
        ),
        (
            '{"instruction": "a" + "b", "output": "1"}',
            "not valid JSON, and can be read in more than one way",
        ),
        ('{"instruction": "a", "output": 1 or 2}', "not valid JSON"),
        (
            '{"instruction": "a"\n "and b", "output": "1"}',
            "not valid JSON, and can be read in more than one way",
        ),
    ],
)
def test_what_could_be_read_in_two_ways_is_rejected_and_the_rest_is_kept(broken: str, reason: str) -> None:
    parts = parse(f"[{JSON_A}, {broken}, {JSON_B}]")

    assert [part.reason for part in parts if isinstance(part, Malformed)] == [reason]
    assert [part for part in parts if isinstance(part, Item)] == [A, B]


def test_what_is_quoted_inside_a_broken_item_is_no_item() -> None:
    quoted = '{"instruction": "c", "output": "3"}'
    broken = f'{{"instruction": one "two" three", "output": "For example:\n{quoted}"}}'

    assert parse(f"[{broken},\n{JSON_A}]") == [Malformed("not valid JSON", f"{broken},\n"), A]


def test_items_without_brackets_between_them_are_told_by_their_keys() -> None:
    merged = (
        '[{"instruction": "a", "input": "", "output": "1", "instruction": "b", "input": "x", "output": "2"}]'
    )

    assert parse(merged) == [A, B]
    assert parse(merged.replace("}]", ",}]")) == [A, B]
    assert parse('[{"instruction": "a", "output": "1", "instruction": "a", "output": "1"}]') == [A]
    assert parse(f"[{JSON_A[:-1]}, {JSON_B}]") == [A, B]
    assert parse(f"[{JSON_A}, {JSON_B[1:]}]") == [A, B]
    assert parse(
        '{"instruction1": "a", "output1": "1", "instruction2": "b", "input2": "x", "output2": "2"}'
    ) == [A, B]


@pytest.mark.parametrize(
    ("instruction", "given", "output"),
    [
        ("Question", "Context", "Answer"),
        ("question", "input_text", "response"),
        ("query", "context", "response"),
        ("prompt", "context", "completion"),
        ("user", "context", "assistant"),
        ("指令", "输入", "输出"),
        ("问题", "背景", "回答"),
        ("任务", "上下文", "答案"),
        ("指 令", "输入内容", "输出结果"),
        ("ＩＮＳＴＲＵＣＴＩＯＮ", "INPUT", "Output "),
        ("**Instruction**", "Input_Text", "Expected Output"),
        ("instruction_1", "input_1", "output_1"),
        ("質問", "入力", "回答"),
    ],
)
def test_keys_under_their_other_names_are_the_same_keys(instruction: str, given: str, output: str) -> None:
    assert parse(json.dumps({instruction: "b", given: "x", output: "2"}, ensure_ascii=False)) == [B]


def test_beside_an_instruction_a_question_is_its_input_and_a_task_is_a_label() -> None:
    assert parse('{"instruction": "Answer.", "question": "Why?", "answer": "1"}') == [
        Item("Answer.", "Why?", "1")
    ]
    assert parse('{"task": "triage", "question": "Why?", "answer": "1"}') == [Item("Why?", "", "1")]
    assert parse('{"output": "1", "reasoning": "r", "result": "short", "instruction": "a"}') == [A]


def test_each_instance_is_an_item_with_the_instruction_around_it() -> None:
    text = (
        '{"instruction": "Add.", "instances": [{"input": "1+1", "output": "2"}, {"input": "", "output": ""}]}'
    )

    assert parse(text) == [
        Item("Add.", "1+1", "2"),
        Malformed("empty output", '{"input": "", "output": ""}'),
    ]


def test_lists_of_strings_are_lines_and_numbers_stay_as_they_were_written() -> None:
    text = '{"instruction": ["Sort", "these"], "input": [3, 1.10, 2e5], "output": ["one", "two"]}'

    assert parse(text) == [Item("Sort\nthese", "3\n1.10\n2e5", "one\ntwo")]
    assert parse('{"instruction": "a", "output": 1}') == [A]
    assert parse(f'{{"instruction": "a", "output": {"7" * 6000}}}') == [Item("a", "", "7" * 6000)]


@pytest.mark.parametrize("given", ["<noinput>", "No input", "无", "<无输入>", "N/A", "无需输入。"])
def test_a_mark_for_no_input_is_no_input(given: str) -> None:
    assert parse(json.dumps({"instruction": "a", "input": given, "output": "1"})) == [A]
    assert parse('{"instruction": "Which element?", "input": "Na", "output": "1"}')[0] == Item(
        "Which element?", "Na", "1"
    )


def test_latex_that_is_valid_json_by_accident_is_not_decoded_to_form_feeds() -> None:
    text = r'[{"instruction": "$\frac{a}{b} \neq \beta$\nand\tmore", "output": "1"}]'

    assert parse(text) == [Item("$\\frac{a}{b} \\neq \\beta$\nand\tmore", "", "1")]


# Every mark that makes, ends or breaks JSON, and pieces of items.
_NOISE = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *"{}[]｛｝［］,，:：;\"'“”‘’`\\/#*-+.0123456789 \n\t",
                "null",
                "None",
                "True",
                "```json",
                "//",
                "/*",
            ]
        ),
        st.sampled_from(
            ["instruction", "output", '"output": "', "'input': '", "messages", "\\u", "\\ud83d", "\ud83d"]
        ),
        st.sampled_from([JSON_A, JSON_B, '{"instances": [', '{"items": [', "中文", "###", "1. Instruction:"]),
        st.text(max_size=3),
    ),
    max_size=40,
).map("".join)


@given(_NOISE, st.booleans())
def test_no_text_is_an_accident_and_every_part_can_be_written(text: str, cut_off: bool) -> None:
    parts = parse(text, cut_off=cut_off)

    assert parts
    for part in parts:
        (part.question + part.output if isinstance(part, Item) else part.reason + part.text).encode()


# Words and what stands between them in a sentence.
_SENTENCE = st.from_regex(
    r"[A-Za-z0-9中文ü“](?:[ A-Za-z0-9中文ü，。.?!'-]{0,12}[A-Za-z0-9中文ü.?!。])?", fullmatch=True
)
_SENTENCES = st.lists(
    st.builds(Item, _SENTENCE, st.one_of(st.just(""), _SENTENCE), _SENTENCE), min_size=1, max_size=3
)


@given(_SENTENCES, st.data())
def test_a_mark_lost_or_doubled_between_texts_gives_no_item_that_was_not_there(
    items: list[Item], data: st.DataObject
) -> None:
    marks = ["["]
    for number, item in enumerate(items):
        marks += [", "] * (number > 0) + ["{"]
        parts = {"instruction": item.instruction, "input": item.input, "output": item.output}
        for name, text in parts.items():
            marks += [", "] * (name != "instruction") + ['"', name, '"', ": ", '"', text, '"']
        marks += ["}"]
    marks += ["]"]
    chosen = data.draw(st.sampled_from([i for i, mark in enumerate(marks) if mark.strip() in [*'{}[],:"']]))
    marks[chosen] *= data.draw(st.sampled_from([0, 2]))
    found = [part for part in parse("".join(marks)) if isinstance(part, Item)]

    assert all(item in items for item in found)
    # The others are not lost with the one that is broken; at its edge it may spoil its neighbour.
    assert len(found) >= len(items) - 2

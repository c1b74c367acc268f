"""Runs of words that an evaluation set has too, and whole texts that are shorter than a run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.data.examples import Example, Origin, Rejection
from instil.data.messages import Message
from instil.errors import RecipeError
from instil.filters.contamination import Contamination, ContaminationConfig, Match
from instil.filters.evaluation_sets import EvaluationItem, evaluation_item, read_evaluation_set
from instil.shingles import Texts

DATA = Path(__file__).parents[3] / "shared" / "data"


def example(question: str, answer: str = "fine") -> Example:
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Example(messages=turns, origin=Origin(kind="corpus", name="test"))


def check(path: Path, content: str | bytes, *examples: Example, ngram: int = 4) -> list[Rejection | None]:
    """Return what the filter says to each example, against a file of this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = ContaminationConfig(kind="contamination", against=(path,), ngram=ngram).build()
    return [found.check(each) for each in examples]


def test_a_run_as_long_as_asked_for_is_rejected_and_a_shorter_one_is_not(tmp_path: Path) -> None:
    rows = '{"id": 1}\n\n{"question": "Can a cold cause fever in adults?"}\n'
    hit, miss = check(
        tmp_path / "eval.jsonl",
        rows,
        example("why does a COLD, cause -- fever"),
        example("does a cold cause pain, fever in adults"),
    )
    assert hit == Rejection(
        filter="contamination",
        reason="a run of words as in an evaluation set",
        example=example("why does a COLD, cause -- fever"),
        nearest="eval.jsonl:3",
    )
    assert miss is None


@pytest.mark.parametrize(
    "row",
    [
        '{"messages": [{"role": "user", "content": "one two three four"}]}',
        '{"choices": {"A": ["x", "one two three four five"]}}',
        '["one two three four"]',
        '"zero one two three four"',
    ],
)
def test_every_text_of_an_evaluation_row_counts_and_every_message(tmp_path: Path, row: str) -> None:
    question, answer, neither = check(
        tmp_path / "eval.jsonl",
        row + "\n",
        example("one two three four"),
        example("why", "so: one two three four"),
        example("one two", "three four"),
    )
    assert question
    assert answer
    assert neither is None


def test_chinese_runs_are_counted_in_characters_two_for_a_word(tmp_path: Path) -> None:
    hit, miss = check(
        tmp_path / "eval.jsonl",
        '{"q": "感冒以后发烧怎么办"}\n',
        example("孩子感冒以后，发烧怎么"),
        example("冒以后发烧怎么了"),
    )
    assert hit
    assert miss is None


@pytest.mark.parametrize(
    "data", [b'"x"\n"one two three four"', b'\xef\xbb\xbf"one two three four"\r\n"x"\r\n']
)
def test_a_file_from_an_editor_counts_whole(tmp_path: Path, data: bytes) -> None:
    (hit,) = check(tmp_path / "eval.jsonl", data, example("one two three four"))
    assert hit


def test_several_files_count_and_the_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('"one two three"\n')
    (tmp_path / "b.jsonl").write_text('"x"\n"four five six"\n')
    config = ContaminationConfig(
        kind="contamination", against=(tmp_path / "a.jsonl", tmp_path / "b.jsonl"), ngram=3
    )
    found = config.build()
    nearest = [found.check(example(text)) for text in ("one two three", "four five six", "three four five")]
    assert [each and each.nearest for each in nearest] == ["a.jsonl:1", "b.jsonl:2", None]


def test_what_was_accepted_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('"one two three"\n')
    found = ContaminationConfig(kind="contamination", against=(tmp_path / "a.jsonl",), ngram=3).build()
    found.accept(example("four five six"))
    assert found.check(example("four five six")) is None


def test_an_evaluation_file_that_is_not_json_lines_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"eval\.jsonl:2: not JSON: "):
        check(tmp_path / "eval.jsonl", '{"q": "a"}\nprose\n')


def contamination(*records: Any, ngram: int = 13, answers: bool = True) -> Contamination:
    """Records that are evaluation items, each called by its number."""
    items = (evaluation_item(str(number), record) for number, record in enumerate(records))
    return Contamination(items, ngram, answers=answers)


def find(found: Contamination, *rows: str | list[str]) -> list[Match | None]:
    return found.find(Texts.of([row] if isinstance(row, str) else row for row in rows))


def matched(place: str, rule: Any, text: str) -> Match:
    return Match(place, tuple(text.split()), rule)


def test_a_batch_says_of_each_row_which_words_of_which_item_it_has() -> None:
    found = contamination("one two three four five", "six seven eight nine", ngram=4, answers=False)
    rows: tuple[str | list[str], ...] = (
        ["so", "well, TWO three four-five!"],
        "nothing of it",
        [],
        "a six seven eight nine",
    )
    run = matched("0", "run", "two three four five")
    assert find(found, *rows) == [run, None, None, matched("1", "run", "six seven eight nine")]
    assert find(pickle.loads(pickle.dumps(found)), *rows) == find(found, *rows)


def test_a_short_text_of_eight_words_counts_anywhere_and_one_of_seven_does_not() -> None:
    answer = "Give the child water, and call a doctor"
    item = {"question": "?", "answer": answer, "wrong": "Wait and see if it goes away"}
    rows = (f"My advice: {answer.upper()} soon.", "wait and see if it goes away", answer[:-7])
    assert find(contamination(item), *rows) == [
        matched("0", "text", "give the child water and call a doctor"),
        None,
        None,
    ]
    assert find(contamination(item, answers=False), *rows) == [None, None, None]


def test_a_short_question_counts_where_it_is_a_whole_message() -> None:
    found = contamination(
        {"question": "Drug of choice for anaphylaxis:", "exp": "Adrenaline works best here"}
    )
    question = matched("0", "question", "drug of choice for anaphylaxis")
    rows = (
        ["DRUG of choice for anaphylaxis?", "Adrenaline."],
        "Which is the drug of choice for anaphylaxis?",
        "Adrenaline works best here",
    )
    assert find(found, *rows) == [question, None, None]


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Mode is:", False),
        ("Base pairs in DNA", True),
        ("医生您好", False),
        ("感冒发烧怎么", False),
        ("高血压吃什么药好", True),
        ("CT检查怎么做", False),
        ("yes", False),
        ("", False),
    ],
)
def test_a_greeting_is_no_question_two_characters_are_a_word(question: str, asked: bool) -> None:
    assert bool(find(contamination({"question": question}), question)[0]) == asked


def test_short_chinese_texts_do_not_count_anywhere() -> None:
    found = contamination({"question": "高血压患者可以喝茶吗", "answer": "以上说法都不正确的是它"})
    assert find(found, "高血压患者可以喝茶吗？") == [Match("0", tuple("高血压患者可以喝茶吗"), "question")]
    assert find(found, "我想问高血压患者可以喝茶吗", "答案：以上说法都不正确的是它") == [None, None]


def test_a_run_is_what_is_said_of_a_row_that_has_a_short_text_too() -> None:
    found = contamination("one two three four five six seven eight", "a b c d e f g h i j k l m")
    row = "one two three four five six seven eight a b c d e f g h i j k l m"
    assert find(found, row) == [matched("1", "run", "a b c d e f g h i j k l m")]


def test_of_short_texts_that_begin_alike_the_one_that_is_there_is_found() -> None:
    begin = "one two three four five six seven eight"
    found = contamination(f"{begin} nine ten", f"{begin} nine eleven", ngram=13)
    assert find(found, f"and {begin} nine eleven too", f"{begin} nine") == [
        matched("1", "text", f"{begin} nine eleven"),
        None,
    ]


def test_a_short_question_with_its_choices_is_found_however_they_are_marked() -> None:
    choices = ["GABA", "Glutamate", "Glycine", "Dopamine", "Serotonin"]
    records = [
        {"question": "Main inhibitor?", "options": dict(zip("ABCDE", choices, strict=True))},
        {"question": "Main inhibitor?", "choices": choices},
        {"question": "Main inhibitor?", "choices": {"text": choices, "label": list("ABCDE")}},
        {"question": "Main inhibitor?", **{f"op{x}": y for x, y in zip("abcde", choices, strict=True)}},
    ]
    rows = (
        "Q: Main inhibitor?\nA. GABA\nB. Glutamate\nC. Glycine\nD. Dopamine\nE. Serotonin",
        "Main inhibitor? (a) gaba (b) glutamate (c) glycine (d) dopamine (e) serotonin Answer:",
        "Main inhibitor? GABA, Glutamate, Glycine, Dopamine or Serotonin",
    )
    for record in records:
        found = find(contamination(record, ngram=12, answers=False), *rows)
        assert [each and each.rule for each in found] == ["run", "run", None]


def test_what_more_than_ten_items_have_in_common_is_no_items_own() -> None:
    prompt = "You are a doctor please answer the question of a patient below in detail"
    records = [f"{prompt}: what about symptom number {each} in a child of five" for each in range(11)]
    own = "symptom number 3 in a child of five"
    found = contamination(*records, ngram=8)
    assert find(found, f"{prompt} and kindly", own) == [None, matched("3", "run", own)]
    few = find(contamination(*records[:10], ngram=8), prompt)
    assert few == [matched("0", "run", "you are a doctor please answer the question")]


def test_items_that_nothing_could_find_are_named() -> None:
    records = (
        {"question": "Mode is:", "answer": "most frequent"},
        {"question": "Base pairs in DNA"},
        "six words are not so many",
        "one two three four five six seven eight nine ten eleven twelve thirteen",
    )
    assert contamination(*records).unseen == ("0", "2")
    assert contamination(*records, answers=False).unseen == ("0", "1", "2")


_words = st.lists(st.sampled_from(["a", "b", "头"]), max_size=12).map(" ".join)
_records = st.lists(st.fixed_dictionaries({"question": _words, "answer": _words}), max_size=4)


@given(records=_records, ngram=st.integers(2, 13), answers=st.booleans())
def test_an_item_is_found_in_its_own_texts_unless_it_is_named_as_unseen(
    records: list[dict[str, str]], ngram: int, answers: bool
) -> None:
    found = contamination(*records, ngram=ngram, answers=answers)
    own = find(found, *([each["question"], each["answer"]] for each in records))
    assert [str(number) for number, match in enumerate(own) if match is None] == list(found.unseen)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('["first one", {"a": "second"}]', ["x:record 1", "x:record 2"]),
        ('\ufeff[\n  {"a": 1},\n  {"a": 2}\n]\n', ["x:record 1", "x:record 2"]),
        ('{\n "123": {"QUESTION": "?"},\n "456": {"QUESTION": "!"}\n}', ["x:123", "x:456"]),
        ('{"q": "one"}\n{"q": "two"}', ["x:1", "x:2"]),
        ('["one"]\n\n["two"]\n', ["x:1", "x:3"]),
        ('{"q": {"text": "one"}}', ["x:1"]),
        ('{\n "q": "one"\n}', ["x:1"]),
        ("", []),
        ("\n \n", []),
        ("[]", []),
    ],
)
def test_a_set_is_json_lines_or_a_list_or_an_object_of_records(
    tmp_path: Path, text: str, places: list[str]
) -> None:
    path = tmp_path / "x"
    path.write_text(text, encoding="utf-8")
    assert [item.place for item in read_evaluation_set(path)] == places


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"q": "a"}\nprose\n', r"x:2: not JSON: unexpected character"),
        ('[\n  {"a": 1},\n  {"a" 2}\n]\n', r"x:3: not JSON: "),
        ('{\n  "1": {"a": 1},\n', r"x:3: not JSON: "),
        ("prose", r"x:1: not JSON: "),
    ],
)
def test_what_is_not_json_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(RecipeError, match=message) as error:
        list(read_evaluation_set(tmp_path / "x"))
    assert error.value.hint == (
        "an evaluation set is one JSON value a line, a JSON list, or a JSON object of records"
    )


@pytest.mark.parametrize(
    ("record", "question"),
    [
        ({"question": "q?", "answer": "a"}, "q?"),
        ({"QUESTION": "q?", "CONTEXTS": ["c"], "LONG_ANSWER": "a"}, "q?"),
        ({"instruction": "do", "input": "this", "output": "done"}, "do\nthis"),
        ({"instruction": "do", "instances": [{"input": "this", "output": "done"}]}, "do\nthis"),
        ({"instruction": "do", "instances": []}, "do"),
        ({"prompt": "q?", "input": "no part of it"}, "q?"),
        ({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q?"}]}, "q?"),
        ({"conversations": [{"from": "human", "value": "q?"}, {"from": "gpt", "value": "a"}]}, "q?"),
        ({"question_id": 1, "turns": ["q?", "and then?"]}, "q?"),
        ({"question": "", "query": "q?"}, "q?"),
        ({"question": ["q?"]}, None),
        ({"messages": [{"role": "assistant", "content": "a"}]}, None),
        ({"messages": [{"role": "user", "content": None}, "q?"]}, None),
        ({"text": "q?"}, None),
        ("q?", None),
    ],
)
def test_the_question_of_the_usual_forms_is_known(record: Any, question: str | None) -> None:
    assert evaluation_item("x", record).question == question


def test_every_text_of_a_record_is_kept_and_numbers_are_none() -> None:
    record = {"q": "one", "more": ["two", {"x": "three", "n": 4}, None], "ok": True}
    assert evaluation_item("x", record) == EvaluationItem("x", ("one", "two", "three"), None)


def test_the_filter_says_by_which_rule_it_rejects(tmp_path: Path) -> None:
    path = tmp_path / "eval.json"
    path.write_bytes(
        orjson.dumps(
            [
                {"question": "Drug of choice for anaphylaxis"},
                {"answer": "give the child some water and call a doctor"},
            ]
        )
    )
    found = ContaminationConfig(kind="contamination", against=(path,), answers=True).build()
    rejections = [
        found.check(example("Drug of choice for anaphylaxis?")),
        found.check(example("And now?", "Give the child some water and call a doctor!")),
        found.check(example("And now?", "Call a doctor")),
    ]
    assert [each and (each.reason, each.nearest) for each in rejections] == [
        ("a question of an evaluation set", "eval.json:record 1"),
        ("a whole text as in an evaluation set", "eval.json:record 2"),
        None,
    ]


@pytest.mark.parametrize(
    ("name", "items", "unseen", "unseen_with_answers"),
    [
        ("gsm8k/test.jsonl", 1319, 0, 0),
        ("medqa_usmle/medqa_us_4options_test.jsonl", 1273, 0, 0),
        ("medmcqa/medmcqa_dev.json", 4183, 15, 0),
        ("pubmedqa/ori_pqal.json", 1000, 0, 0),
        ("mt_bench/mt_bench_question.jsonl", 80, 0, 0),
        ("ifeval/input_data.jsonl", 541, 2, 0),
    ],
)
def test_published_sets_are_read_and_hardly_an_item_is_unseen(
    name: str, items: int, unseen: int, unseen_with_answers: int
) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here")
    found = list(read_evaluation_set(DATA / name))
    assert len(found) == items
    assert all(item.question for item in found)
    assert len(Contamination(found).unseen) == unseen
    assert len(Contamination(found, answers=True).unseen) == unseen_with_answers

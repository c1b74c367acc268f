"""A labelled table as the recipe describes it: which records become which tasks, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from instil.corpora.base import BadRecord, Row, Task
from instil.corpora.tasks import (
    Classification,
    Extraction,
    Matching,
    MultipleChoice,
    ReadingComprehension,
    Summarization,
    TaskConfig,
    Translation,
)
from instil.corpora.tasks.config import TaskConfigBase

READ: TypeAdapter[TaskConfigBase] = TypeAdapter(TaskConfig)


def config_of(**config: Any) -> TaskConfigBase:
    return READ.validate_python(config)


def task(record: dict[str, Any], **config: Any) -> Task:
    (found,) = config_of(**config).reader()(record)
    return found


def row(record: dict[str, Any], seed: int = 0, **config: Any) -> Row:
    return task(record, **config).row(seed)


def refused(record: dict[str, Any], **config: Any) -> str:
    with pytest.raises(BadRecord) as caught:
        row(record, **config)
    return str(caught.value)


STARS: dict[str, Any] = {
    "kind": "classification",
    "text": "review",
    "label": "stars",
    "labels": {"1": "bad", "5": "good"},
}
NLI: dict[str, Any] = {"kind": "matching", "first": "premise", "second": "hypothesis", "label": "gold"}
EXAM: dict[str, Any] = {
    "kind": "multiple_choice",
    "question": "q",
    "choices": ["a", "b", "c"],
    "answer": "right",
}


@pytest.mark.parametrize("stars", [5, "5", 5.0, " 5 "])
def test_a_label_is_known_however_the_table_writes_it(stars: Any) -> None:
    assert task({"review": "Nice.", "stars": stars}, **STARS) == Classification(
        "Nice.", "good", ("bad", "good"), "5"
    )


def test_labels_may_be_a_list_of_what_is_written() -> None:
    config = {**STARS, "labels": ["bad", "good"], "aspect": "mood"}
    expected = Classification("Nice.", "good", ("bad", "good"), "good", "mood")
    assert task({"review": "Nice.", "stars": "good"}, **config) == expected


def test_true_and_false_are_labels() -> None:
    config = {**STARS, "labels": {"true": "yes", "false": "no"}}
    assert task({"review": "Nice.", "stars": True}, **config) == Classification(
        "Nice.", "yes", ("yes", "no"), "true"
    )


def test_several_labels_may_be_said_alike() -> None:
    config = {**STARS, "labels": {"1": "bad", "2": "bad", "5": "good"}}
    assert task({"review": "Hm.", "stars": 2}, **config) == Classification("Hm.", "bad", ("bad", "good"), "2")


def test_without_a_map_labels_are_said_as_they_are_written_and_not_listed() -> None:
    config = {name: value for name, value in STARS.items() if name != "labels"}
    assert task({"review": "Nice.", "stars": "great"}, **config) == Classification(
        "Nice.", "great", (), "great"
    )


def test_several_texts_are_put_together_by_a_template() -> None:
    config = {**STARS, "text": "{{ title }}\n{{ review }}"}
    found = task({"title": "Hotel", "review": "Nice.", "stars": 5}, **config)
    assert isinstance(found, Classification)
    assert found.text == "Hotel\nNice."


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"review": "Nice.", "stars": 3}, "the label '3' of 'stars' is not one of 1, 5"),
        ({"review": "Nice."}, "'stars' is missing"),
        ({"review": "Nice.", "stars": None}, "'stars' is missing"),
        ({"review": "Nice.", "stars": ""}, "'stars' is empty"),
        ({"review": "Nice.", "stars": [5]}, "'stars' is a list, not a label"),
        ({"stars": 5}, "'review' is missing"),
        ({"review": " \n", "stars": 5}, "'review' is empty"),
        ({"review": ["Nice."], "stars": 5}, "'review' is not text"),
    ],
)
def test_a_record_that_is_not_what_the_recipe_says_is_refused_by_name(
    record: dict[str, Any], reason: str
) -> None:
    assert refused(record, **STARS) == reason


def test_of_many_labels_the_first_twelve_are_named() -> None:
    config = {**STARS, "labels": [str(number) for number in range(15)]}
    assert refused({"review": "Nice.", "stars": 20}, **config).endswith(
        "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …"
    )


def test_two_texts_are_matched() -> None:
    config = {**NLI, "labels": {"0": "entailment", "2": "contradiction"}, "relation": "entailment"}
    found = task({"premise": "a", "hypothesis": "b", "gold": 2}, **config)
    assert found == Matching("a", "b", "contradiction", ("entailment", "contradiction"), "entailment", "2")
    assert refused({"premise": "a", "hypothesis": "b", "gold": -1}, **config).startswith("the label '-1'")


@pytest.mark.parametrize("right", ["B", "b", "two"])
def test_the_right_choice_is_known_by_its_letter_or_its_text(right: str) -> None:
    record = {"q": "Which?", "a": "one", "b": "two", "c": "three", "right": right}
    assert task(record, **EXAM) == MultipleChoice("Which?", ("one", "two", "three"), 1)


@pytest.mark.parametrize(
    ("said", "right"),
    [("number_from_0", 1), ("number_from_1", 2), ("number_from_1", "2"), ("number_from_0", 1.0)],
)
def test_the_right_choice_is_known_by_its_number_if_the_recipe_says_what_it_counts(
    said: str, right: Any
) -> None:
    record = {"q": "Which?", "a": "one", "b": "two", "c": "three", "right": right}
    assert task(record, **EXAM, answer_as=said) == MultipleChoice("Which?", ("one", "two", "three"), 1)


@pytest.mark.parametrize(
    ("choices", "letters", "texts"),
    [
        (["one", "two"], None, ("one", "two")),
        ({"A": "one", "B": "two"}, ("A", "B"), ("one", "two")),
        ({"text": ["one", "two"], "label": ["1", "2"]}, ("1", "2"), ("one", "two")),
        ([1, 2.5], None, ("1", "2.5")),
    ],
)
def test_choices_may_stand_in_one_column(choices: Any, letters: Any, texts: tuple[str, ...]) -> None:
    config = {**EXAM, "choices": ["options"], "answer_as": "text"}
    found = task({"q": "Which?", "options": choices, "right": texts[1]}, **config)
    assert found == MultipleChoice("Which?", texts, 1, None, letters)


def test_a_question_may_have_fewer_choices_than_the_table_has_columns() -> None:
    record = {"q": "Which?", "a": "one", "b": "two", "c": "", "right": "A"}
    assert task(record, **EXAM) == MultipleChoice("Which?", ("one", "two"), 0)
    del record["c"]
    assert task(record, **EXAM) == MultipleChoice("Which?", ("one", "two"), 0)


def test_an_explanation_is_kept_where_there_is_one() -> None:
    record: dict[str, Any] = {"q": "Which?", "a": "one", "b": "two", "right": "A", "why": "Because."}
    assert task(record, **EXAM, explanation="why") == MultipleChoice("Which?", ("one", "two"), 0, "Because.")
    record["why"] = None
    assert task(record, **EXAM, explanation="why") == MultipleChoice("Which?", ("one", "two"), 0)


@pytest.mark.parametrize(
    ("change", "config", "reason"),
    [
        ({"right": 2}, {}, "the answer is the number 2; say in answer_as what it counts"),
        ({"right": "2"}, {}, "the answer is the number 2; say in answer_as what it counts"),
        ({"right": "D"}, {}, "the answer 'D' is none of the choices"),
        ({"right": "A", "b": "A"}, {}, "the answer 'A' could be two of the choices"),
        ({"right": "one", "b": "one"}, {}, "the answer 'one' could be two of the choices"),
        ({"right": "B"}, {"answer_as": "text"}, "the answer 'B' is none of the choices"),
        ({"right": "two"}, {"answer_as": "letter"}, "the answer 'two' is none of the choices"),
        ({"right": 0}, {"answer_as": "number_from_1"}, "the answer 0 is not a number from 1 to 3"),
        ({"right": 3}, {"answer_as": "number_from_0"}, "the answer 3 is not a number from 0 to 2"),
        ({"right": True}, {"answer_as": "number_from_0"}, "the answer True is not a number from 0 to 2"),
        ({"right": None}, {}, "'right' is missing"),
        ({"b": " "}, {}, "a choice of 'a, b, c' is empty"),
        ({"b": None, "c": None}, {}, "'a, b, c' holds 1 choices, not two to 26"),
        ({"a": "one,two"}, {"choices": ["a"]}, "'a' is not a list of choices"),
        ({"a": ["x", {}]}, {"choices": ["a"]}, "a choice of 'a' is not text"),
        ({"a": list("x" * 27)}, {"choices": ["a"]}, "'a' holds 27 choices, not two to 26"),
    ],
)
def test_a_choice_that_cannot_be_told_is_refused(
    change: dict[str, Any], config: dict[str, Any], reason: str
) -> None:
    record = {"q": "Which?", "a": "one", "b": "two", "c": "three", "right": "A", **change}
    assert refused(record, **{**EXAM, **config}).startswith(reason)


READING: dict[str, Any] = {
    "kind": "reading_comprehension",
    "passage": "contexts",
    "question": "q",
    "answer": "a",
}


def test_a_passage_may_be_a_list_of_texts_and_an_answer_stand_in_a_list() -> None:
    record = {"contexts": ["One.", "Two."], "q": "How many?", "answers": {"text": ["two", "2"]}}
    assert task(record, **{**READING, "answer": "answers.text.0"}) == ReadingComprehension(
        "One.\nTwo.", "How many?", "two"
    )


def test_answers_to_choose_from_are_said_as_the_recipe_says() -> None:
    record = {"contexts": "One.", "q": "Is it?", "a": 1, "long": "It is."}
    config = {**READING, "choices": {"0": "no", "1": "yes"}, "explanation": "long"}
    assert task(record, **config) == ReadingComprehension(
        "One.", "Is it?", "yes", ("no", "yes"), "It is.", "1"
    )
    assert refused({**record, "a": 2}, **config) == "the label '2' of 'a' is not one of 0, 1"
    assert refused({**record, "contexts": []}, **config) == "'contexts' is empty"
    assert refused({**record, "contexts": [{}]}, **config) == "a text of 'contexts' is not text"


def test_texts_are_summarised_and_translated() -> None:
    assert task({"t": "Long.", "s": "Short."}, kind="summarization", text="t", summary="s") == Summarization(
        "Long.", "Short."
    )
    config = {"kind": "translation", "source": "translation.en", "target": "translation.zh"}
    languages = {"source_language": "en", "target_language": "zh"}
    assert task({"translation": {"en": "Hi", "zh": "嗨"}}, **config, **languages) == Translation(
        "Hi", "嗨", "en", "zh"
    )


NER: dict[str, Any] = {"kind": "extraction", "text": "t", "spans": "e"}
FOUND = (("aspirin", "drug"), ("fever", "sign"))


@pytest.mark.parametrize(
    "spans",
    [
        [{"text": "aspirin", "type": "drug"}, {"entity": "fever", "label": "sign"}],
        [{"start": 0, "end": 7, "label": "drug"}, {"start_idx": 14, "end_idx": 19, "type": "sign"}],
        [[0, 7, "drug"], [14, 19, "sign"]],
        [["aspirin", "drug"], ["fever", "sign"], ["fever", "sign"]],
        {"drug": ["aspirin"], "sign": {"fever": [[14, 19]]}},
        # Where the words and the place are given, the words count: ends are counted in two ways.
        [{"entity": "aspirin", "type": "drug", "start_idx": 0, "end_idx": 6}, ["fever", "sign"]],
    ],
)
def test_spans_are_read_in_each_shape(spans: Any) -> None:
    found = task({"t": "aspirin helps fever", "e": spans}, **NER)
    assert found == Extraction("aspirin helps fever", FOUND)


def test_a_text_may_have_no_spans() -> None:
    assert task({"t": "Well.", "e": []}, **NER) == Extraction("Well.", ())


@pytest.mark.parametrize(
    ("spans", "reason"),
    [
        ("aspirin", "the spans are a str, not a list or a mapping"),
        (None, "'e' is missing"),
        ([3], "a span is not [start, end, type], [words, type] or a mapping"),
        ([{"text": "aspirin"}], "a span has no type or label"),
        ([{"type": "drug"}], "a span has neither its words nor its start and end"),
        ([[0, 99, "drug"]], "a span from 0 to 99 is not in a text of 19 characters"),
        ([[3, 3, "drug"]], "a span from 3 to 3 is not in a text of 19 characters"),
        ([["ibuprofen", "drug"]], "the span 'ibuprofen' is not in the text"),
        ({"drug": "aspirin"}, "the spans of a type are not a list of words"),
        ({"drug": [3]}, "the spans of a type are not a list of words"),
    ],
)
def test_spans_that_cannot_be_told_are_refused(spans: Any, reason: str) -> None:
    assert refused({"t": "aspirin helps fever", "e": spans}, **NER).startswith(reason)


def test_types_are_said_as_the_recipe_says_and_others_refused() -> None:
    config = {**NER, "types": {"drug": "medicine", "sign": "symptom"}}
    record = {"t": "aspirin helps fever", "e": [list(each) for each in FOUND]}
    assert task(record, **config) == Extraction(
        "aspirin helps fever", (("aspirin", "medicine"), ("fever", "symptom")), ("medicine", "symptom")
    )
    assert (
        refused({**record, "e": [["fever", "dose"]]}, **config) == "the type 'dose' is not one of drug, sign"
    )


TAGGED: dict[str, Any] = {"kind": "extraction", "text": "tokens", "tags": "tags"}


@pytest.mark.parametrize(
    "tags",
    [
        ["B-drug", "I-drug", "O", "B-sign", "B-sign"],
        ["I-drug", "I-drug", "O", "I-sign", "B-sign"],  # IOB, as the first corpora have it
        ["B-drug", "E-drug", "O", "S-sign", "U-sign"],
    ],
)
def test_tags_of_tokens_are_read_in_each_scheme(tags: list[str]) -> None:
    found = task({"tokens": ["acetylsalicylic", "acid", "for", "fever", "pain"], "tags": tags}, **TAGGED)
    spans = (("acetylsalicylic acid", "drug"), ("fever", "sign"), ("pain", "sign"))
    assert found == Extraction("acetylsalicylic acid for fever pain", spans)


def test_tags_may_be_numbers_and_tokens_chinese_characters() -> None:
    config = {**TAGGED, "tag_names": ["O", "B-症状", "I-症状"]}
    assert config_of(**config) == config_of(**TAGGED, tag_names={"0": "O", "1": "B-症状", "2": "I-症状"})
    found = task({"tokens": list("有发热"), "tags": [0, 1, 2]}, **config)
    assert found == Extraction("有发热", (("发热", "症状"),))
    assert refused({"tokens": list("有"), "tags": [3]}, **config) == "the tag 3 is not one of 0, 1, 2"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "there is not one tag for each token"),
        ({"tokens": "a b", "tags": ["O", "O", "O"]}, "the text is not a list of tokens, which tags need"),
        ({"tokens": ["a"], "tags": ["drug"]}, "'drug' is not a tag such as B-drug, I-drug or O"),
        ({"tokens": ["a"], "tags": ["B-"]}, "'B-' is not a tag such as B-drug, I-drug or O"),
        ({"tokens": [], "tags": []}, "the text is empty"),
    ],
)
def test_tags_that_cannot_be_told_are_refused(record: dict[str, Any], reason: str) -> None:
    assert refused(record, **TAGGED) == reason


OWN: dict[str, Any] = {
    "templates": [{"user": "Rate {{ place }}: {{ text }}", "assistant": "It is {{ answer }}."}]
}


def test_the_templates_of_a_recipe_can_say_what_the_task_has_and_every_column() -> None:
    found = row({"review": "Nice.", "stars": 5, "place": "Rome"}, **STARS, **OWN)
    assert found.turns == (("user", "Rate Rome: Nice."), ("assistant", "It is good."))
    assert found.label is not None
    assert (found.label.template, found.label.answer, found.label.value) == ("recipe 1", "good", "5")
    assert found.label.choices == ("bad", "good")


def test_a_column_that_a_template_names_and_a_record_has_not_is_named() -> None:
    assert refused({"review": "Nice.", "stars": 5}, **STARS, **OWN) == "'place' is missing"


def test_what_a_record_holds_is_never_read_as_a_template() -> None:
    found = row({"review": "{{ 7 * 7 }}", "stars": 5, "place": "{% raw %}"}, **STARS, **OWN)
    assert found.turns[0] == ("user", "Rate {% raw %}: {{ 7 * 7 }}")


def test_each_template_of_a_recipe_is_used_by_some_rows_and_a_name_is_kept() -> None:
    templates = [{"user": "1 {{ text }}", "name": "one"}, {"user": "2 {{ text }}", "system": "S"}]
    rows = [row({"review": f"{n}", "stars": 5}, **STARS, templates=templates) for n in range(40)]
    said = {each.label.template: each.turns for each in rows if each.label is not None}
    assert said.keys() == {"one", "recipe 2"}
    assert [role for role, _ in said["recipe 2"]] == ["system", "user", "assistant"]


def test_a_template_of_a_recipe_chooses_the_form_of_the_answer() -> None:
    record = {"q": "Which?", "a": "one", "b": "two", "right": "B"}
    said = {
        form: row(record, **EXAM, templates=[{"user": "{{ question }}", "answer": form}]).turns[-1][1]
        for form in ("letter", "text", "letter_and_text")
    }
    assert said == {"letter": "B", "text": "two", "letter_and_text": "B. two"}


def test_a_template_that_needs_an_explanation_leaves_a_record_without_one_to_the_others() -> None:
    record = {"q": "Which?", "a": "one", "b": "two", "right": "B"}
    why: dict[str, Any] = {"user": "{{ question }}", "assistant": "{{ answer }}: {{ explanation }}"}
    plain = {"user": "{{ question }} {{ inline }}"}
    found = row(record, **EXAM, templates=[why, plain])
    assert found.turns[0] == ("user", "Which? (A) one (B) two")
    assert refused(record, **EXAM, templates=[why]) == "no template can word it without explanation"


def test_a_template_of_a_recipe_may_list_what_the_packaged_ones_would_not() -> None:
    labels = [str(number) for number in range(30)]
    own = [{"user": "{{ text }} {{ inline }}"}]
    found = row({"review": "Nice.", "stars": 5}, **{**STARS, "labels": labels}, templates=own)
    assert found.turns[0] == ("user", "Nice. " + ", ".join(labels))
    long = {"q": "Which?", "a": "x" * 200, "b": "y" * 200, "right": "B"}
    assert "(B) yyy" in row(long, **EXAM, templates=[{"user": "{{ inline }}"}]).turns[0][1]
    article = {"contexts": "One.", "q": "Is it?", "a": "A" * 90}
    config = {**READING, "choices": ["A" * 90, "B"], "templates": [{"user": "{{ alternatives }}"}]}
    assert row(article, **config).turns[0][1].endswith("A or B")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "clasification"}, "does not match any of the expected tags"),
        ({**STARS, "lables": {}}, "Extra inputs are not permitted"),
        ({**STARS, "labels": {}}, "at least 1"),
        ({**STARS, "labels": {"1": 2}}, "valid string"),
        ({**STARS, "templates": [{"user": "{{ text"}]}, "not a Jinja template"),
        ({**STARS, "text": "{{ title }"}, "not a Jinja template"),
        ({**STARS, "templates": [{"user": "{{ text }}", "assistant": "so"}]}, "does not say {{ answer }}"),
        ({**STARS, "templates": [{"user": "{{ text }}", "answer": "letter"}]}, "'letter' is not one of text"),
        ({**NLI}, "Field required"),
        ({**NLI, "labels": ["a"], "relation": "siblings"}, "'paraphrase', 'entailment' or 'relevance'"),
        ({"kind": "extraction", "text": "t"}, "either spans or tags must be given"),
        ({**NER, "tags": "t"}, "either spans or tags must be given"),
        ({**NER, "tag_names": ["O"]}, "tag_names needs tags"),
        (
            {
                "kind": "translation",
                "source": "s",
                "target": "t",
                "source_language": "xx",
                "target_language": "zh",
            },
            "'xx' is not one of ar, bn",
        ),
    ],
)
def test_a_wrong_description_is_refused_before_anything_is_read(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        READ.validate_python(config)
    assert message in str(caught.value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from("AB"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["A", "text", "label"]), inner)
    ),
    max_leaves=4,
)
TRANSLATED = {"kind": "translation", "source": "t", "target": "a", "source_language": "en"}
SOUND: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (STARS, {"review": "Nice.", "stars": 5}),
    ({**NLI, "labels": ["A", "B"]}, {"premise": "a", "hypothesis": "b", "gold": "A"}),
    (NER, {"t": "aspirin", "e": [["aspirin", "drug"]]}),
    (TAGGED, {"tokens": ["a"], "tags": ["B-x"]}),
    ({**TAGGED, "tag_names": ["O", "B-x"]}, {"tokens": ["a"], "tags": [1]}),
    (EXAM, {"q": "Which?", "a": "one", "b": "two", "c": "three", "right": "B"}),
    (
        {**EXAM, "choices": ["a"], "answer_as": "number_from_0", "explanation": "b"},
        {"q": "Which?", "a": ["x", "y"], "right": 1, "b": "why"},
    ),
    (READING, {"contexts": ["One."], "q": "How many?", "a": "one"}),
    (
        {**READING, "choices": ["A", "B"], "explanation": "t"},
        {"contexts": "One.", "q": "Is it?", "a": "A", "t": "w"},
    ),
    ({"kind": "summarization", "text": "t", "summary": "a"}, {"t": "Long.", "a": "Short."}),
    ({**TRANSLATED, "target_language": "zh"}, {"t": "Hi", "a": "嗨"}),
]


@given(st.sampled_from(SOUND), st.data())
@settings(max_examples=150)
def test_a_record_of_whatever_shape_is_a_row_or_refused(
    sound: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    config, record = sound
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(record)), ANYTHING, max_size=2))
    try:
        said = row({**record, **changed}, **config).turns
    except BadRecord:
        assert changed
    else:
        assert all(type(content) is str and content for _, content in said)

"""Labelled records in the words of templates: the question, the answer, and what is kept of the label."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.corpora.base import BadRecord, Row
from instil.corpora.tasks import (
    Classification,
    Extraction,
    Labelled,
    Matching,
    MultipleChoice,
    ReadingComprehension,
    Summarization,
    Translation,
)
from instil.corpora.tasks.language import language_of
from instil.corpora.tasks.wording import Template, Templates, packaged
from instil.data.examples import Label

ENGLISH: dict[str, list[Labelled]] = {
    "classification": [
        Classification("The nurse was kind.", "positive", ("negative", "positive"), "5", "sentiment"),
        Classification("My knee hurts when I run.", "orthopaedics"),
    ],
    "matching_paraphrase": [Matching("How old are you?", "What is your age?", "yes", ("no", "yes"))],
    "matching_entailment": [
        Matching(
            "A boy kicks a ball.",
            "A child plays.",
            "entailment",
            ("entailment", "neutral", "contradiction"),
            "entailment",
            "0",
        )
    ],
    "matching_relevance": [
        Matching("Can I take ibuprofen?", "Opening hours are 9 to 5.", "no", ("no", "yes"), "relevance")
    ],
    "extraction": [
        Extraction(
            "She took aspirin for fever and pain.",
            (("aspirin", "drug"), ("fever", "symptom"), ("pain", "symptom")),
            ("drug", "symptom"),
        ),
        Extraction("She took aspirin.", (("aspirin", "drug"),)),
        Extraction("Nothing of note.", (), ("drug",)),
    ],
    "multiple_choice": [
        MultipleChoice(
            "Which vessel carries blood away from the heart?",
            ("Vena cava", "Aorta", "Portal vein"),
            1,
            "It leaves the left ventricle.",
        )
    ],
    "reading_comprehension": [
        ReadingComprehension(
            "Of 40 patients 38 recovered.",
            "Does it help?",
            "yes",
            ("yes", "no", "maybe"),
            "Nearly all recovered.",
        ),
        ReadingComprehension(
            "Of 40 patients 38 recovered.", "How many recovered?", "38", (), "It says 38 of 40."
        ),
    ],
    "summarization": [Summarization("A long story about a dog that ran.", "A dog ran.")],
    "translation": [Translation("Good morning", "Guten Morgen", "en", "de")],
}
CHINESE: dict[str, list[Labelled]] = {
    "classification": [
        Classification("护士很亲切。", "正面", ("负面", "正面"), "5", "情感"),
        Classification("跑步时膝盖疼。", "骨科"),
    ],
    "matching_paraphrase": [Matching("你多大了？", "你今年几岁？", "是", ("否", "是"))],
    "matching_entailment": [
        Matching("男孩在踢球。", "孩子在玩。", "蕴含", ("蕴含", "中立", "矛盾"), "entailment", "0")
    ],
    "matching_relevance": [
        Matching("可以吃布洛芬吗？", "营业时间为九点到五点。", "不相关", ("不相关", "相关"), "relevance")
    ],
    "extraction": [
        Extraction(
            "她服用阿司匹林治疗发热和疼痛。",
            (("阿司匹林", "药物"), ("发热", "症状"), ("疼痛", "症状")),
            ("药物", "症状"),
        ),
        Extraction("她服用阿司匹林。", (("阿司匹林", "药物"),)),
        Extraction("没有异常。", (), ("药物",)),
    ],
    "multiple_choice": [
        MultipleChoice("哪条血管把血液送出心脏？", ("腔静脉", "主动脉", "门静脉"), 1, "它起自左心室。")
    ],
    "reading_comprehension": [
        ReadingComprehension(
            "四十名患者中三十八名痊愈。", "有效吗？", "是", ("是", "否", "不确定"), "几乎全部痊愈。"
        ),
        ReadingComprehension("四十名患者中三十八名痊愈。", "多少人痊愈？", "三十八名", (), "文中已说明。"),
    ],
    "summarization": [Summarization("一个关于狗奔跑的长故事。", "狗跑了。")],
    "translation": [Translation("早上好", "Guten Morgen", "zh", "de")],
}
WORDINGS = list(ENGLISH)


def templates_of(task: Labelled) -> Templates:
    return packaged(task.wording(), task.names, task.forms)


def worded(task: Labelled, template: Template) -> Row | None:
    """Return a task in the words of one template, or None where they do not go together."""
    try:
        return task.worded(Templates((template,)), {}, seed=0)
    except BadRecord:
        return None


def label_of(row: Row) -> Label:
    assert row.label is not None
    return row.label


def check_answer(task: Labelled, template: Template, row: Row) -> None:
    """The label's surface form can be read back from what the assistant says."""
    label, said = label_of(row), row.turns[-1][1]
    assert (label.task, label.template) == (task.kind, template.name)
    if "explanation" in template.says:
        assert label.answer in said
        assert task.say("explanation", "en") in said
    else:
        assert said == label.answer
    assert not label.choices or label.answer in label.choices


@pytest.mark.parametrize("wording", WORDINGS)
@pytest.mark.parametrize(("language", "tasks"), [("en", ENGLISH), ("zh", CHINESE)])
def test_every_template_reads_as_reviewed(
    wording: str, language: str, tasks: dict[str, list[Labelled]], golden: Callable[[str, str], None]
) -> None:
    shown, used = [], set()
    for task in tasks[wording]:
        for template in templates_of(task).templates:
            row = worded(task, template) if template.language == language else None
            if row is None:
                continue
            used.add(template.name)
            check_answer(task, template, row)
            assert row.label is not None
            shown.append(
                f"=== {template.name}: {row.label.value} -> {row.label.answer!r} {row.label.choices}\n"
            )
            shown += [f"--- {role}\n{content}\n" for role, content in row.turns]
    templates = templates_of(tasks[wording][0]).templates
    assert used == {each.name for each in templates if each.language == language}
    golden(f"tasks/{wording}.{language}.txt", "".join(shown))


@pytest.mark.parametrize("wording", WORDINGS)
def test_both_languages_have_the_same_templates(wording: str) -> None:
    names: dict[str | None, dict[str, str]] = {"en": {}, "zh": {}}
    for each in templates_of(ENGLISH[wording][0]).templates:
        names[each.language][each.name[3:]] = each.form
    assert names["en"] == names["zh"]
    assert len(names["en"]) >= 4


text = st.text(min_size=1).filter(lambda each: not each.isspace())
choices = st.lists(text, min_size=2, max_size=6, unique=True).map(tuple)
explanation = st.none() | text


@st.composite
def labelled(draw: st.DrawFn) -> Labelled:
    said = draw(choices)
    chosen = draw(st.integers(0, len(said) - 1))
    spans = draw(st.lists(st.tuples(text, text), max_size=4).map(tuple))
    return draw(
        st.sampled_from(
            [
                Classification(draw(text), said[chosen], draw(st.sampled_from([(), said])), draw(text)),
                *(
                    Matching(draw(text), draw(text), said[chosen], said, relation)
                    for relation in ("paraphrase", "entailment", "relevance")
                ),
                Extraction(draw(text), spans, draw(st.sampled_from([(), said]))),
                MultipleChoice(draw(text), said, chosen, draw(explanation)),
                ReadingComprehension(draw(text), draw(text), said[chosen], said, draw(explanation)),
                ReadingComprehension(draw(text), draw(text), draw(text), (), draw(explanation)),
                Summarization(draw(text), draw(text)),
                Translation(
                    draw(text), draw(text), *draw(st.tuples(*[st.sampled_from(["en", "zh", "fr"])] * 2))
                ),
            ]
        )
    )


@given(labelled())
def test_every_template_says_the_label_of_any_record_so_that_it_reads_back(task: Labelled) -> None:
    rows = [(each, worded(task, each)) for each in templates_of(task).templates]
    assert any(row for _, row in rows)
    for template, row in rows:
        if row is None:
            continue
        check_answer(task, template, row)
        # What the record says stands in the question word for word: it is never read as a template.
        asked = dict(row.turns)["user"]
        for name in template.says - {"explanation", "types", "nothing", "aspect"}:
            assert task.say(name, template.language or "en") in asked


@given(labelled(), st.integers(0, 2**32))
def test_the_template_depends_on_the_record_and_the_seed_only(task: Labelled, seed: int) -> None:
    first = task.row(seed)
    task.row(seed + 1)
    Summarization("another", "record").row(seed)
    assert replace(cast("Any", task)).row(seed) == first  # an equal one, made anew


@given(labelled())
def test_what_a_label_holds_is_whole(task: Labelled) -> None:
    row = task.row(7)
    assert label_of(row).value == task.written()
    assert row.group == task.group()
    assert [role for role, _ in row.turns] == ["user", "assistant"]


NUMBERED: list[Callable[[str], Labelled]] = [
    lambda n: Classification(f"text {n}", "b", ("a", "b")),
    lambda n: Matching(f"one {n}", "two", "yes", ("no", "yes")),
    lambda n: Extraction(f"text {n}", (), ("drug",)),
    lambda n: MultipleChoice(f"question {n}", ("x", "y"), 0, "because"),
    lambda n: MultipleChoice(f"问题{n}", ("甲", "乙"), 0),
    lambda n: ReadingComprehension("passage", f"question {n}", "yes", ("yes", "no")),
    lambda n: Summarization(f"text {n}", "short"),
    lambda n: Translation(f"Text {n}", "文本", "en", "zh"),
]


@pytest.mark.parametrize("made", NUMBERED)
def test_all_templates_that_can_word_a_record_are_used_about_equally(made: Callable[[str], Labelled]) -> None:
    rows, task = 1500, made("0")
    used = Counter(label_of(made(str(number)).row(5)).template for number in range(rows))
    able = [each for each in templates_of(task).templates if each.language in task.languages()]
    able = [each for each in able if worded(task, each)]
    assert used.keys() == {each.name for each in able}
    # Four standard deviations of a uniform choice.
    share = rows / len(able)
    assert all(abs(count - share) < 4 * (share * (1 - 1 / len(able))) ** 0.5 for count in used.values())


def test_another_seed_chooses_other_templates() -> None:
    tasks = [Summarization(f"text {number}", "short") for number in range(100)]
    same = [one.row(1).turns == one.row(2).turns for one in tasks]
    assert 5 < sum(same) < 40  # a fifth, by chance


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("What is the dose?", "en"),
        ("剂量是多少？", "zh"),
        ("服用metformin和amoxicillin的患者", "zh"),
        ("The text 中文 is Chinese for Chinese text", "en"),
        ("用量はいくらですか、先生", "en"),
        ("¿Cuál es la dosis?", "en"),
        ("용량은 얼마입니까?", "en"),
        ("", "en"),
        ("①②③", "en"),
    ],
)
def test_a_record_is_asked_in_the_language_of_its_script(said: str, language: str) -> None:
    assert language_of(said) == language


def test_a_translation_between_the_two_is_asked_in_both_and_others_in_what_fits() -> None:
    def languages(source: str, target: str) -> tuple[str, ...]:
        return Translation("a", "b", source, target).languages()

    assert languages("en", "zh") == languages("zh", "en") == ("en", "zh")
    assert languages("fr", "zh") == ("zh",)
    assert languages("fr", "Klingon") == ("en",)


def test_a_language_is_called_by_its_name_and_one_that_we_do_not_know_as_it_is_written() -> None:
    task = Translation("Bonjour", "nuqneH", "fr", "Klingon")
    asked = {dict(task.row(seed).turns)["user"] for seed in range(20)}
    assert all("Klingon" in each for each in asked)
    assert any("French" in each for each in asked)


def forms(task: Labelled) -> dict[str, str]:
    return {form: task.surface(form, task.languages()[0]).answer for form in task.forms}


def test_entities_are_said_in_each_form() -> None:
    assert forms(ENGLISH["extraction"][0]) == {
        "inline": "aspirin: drug; fever: symptom; pain: symptom",
        "lines": "aspirin: drug\nfever: symptom\npain: symptom",
        "by_type": "drug: aspirin\nsymptom: fever, pain",
        "json": '[{"text": "aspirin", "type": "drug"}, {"text": "fever", "type": "symptom"}, '
        '{"text": "pain", "type": "symptom"}]',
    }
    assert forms(CHINESE["extraction"][0])["inline"] == "阿司匹林：药物；发热：症状；疼痛：症状"
    assert forms(CHINESE["extraction"][0])["by_type"] == "药物：阿司匹林\n症状：发热、疼痛"


def test_no_entities_are_said_in_a_word_or_as_an_empty_list() -> None:
    assert forms(Extraction("Well.", ())) == {
        "inline": "none",
        "lines": "none",
        "by_type": "none",
        "json": "[]",
    }
    assert forms(Extraction("很好。", ()))["inline"] == "无"


def test_the_spans_are_kept_as_they_are_for_evaluation() -> None:
    label = label_of(ENGLISH["extraction"][0].row(0))
    assert json.loads(label.value) == [["aspirin", "drug"], ["fever", "symptom"], ["pain", "symptom"]]


def test_choices_can_have_letters_of_their_own() -> None:
    task = MultipleChoice("Which?", ("x", "y"), 1, letters=("P", "Q"))
    assert task.surface("letter_and_text", "en") == ("Q. y", ("P. x", "Q. y"))
    assert task.written() == "Q"


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (MultipleChoice("Which?", ("x", "y"), 2), "no choice 2 of 2"),
        (MultipleChoice("Which?", ("x", "y"), -1), "no choice -1 of 2"),
        (MultipleChoice("Which?", tuple(map(str, range(27))), 0), "27 with 26 letters"),
        (MultipleChoice("Which?", ("x", "y"), 1, letters=("P",)), "2 with 1 letters"),
        (ReadingComprehension("p", "q", "perhaps", ("yes", "no")), "'perhaps' is not one of yes, no"),
    ],
)
def test_a_label_that_is_none_of_the_choices_is_refused(task: Labelled, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        task.row(0)


@pytest.mark.parametrize("number", [0, 1])
def test_a_question_shows_its_choices_if_there_are_any_and_only_then(number: int) -> None:
    task = ENGLISH["reading_comprehension"][number]
    asked = [dict(task.row(seed).turns)["user"] for seed in range(60)]
    assert all(("maybe" in each) == (number == 0) for each in asked)


def test_a_question_without_an_explanation_is_never_asked_for_one() -> None:
    task = MultipleChoice("Which?", ("x", "y"), 1, " ")
    assert not any("xplain" in dict(task.row(seed).turns)["user"] for seed in range(60))


def test_long_choices_and_many_labels_are_not_put_into_one_line() -> None:
    long: list[Any] = [MultipleChoice("Which?", ("x" * 200, "y" * 200), 0)]
    long.append(ReadingComprehension("p", "q", "x" * 90, ("x" * 90, "y")))
    for task in long:
        assert "inline" not in task.offers()
        assert "options" in task.offers()
    labels = tuple(map(str, range(21)))
    assert Classification("t", "1", labels).offers() == {"text", "aspect"}
    assert "options" in Classification("t", "1", labels[:20]).offers()

"""Self-Instruct's rules of thumb, on both sides of each border, in English and Chinese."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from instil.data.examples import Example
from instil.filters.heuristics import HeuristicsConfig
from tests.filters.rows import dialogue, example, reason

RULES = HeuristicsConfig(kind="heuristics")
CANNOT = "asks for what text cannot carry"


@pytest.mark.parametrize(
    "question",
    [
        "Describe the scene in this photo.",
        "Add a short caption to the following picture",
        "Draw a diagram of the heart.",
        "Please sketch the layout of a house",
        "Create a short video about hand washing.",
        "Make an infographic that compares two diets.",
        "Generate a cartoon drawing of a cat.",
        "Listen to the recording and write down what is said.",
        "Go to the website and find the opening hours.",
        "Open the following URL and find the title of the article.",
        "Play the song Despacito on the keyboard.",
        "Summarise the attached document.",
        "What do you see in https://example.com/cat.jpg?",
        "Name the animal. [Image]",
        "描述这张照片中的场景。",
        "为下面的图片写一个标题",
        "画一幅人体心脏的图。",
        "请绘制一张血液循环的示意图",
        "制作一个关于洗手的视频。",
        "创建一个流程图来说明看病的过程。",
        "打开以下网址，找到文章标题。",
        "播放一首轻松的歌",
        "看图说话：小明在做什么？",
        "根据给定的音频剪辑，写出其中的话。",
        "[图片] 这是什么药？",
    ],
)
def test_what_text_cannot_carry_is_rejected(question: str) -> None:
    assert reason(RULES.build(), question) == CANNOT


@pytest.mark.parametrize(
    "question",
    [
        "Write a plot for a story about two people who swap fingerprints.",
        "Can you write a slogan for my video game project?",
        "Choose a title for a video by its content.",
        "What is a good way to learn how to draw?",
        "I have to go to the bathroom every hour. What could be the cause?",
        "Develop a program that reads all text files under a directory.",
        "Draw a conclusion from these three facts.",
        "Draw a tree with ASCII characters.",
        "How do I draw a circle in JavaScript?",
        "Explain how an MRI image is made.",
        "Generate a video script about hand washing.",
        "Which music helps against stress?",
        "地图舌需要治疗吗？",
        "心电图表现为WPW综合征，是否需要治疗？",
        "如何在网上播放列表中添加歌曲？",
        "一位画家的生平是怎样的？",
        "请写一份视频脚本，介绍如何洗手。",
        "X线照片显示骨骼损害，应该怎么办？",
        "用Python画一个圆的代码怎么写？",
        "制定一份锻炼计划。",
    ],
)
def test_words_that_only_sound_like_it_are_kept(question: str) -> None:
    assert reason(RULES.build(), question) is None


def test_what_stands_below_the_first_line_is_material_and_no_request() -> None:
    assert reason(RULES.build(), "Put commas where they belong.\nDraw a map look at this photo") is None
    assert reason(RULES.build(), "把逗号放在句子中正确的位置。\n这些照片是由摄影师拍摄的。") is None


def test_the_published_words_are_a_choice_and_so_are_ones_own() -> None:
    published = HeuristicsConfig(kind="heuristics", keywords="self_instruct")
    assert reason(published.build(), "What is the plot of the novel?") == CANNOT
    assert reason(published.build(), "What is a paragraph?") is None
    own = HeuristicsConfig(kind="heuristics", keywords=(r"\bpodcasts?\b", "播客"))
    assert reason(own.build(), "Record a PODCAST on sleep.") == CANNOT
    assert reason(own.build(), "录一期播客。") == CANNOT
    assert reason(own.build(), "Draw a diagram of the heart.") is None
    assert reason(HeuristicsConfig(kind="heuristics", keywords=()).build(), "Draw a cat.") is None


def test_a_keyword_that_is_no_pattern_is_refused_with_its_reason() -> None:
    with pytest.raises(ValidationError, match=r"'\(' is not a regular expression"):
        HeuristicsConfig(kind="heuristics", keywords=("(",))


@pytest.mark.parametrize(
    ("question", "found"),
    [
        (". What is a fever?", "starts with a punctuation mark"),
        ("? 什么是发烧", "starts with a punctuation mark"),
        ("，什么是发烧？", "starts with a punctuation mark"),
        ("）什么是发烧？", "starts with a punctuation mark"),
        ("- List three symptoms", "starts with a punctuation mark"),
        ("* List three symptoms", "starts with a punctuation mark"),
        ("### Explain fever", "starts with a punctuation mark"),
        ("“先验”是什么意思？", None),
        ("《红楼梦》的作者是谁？", None),
        ('"Break a leg" means what?', None),
        ("-625 是什么类型的数字？", None),
        ("- 5 + 3 = ?", None),
        (".NET: what is it?", None),
        ("*args 在 Python 中是什么意思？", None),
        ("#include does what?", None),
        ("¿Qué es la fiebre?", None),
        ("(a) or (b)?", None),
        ("5+3等于几？", None),
        ("√2 是有理数吗？", None),
        ("……？！", "starts with a punctuation mark"),
        ("“？”", "neither letters nor digits in the question"),
        (" \n ", "blank question"),
    ],
)
def test_how_a_question_begins(question: str, found: str | None) -> None:
    assert reason(RULES.build(), question) == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("", "blank answer"),
        (" \n\t", "blank answer"),
        (": rest and drink", "the answer starts with a colon"),
        ("：多休息", "the answer starts with a colon"),
        (":-)", None),
        ("The symptoms are:", "the answer stops at a colon"),
        ("常见症状包括：", "the answer stops at a colon"),
        ("Hardware: mouse\nSoftware:", "the answer stops at a colon"),
        ("Name:\nEmail:\nPhone:", None),
        ("for number in range(1, 10):", None),
        ("At 10:30.", None),
    ],
)
def test_how_an_answer_begins_and_ends(answer: str, found: str | None) -> None:
    assert reason(RULES.build(), "What is it?", answer) == found


@pytest.mark.parametrize(
    ("question", "answer", "found"),
    [
        ("制定用户界面的设计计划。", " 制定用户界面的设计计划。\n", "the answer repeats the question"),
        ("What is a  fever?", "What is a fever?", "the answer repeats the question"),
        ("改写下面的句子。\n销售报告不准确。", "销售报告不准确。", "the answer repeats the input"),
        (
            "Rewrite it.\nThe report is not exact.",
            "The report is\nnot exact.",
            "the answer repeats the input",
        ),
        ("Write it in upper case.\nhello to all people", "HELLO TO ALL PEOPLE", None),
        ("Give the past participle.\nrun", "run", None),
        ("Which is larger?\na whale\na mouse", "a mouse", None),
        ("75 除以 3\n75 除以 3", "25", "the instruction is its own input"),
        ("75 除以 3\n75 除以 5", "25", None),
    ],
)
def test_what_is_only_repeated_is_rejected(question: str, answer: str, found: str | None) -> None:
    assert reason(RULES.build(), question, answer) == found


def test_write_a_program_is_a_rule_on_request() -> None:
    strict = HeuristicsConfig(kind="heuristics", allow_programs=False)
    for question in ("Write a program that sorts a list.", "请编写一个程序来排序。", "写一段程序"):
        assert reason(strict.build(), question) == "starts with 'Write a program'"
        assert reason(RULES.build(), question) is None
    assert reason(strict.build(), "How do I write a program?") is None


def accepted(*examples: Example) -> list[str | None]:
    """Return for each which earlier one shuts it out; those that are let pass are accepted."""
    rules = RULES.build()
    found: list[str | None] = []
    for each in examples:
        rejection = rules.check(each)
        if rejection is None:
            rules.accept(each)
        found.append(rejection.nearest if rejection else None)
    return found


def test_another_answer_to_an_accepted_question_is_rejected_and_names_the_first() -> None:
    first = example("写一个恐怖故事。", "从前有一座山。")
    assert accepted(
        first,
        example(" 写一个恐怖故事。\n", "从前有一片海。"),
        example("写一个恐怖故事。", "从前有一座山。"),
        example("写一个爱情故事。", "从前有一片海。"),
    ) == [None, first.id, None, None]


def test_the_same_question_at_another_place_of_a_conversation_is_another_question() -> None:
    assert accepted(
        dialogue("I cough.", "Since when?", "And now?", "Rest."),
        dialogue("I sneeze.", "Since when?", "And now?", "Drink tea."),
        example("And now?", "Go home."),
    ) == [None, None, None]


def test_a_rejected_answer_and_a_seed_without_answer_are_no_rivals() -> None:
    rules = RULES.build()
    rules.accept(example("What is a fever?", ""))
    assert rules.check(example("What is a fever?", "A high temperature.")) is None
    rules.check(example("What is a cold?", "An infection."))
    assert rules.check(example("What is a cold?", "A virus.")) is None


def test_several_answers_are_kept_where_that_is_wanted() -> None:
    rules = HeuristicsConfig(kind="heuristics", one_answer=False).build()
    rules.accept(example("Tell a joke.", "Knock knock."))
    assert rules.check(example("Tell a joke.", "Two fish meet.")) is None

"""Refusals and a model's words about itself, and sentences that only resemble them."""

from __future__ import annotations

import pytest

from instil.filters.refusal import RefusalConfig
from tests.filters.rows import dialogue, reason

RULES = RefusalConfig(kind="refusal").build()


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I cannot provide medical advice.",
        "I am sorry, I can’t help with that request.",
        "Sorry, I can't play the song on the keyboard.",
        "Unfortunately, I am unable to access the internet.",
        "I apologize, but I do not have access to real-time data.",
        "I cannot create images.",
        "I'm not able to generate a logo, as this requires drawing.",
        "This instruction cannot be completed by a GPT language model.",
        "This task cannot be performed, because it needs a camera.",
        "抱歉，我无法提供具体地区的天气预报。",
        "很抱歉，作为一个AI模型，我无法为您预订旅行。",
        "\n对不起，我不能完成您的请求。",
        "不好意思，我没有办法执行您的要求。",
        "无法执行此任务，因为它需要摄像头。",
        "我无法回答这个问题。",
        "Sorry, I can't do that.",
        "I don't have access to real-time data, so I cannot say.",
        "I must respectfully decline to answer this.",
        "It is not possible for me to open links.",
        "您好，我无法为您提供相关信息。",
        "这个问题我暂时无法回答。",
        "我不能协助完成这个请求。",
        "抱歉，我还没有学会回答这个问题。",
    ],
)
def test_refusals_are_rejected(answer: str) -> None:
    assert reason(RULES, "What should I take for a cold?", answer) == "refuses"


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry to hear that you have a cough. Rest and drink much.",
        "We are sorry for the delay of your order.",
        "I can't wait to see you.",
        "I can't help but admire her.",
        "A child cannot answer such a question alone.",
        "I cannot fathom the pain.",
        "No one can predict the weather for a month.",
        "He said: I'm sorry, I can't help you.",
        "很抱歉听到这个消息。请多休息。",
        "抱歉，我有一个会议，明天再谈。",
        "我们对给您带来的不便深表歉意。",
        "无法排除脑膜炎，需要进一步检查。",
        "不能确定具体诊断，建议做肝穿刺。",
        "我无法抗拒冰淇淋。",
        "I don't have access to a kitchen at work, so I eat cold meals.",
        "It is not possible to cure a cold.",
        "我还没有学会游泳。",
        "这个问题无法一概而论，取决于病因。",
    ],
)
def test_who_is_sorry_or_unable_in_another_sense_is_kept(answer: str) -> None:
    assert reason(RULES, "What should I take for a cold?", answer) is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Write an apology of a shop.", "I'm sorry, but I cannot provide a refund this week."),
        ("Write a dialogue with a clerk.", "I cannot help you with this, said the clerk."),
        ("Make it informal: I am unable to help.", "Sorry, I can't help."),
        ("写一封婉拒邀请的信。", "抱歉，我无法提供帮助。"),
        ("改写：我无法完成这个任务。", "对不起，我不能完成这个任务。"),
        ("Can GPT models make videos?", "No, GPT models are not able to make videos."),
    ],
)
def test_a_refusal_that_was_asked_for_is_none(question: str, answer: str) -> None:
    assert reason(RULES, question, answer) is None


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("<nooutput>", "no output"),
        ("No Output", "no output"),
        ("<No output - this is a visual task.>", "no output"),
        ("[no response]", "no output"),
        ("No output as compilation gives a binary file.", "no output"),
        ("&lt;无输出&gt;", "no output"),
        ("无输出", "no output"),
        ("No output required", "no output"),
        ("<No output, cannot draw>", "no output"),
        ("No, output grows with input.", None),
        ("No answers were found in the first study, many in the second.", None),
        ("该函数没有返回值。", None),
    ],
)
def test_place_holders_for_an_answer_are_rejected(answer: str, found: str | None) -> None:
    assert reason(RULES, "Do it.", answer) == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("Tea helps. As an AI, I have no body.", True),
        ("Drink tea. I am just an AI language model and cannot taste it.", True),
        ("Note: As a language model AI, I must say that this is invented.", True),
        ("我是一个AI语言模型，没有感情。", True),
        ("可以多喝水。作为人工智能，我没有味觉。", True),
        ("我作为一台语言模型没有主观性。", True),
        ("As an AI assistant developed by Example Labs, I have no feelings.", True),
        ("I'm Claude, an AI assistant made by Anthropic.", True),
        ("我是文心一言，由百度开发。", True),
        ("我是一个AI助手，没有情感。", True),
        ("I'm Claude, a painter from Paris.", False),
        ("我是一个AI程序员，写代码十年了。", False),
        ("As an AI engineer, I build systems.", False),
        ("A language model predicts words.", False),
        ("As an AI-generated picture it is fine.", False),
        ("语言模型是一种预测词语的模型。", False),
        ("作为人工智能的一个分支，机器学习很重要。", False),
        ("我是一名人工智能专业的学生。", False),
    ],
)
def test_a_model_that_speaks_of_itself_is_rejected_anywhere_in_the_answer(answer: str, found: bool) -> None:
    assert reason(RULES, "What helps?", answer) == ("speaks as a language model" if found else None)


def test_a_question_to_a_language_model_is_rejected_unless_that_is_wanted() -> None:
    question = "As a language model, what do you think of tea?"
    assert reason(RULES, question) == "addresses a language model"
    assert reason(RULES, "作为一个AI语言模型，你喜欢茶吗？") == "addresses a language model"
    assert reason(RefusalConfig(kind="refusal", questions=False).build(), question) is None


def test_every_answer_of_a_conversation_is_looked_at() -> None:
    found = RULES.check(dialogue("Hello.", "Hello.", "Help me.", "I cannot help with that.", "Why?", "So."))
    assert found
    assert found.nearest == "I cannot help"


def test_patterns_of_the_recipe_are_added() -> None:
    own = RefusalConfig(kind="refusal", patterns=("ask your doctor", "请咨询医生")).build()
    assert reason(own, "What helps?", "Tea. ASK YOUR DOCTOR.") == "matches a pattern of the recipe"
    assert reason(own, "怎么办？", "请咨询医生。") == "matches a pattern of the recipe"
    assert reason(own, "What helps?", "I cannot help with that.") == "refuses"

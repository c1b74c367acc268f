"""Every name under which teachers write the parts of an item or of a conversation.

One table each for parts and for speakers. A name is compared without case, spaces, marks, full-width
forms and numbers behind it: `Instruction`, `instruction_2`, `**ｉｎｓｔｒｕｃｔｉｏｎ**` are one name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from unicodedata import normalize

from instil.data.messages import Role

Part = Literal["instruction", "input", "output", "evidence"]
_LONGEST = 60
_MARKS = re.compile(r"[\W_]+|^\d+|\d+$")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The first line of a part are its own names; they win over the second, and that over the third.
_PARTS: dict[Part, tuple[str, ...]] = {
    "instruction": (
        "instruction instructions 指令 指示",
        """question query prompt problem request user human q usermessage userquery userquestion userinput
        问题 提问 问 题目 问句 用户 用户问题 用户提问 問題 題目 質問 질문 지시 지시문
        instrucción pregunta anweisung frage""",
        "task taskdescription taskinstruction 任务 任务描述 任务指令 任務 要求 提示 提示词",
    ),
    "input": (
        "input inputs 输入 輸入 入力 입력 entrada entrée eingabe",
        "context inputtext inputdata passage 输入内容 输入文本 上下文 材料 背景 背景信息 文脈",
    ),
    "output": (
        "output outputs 输出 輸出 出力 출력 salida sortie ausgabe",
        """answer response completion reply solution assistant gpt bot a target expectedoutput modelresponse
        assistantresponse assistantmessage 回答 答案 回复 答复 答 响应 解答 参考答案 助手 助手回复 模型回答
        输出结果 输出内容 回答内容 応答 대답 답변 응답 respuesta réponse antwort""",
        "result 结果",
    ),
    "evidence": ("evidence quote quotation 证据 依据 原文 引文 引用 根拠 근거",),
}
# Beside an instruction, these hold what it is about.
_ASKED = _names("question query problem userinput 问题 题目 問題 題目 質問 질문")
_INSTANCES = _names("instances instance examples example 实例 示例 样例 例子")
_TURNS = _names(
    """messages message conversations conversation dialogues dialogue dialogs dialog turns chats chat
    history rounds exchanges exchange transcript 对话 对话内容 多轮对话 会话 消息 轮次 聊天 聊天记录
    對話 会話 대화"""
)
_SPEAKER = _names("role from speaker author sender who 角色 说话人 发言人 身份 話者 역할")
_SAID = _names("content value text message utterance says 内容 文本 话语 发言 台词 發言 発言 내용")
# Said beside an item by many teachers; they may stand in an object without making its reading doubtful.
_BESIDE = _names(
    """id index no number turn round step name title type tasktype category topic subject domain language
    lang difficulty level isclassification tags tag keywords explanation reasoning rationale source entity
    disease persona system score
    编号 序号 类型 任务类型 类别 分类 主题 名称 难度 语言 标签 关键词 解释 理由 疾病 来源"""
)
_SPEAKERS: dict[Role, str] = {
    "system": "system systemprompt developer 系统 系统提示 系統",
    "user": """user human client patient customer student visitor caller asker person q question
        用户 使用者 患者 病人 顾客 客户 学生 来访者 提问者 咨询者 家属 家长 问 人类 用戶 ユーザー 사용자""",
    "assistant": """assistant ai gpt bot chatgpt chatbot model llm doctor physician nurse agent counselor
        counsellor therapist advisor tutor teacher expert support aiassistant a answer 助手 医生 大夫 医师
        护士 客服 咨询师 顾问 老师 专家 机器人 人工智能 智能助手 答 助理 导诊 导诊员 醫生
        アシスタント 어시스턴트""",
}
_NO_INPUT = _names("noinput nullinput emptyinput 无输入 無輸入 没有输入 无需输入 无 入力なし")


@dataclass(frozen=True, slots=True)
class Key:
    """What a key of an object stands for."""

    name: str
    """Its name without case, marks and numbers."""
    part: Part | None = None
    rank: int = 0
    """Among the names of one part the lowest wins."""


_KEYS = {
    name: Key(name, part, rank)
    for part, ranks in _PARTS.items()
    for rank, names in enumerate(ranks)
    for name in names.split()
}
_ROLES = {name: role for role, names in _SPEAKERS.items() for name in names.split()}


@lru_cache(maxsize=1024)
def plain(name: str) -> str:
    """Return a name without case, spaces, marks, full-width forms and a number behind it."""
    if len(name) > _LONGEST:
        return ""
    bare = _MARKS.sub("", normalize("NFKC", name).casefold())
    return _MARKS.sub("", bare)


@lru_cache(maxsize=1024)
def key(name: str) -> Key:
    """Return what a key of an object stands for; a key of no part if it is not in the table."""
    bare = plain(name)
    return _KEYS.get(bare) or Key(bare)


def role(name: object) -> Role | None:
    """Return who speaks, or None for a speaker that is not in the table."""
    return _ROLES.get(plain(name)) if isinstance(name, str) else None


def is_known(name: str) -> bool:
    """Return whether a key may be expected in an item or a conversation."""
    bare = plain(name)
    return bare in _KEYS or bare in _BESIDE or bare in _ROLES or is_list_key(name) or is_turn_key(name)


def is_list_key(name: str) -> bool:
    """Return whether a key holds what belongs to one item: its instances, or the turns of a conversation."""
    return plain(name) in _INSTANCES or is_turns(name)


def is_turns(name: str) -> bool:
    """Return whether a key holds the turns of a conversation."""
    return plain(name) in _TURNS


def is_turn_key(name: str) -> bool:
    """Return whether a key says who speaks or what is said."""
    return is_speaker(name) or is_said(name)


def is_speaker(name: str) -> bool:
    """Return whether a key says who speaks."""
    return plain(name) in _SPEAKER


def is_beside(name: str) -> bool:
    """Return whether a key holds what is said about an item and is no part of it."""
    return plain(name) in _BESIDE or not plain(name)


def is_said(name: str) -> bool:
    """Return whether a key holds what is said."""
    return plain(name) in _SAID


def is_asked(found: Key) -> bool:
    """Return whether a key beside an instruction holds what the instruction is about."""
    return found.name in _ASKED


def given(text: str) -> str:
    """Return an input as it is, or the empty string for Alpaca's `<noinput>` and its like."""
    return "" if len(text) < _LONGEST and (plain(text) in _NO_INPUT or text.casefold() == "n/a") else text

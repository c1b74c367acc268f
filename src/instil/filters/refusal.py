"""Reject answers that refuse, and texts that speak of being a language model.

A student that learns a teacher's refusals refuses what it could answer. The patterns ask for what a
model says of itself ("I'm sorry, but I cannot provide …"), because a person in a letter or a story may
be sorry too, and a doctor may be unable to rule something out.
"""

from __future__ import annotations

import re
from typing import Literal

from instil.data.examples import Example, Rejection
from instil.filters.base import FilterConfigBase, Stateless, said_by
from instil.filters.patterns import Patterns, any_of

_SPACE = r"[\s\"'“”‘’*>]*"
_CANNOT = (
    r"(?:cannot|can ?not|can['’]t|am (?:not able|unable) to|['’]m (?:not able|unable) to|won['’]t"
    r"|do(?: not|n['’]t) have)"
)
_SERVE = (
    r"(?:assist|help(?! but| feeling| myself| it)|answer|provide|comply|fulfil+|generate|create|complete"
    r"|access|browse|engage|respond|discuss|produce|process|perform|predict|diagnose|verify|draw|display|play|transcribe"
    r"|(?:the |any )?(?:ability|capability|access|enough information|personal|real-time))"
)
_TASK = r"(?:instruction|request|prompt|task|question)"
_MODEL = (
    r"(?:large |artificial intelligence |ai )*"
    r"(?:language model|ai|artificial intelligence|gpt(?:-\d)? model)"
)
_KIND = r"(?: (?:assistant|model|system|chatbot|bot|program))?"
_MAKER = r"(?:developed|trained|created|made|built|designed)"
_MODEL_ZH = (
    r"(?:AI|GPT|人工智能|大型|大规模|预训练|自然语言)*"
    r"(?:语言模型|(?:AI|人工智能)(?:模型|程序(?![员设]))|GPT模型)"
)
_CANNOT_ZH = r"(?:无法|不能|没办法|没有办法)"
_SERVE_ZH = (
    r"(?:提供|回答|生成|执行|访问|浏览|查询|处理|理解|完成[您你这该此]|满足|协助|创建|创作|绘制|画|播放|预测"
    r"|获取|查看|打开|识别|判断|编写|进行|给出|直接|为[您你])"
)

REFUSALS = (
    rf"^{_SPACE}(?:(?:i['’]?\s?a?m |we are )?(?:very |so |really )?sorry|(?:i |my )?apolog\w+|unfortunately)"
    rf"\b[^.!?\n]{{0,60}}?\bi ?{_CANNOT}\s+(?:\w+ )?{_SERVE}\b",
    rf"^{_SPACE}i ?{_CANNOT}\s+(?:assist|help|answer|fulfil+|comply|complete|respond to|create"
    r"|generate|draw|play)\b(?! but| feeling| myself| it)",
    rf"^{_SPACE}i do(?: not|n['’]t) have (?:the ability to|real-time|personal (?:opinion|feeling|experience"
    r"|belief|preference|emotion)s?|access to (?:real-time|current|live|the internet|external|your))\b",
    rf"^{_SPACE}(?:i['’]?\s?a?m )?(?:very |so )?sorry,? (?:but )?i ?{_CANNOT} do (?:that|this|it)\b",
    rf"^{_SPACE}i (?:must|have to|need to) (?:respectfully |politely )?decline\b"
    rf"|^{_SPACE}it(?: is|['’]s) not (?:possible|appropriate) for me to\b",
    rf"^{_SPACE}(?:sorry, )?(?:this|the|your) (?:\w+ )?{_TASK} "
    r"(?:cannot|can['’]t|is not (?:suitable|possible|appropriate))\b",
    rf"\b{_TASK} (?:cannot|can['’]t) be (?:completed|executed|carried out|fulfil+ed|done) by an? ",
    rf"\b(?:by|for|as) an? {_MODEL}[.)]?\s*$|\bgpt models? (?:cannot|can['’]t|(?:is|are) (?:not|unable)) ",
    rf"^{_SPACE}(?:我|很|非常|十分|真的|实在)*(?:抱歉|对不起|不好意思)[^。！？\n]{{0,20}}?我(?!们)[^。！？\n]{{0,12}}?"
    rf"{_CANNOT_ZH}\S{{0,4}}{_SERVE_ZH}",
    rf"^{_SPACE}(?:[您你]好[，,！!。]\s*)?我?(?:暂时|目前)?{_CANNOT_ZH}"
    r"(?:为[您你]提供(?:相关)?|(?:协助)?(?:执行|完成|回答|处理|满足|提供|响应)[您你这该此][的个项种条]?)"
    r"(?:任务|请求|指令|问题|要求|信息|服务|操作)",
    rf"^{_SPACE}(?:[您你][提问的]*|这个|该|此)问题，?我(?:暂时|目前)?{_CANNOT_ZH}回答",
    rf"^{_SPACE}(?:(?:很|非常)?(?:抱歉|对不起)，?)?我还(?:不会(?:回答|[。！，]|$)|没有?学[会习](?:如何|怎么)?(?:回答|[。！，]|$))",
    r"模型(?:无法|不能)(?:完成|执行|处理|创建|生成)[此这该]",
)
"""What refuses, at the beginning of an answer; whatever the case."""

NO_OUTPUT = (
    rf"^{_SPACE}(?:<|&lt;|\[|\()?\s*no[\s_-]?(?:output|response|answer)\s*(?:>|&gt;|\]|\)|[.:-]|$)",
    rf"^{_SPACE}(?:<|&lt;|\[)\s*no[\s_-]?output\b",
    rf"^{_SPACE}no output (?:as|because|since|is|can|required|expected|needed|necessary)\b",
    rf"^{_SPACE}(?:<|&lt;|\[|（|\()?\s*(?:无输出|没有输出|无回答|无响应)",
)
"""Place-holders that a teacher writes instead of an answer."""

OF_ITSELF = (
    rf"\b(?:as|being) an? {_MODEL}{_KIND}(?: {_MAKER} by [\w ]{{1,30}})?,? (?:and )?i\b",
    rf"\bi(?:['’]m| am) (?:just |only |merely )?an? {_MODEL}{_KIND},? (?:and|so|i|that|which|{_MAKER})\b",
    r"\bi(?:['’]m| am) (?:chatgpt|claude|gemini|ernie(?: bot)?|deepseek|qwen|bard|copilot),? (?:an? )?"
    rf"(?:ai|large|language|artificial|virtual|{_MAKER})\b",
    r"\bas an? (?:large |ai )*language model\b",
    rf"(?:作为|身为|我(?:只|仅仅|仅)?是|我作为)(?:一[个种名款台])?{_MODEL_ZH}",
    r"(?:^|[，。！])作为(?:一[个名款])?(?:AI|人工智能)(?:助手|机器人)?[，,]?我",
    r"我(?:只|仅仅|仅)?是(?:一[个名款])?(?:(?:AI|人工智能)(?:助手|机器人)"
    r"|文心一言|通义千问|讯飞星火|智谱清言|豆包，|DeepSeek|ChatG)",
)
"""What a model says of itself, or is called, anywhere."""

# A letter that declines, a sentence to be reworded and a lesson on models say what a refusal says.
_ASKED_FOR = re.compile(
    r"\b(?:apolog|excuse|sorry|declin|refus|reject|dialog|conversation|script|cannot|can['’]t|unable|not able"
    r"|gpt|language models?\b)|语言模型|道歉|歉意|借口|婉拒|拒绝|对话|抱歉|对不起|无法|不能",
    re.IGNORECASE,
)
_BEGINNING = 400


class RefusalConfig(FilterConfigBase):
    """Reject refusals ("I'm sorry, but I cannot …"), "no output", and "as an AI language model".

    Every answer of a conversation is looked at, in English and Chinese. A question that asks for an
    apology, a refusal or a dialogue may have an answer that sounds like one.
    """

    kind: Literal["refusal"]
    questions: bool = True
    """Whether a question that calls its reader a language model is rejected too."""
    patterns: Patterns = ()
    """Other regular expressions that no answer may match, whatever the case."""

    def build(self) -> RefusalFilter:
        """Return the filter."""
        return RefusalFilter(self)


class RefusalFilter(Stateless):
    """Looks at the beginning of each answer for a refusal, and anywhere for a model's word on itself."""

    def __init__(self, config: RefusalConfig) -> None:
        self._questions = config.questions
        self._refusals, self._of_itself = any_of(REFUSALS), any_of(OF_ITSELF)
        self._no_output, self._others = any_of(NO_OUTPUT), any_of(config.patterns)

    def check(self, example: Example) -> Rejection | None:
        """Return a rejection with the words that were found, or None."""
        asked_for = any(_ASKED_FOR.search(question) for question in said_by("user", example))
        for answer in said_by("assistant", example):
            beginning = answer.strip()[:_BEGINNING]
            found = (
                _found("refuses", None if asked_for else self._refusals, beginning)
                or _found("no output", self._no_output, beginning)
                or _found("speaks as a language model", self._of_itself, answer)
                or _found("matches a pattern of the recipe", self._others, answer)
            )
            if found:
                return _rejection(example, *found)
        for question in said_by("user", example) if self._questions else ():
            found = _found("addresses a language model", self._of_itself, question)
            if found:
                return _rejection(example, *found)
        return None


def _found(reason: str, pattern: re.Pattern[str] | None, text: str) -> tuple[str, str] | None:
    match = pattern.search(text) if pattern else None
    return (reason, match[0].strip()) if match else None


def _rejection(example: Example, reason: str, words: str) -> Rejection:
    return Rejection(filter="refusal", reason=reason, example=example, nearest=words)

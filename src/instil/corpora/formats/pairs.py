"""One question, one answer, under one pair of keys or another.

To add such a pair, add a line to `PAIRS`: nothing else of a format is its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from instil.corpora.base import Format, Record, Row, lead, text, turn
from instil.corpora.formats.alpaca import asked
from instil.corpora.formats.chat import turns_of
from instil.corpora.formats.turns import conversation
from instil.corpora.formats.writing import proven, single
from instil.data.examples import Example

_PARAGRAPH = re.compile(r"<p>(.*?)</p>\s*", re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def prompt_completion(record: Record) -> tuple[Row]:
    """Return the conversation of `prompt, completion`: two texts, or two lists of messages as in TRL.

    Raises:
        BadRecord: one is missing or empty.
    """
    prompt, completion = record.get("prompt"), record.get("completion")
    if not isinstance(prompt, list) and not isinstance(completion, list):
        return (Row(turn(text(record, "prompt"), text(record, "completion"))),)
    if isinstance(prompt, list):
        asked_before = turns_of(prompt, "prompt")
    else:
        asked_before = [("user", text(record, "prompt"))]
    if isinstance(completion, list):
        answered = turns_of(completion, "completion")
    else:
        answered = [("assistant", text(record, "completion"))]
    return (Row(conversation([*asked_before, *answered])),)


def write_prompt_completion(example: Example) -> Mapping[str, Any]:
    """Return two texts, so that all records of a table are alike.

    Raises:
        BadRecord: the example has more than one question and one answer.
    """
    prompt, completion = single(example, "prompt_completion")
    record = {"prompt": prompt, "completion": completion}
    return proven(record, example, prompt_completion, "prompt_completion")


def gpt4all(record: Record) -> tuple[Row]:
    """Return the conversation of `prompt, response`; paragraphs that are the only HTML are plain text.

    Raises:
        BadRecord: one is missing or empty.
    """
    prompt = text(record, "prompt")
    if prompt.startswith("<p>"):
        plain = "\n\n".join(_PARAGRAPH.findall(prompt))
        if not _PARAGRAPH.sub("", prompt).strip() and plain.strip() and not _TAG.search(plain):
            prompt = plain
    return (Row(turn(prompt, text(record, "response"))),)


def dolly(record: Record) -> tuple[Row]:
    """Return the conversation of `instruction, context, response`; the context stands below.

    Raises:
        BadRecord: there is no question or no answer.
    """
    return (Row(turn(asked(record, "context"), text(record, "response"))),)


def huatuo(record: Record) -> tuple[Row]:
    """Return the conversation of `query, answer` or `questions, answers`; of several wordings the first.

    Raises:
        BadRecord: one is missing or empty.
    """
    asked_as, answered_as = ("query", "answer") if "query" in record else ("questions", "answers")
    plain = {key: _first(record.get(key)) for key in (asked_as, answered_as)}
    return (Row(turn(text(plain, asked_as), text(plain, answered_as))),)


def _first(value: Any) -> Any:
    while isinstance(value, list) and value:
        value = value[0]
    return value


def _reader(question: str, answer: str) -> Callable[[Record], tuple[Row]]:
    def read(record: Record) -> tuple[Row]:
        answered = turn(text(record, question), text(record, answer))
        system = record.get("system_prompt")
        return (Row((*lead(system), *answered) if isinstance(system, str) else answered),)

    return read


def _pair(
    name: str,
    question: str,
    answer: str,
    read: Callable[[Record], tuple[Row]] | None = None,
    write: Callable[[Example], Mapping[str, Any]] | None = None,
) -> Format:
    return Format(
        name,
        matches=lambda record: question in record and answer in record,
        read=read or _reader(question, answer),
        answer=answer,
        write=write,
    )


PAIRS = (
    _pair("dolly", "instruction", "response", dolly),
    _pair("prompt_completion", "prompt", "completion", prompt_completion, write_prompt_completion),
    _pair("gpt4all", "prompt", "response", gpt4all),
    _pair("input_target", "input", "target"),  # Firefly
    _pair("inputs_targets", "inputs", "targets"),  # Aya, xP3
    _pair("huatuo", "query", "answer", huatuo),
    _pair("huatuo_26m", "questions", "answers", huatuo),
    _pair("query_response", "query", "response"),  # MetaMath, ShenNong
    _pair("question_response", "question", "response"),  # OpenOrca, with its `system_prompt`
    _pair("problem_solution", "problem", "solution"),  # Magicoder's OSS-Instruct, NuminaMath
    _pair("question_answer", "question", "answer"),
    _pair("input_output", "input", "output"),
)

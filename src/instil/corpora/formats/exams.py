"""Questions of exams with a right answer: MedQA-USMLE, CMB, PubMedQA and GSM8K."""

from __future__ import annotations

from typing import Any

from instil.corpora.base import BadRecord, Format, Record, Row, Task, text, turn
from instil.data.examples import Label

_DECISIONS = ("yes", "no", "maybe")


def medqa(record: Record) -> tuple[Task]:
    """Return the question of `question, options: {A: …}, answer, answer_idx`.

    The options may also be a list of `{key, value}`; CMB has `option`, and the letter under `answer`.

    Raises:
        BadRecord: a part is missing, or the answer is none of the options.
    """
    from instil.corpora.tasks import MultipleChoice

    options = _options(record.get("options") or record.get("option"))
    letters, choices = tuple(options), tuple(options.values())
    index, answer = record.get("answer_idx"), record.get("answer")
    letter = index if index is not None else answer
    if isinstance(letter, str) and letter in options:
        chosen = letters.index(letter)
        if index is not None and isinstance(answer, str) and answer.strip() != choices[chosen].strip():
            raise BadRecord("'answer_idx' and 'answer' name different options")
    elif isinstance(answer, str) and choices.count(answer) == 1:
        chosen = choices.index(answer)
    else:
        raise BadRecord("the answer is none of the options")
    explanation = record.get("explanation")
    return (
        MultipleChoice(
            question=text(record, "question"),
            choices=choices,
            answer=chosen,
            explanation=explanation if isinstance(explanation, str) and explanation.strip() else None,
        ),
    )


def _options(given: Any) -> dict[str, str]:
    """Return the texts of the options by their letters; a table has empty ones where others have more."""
    if isinstance(given, list) and all(isinstance(each, dict) for each in given):
        given = {str(each.get("key")): each.get("value") for each in given}
    if not isinstance(given, dict):
        raise BadRecord("'options' is not an object of options")
    options = {letter: option for letter, option in given.items() if option not in (None, "")}
    if len(options) < 2 or not all(isinstance(part, str) for pair in options.items() for part in pair):
        raise BadRecord("'options' are not two texts or more")
    return options


def pubmedqa(record: Record) -> tuple[Task]:
    """Return the question on a passage: `QUESTION, CONTEXTS, LONG_ANSWER, final_decision`.

    The hub's names, `question, context: {contexts}, long_answer`, are read too. Where nobody decided (the
    unlabelled part), the long answer is the answer.

    Raises:
        BadRecord: a part is missing, or the record has decisions without their questions.
    """
    from instil.corpora.tasks import ReadingComprehension

    if _decisions_alone(record):
        raise BadRecord("answers without their questions: read the file that has the questions too")
    raw = "QUESTION" in record
    if raw:
        contexts = record.get("CONTEXTS")
    else:
        context = record.get("context")
        contexts = context.get("contexts") if isinstance(context, dict) else None
    if not isinstance(contexts, list) or not contexts or not all(isinstance(each, str) for each in contexts):
        raise BadRecord("the contexts are not a list of texts")
    long_answer = text(record, "LONG_ANSWER" if raw else "long_answer", required=False)
    decision = text(record, "final_decision", required=False).strip()
    if decision and decision not in _DECISIONS:
        raise BadRecord(f"'final_decision' is none of {', '.join(_DECISIONS)}")
    if not decision and not long_answer.strip():
        raise BadRecord("neither a decision nor a long answer")
    return (
        ReadingComprehension(
            passage="\n".join(contexts),
            question=text(record, "QUESTION" if raw else "question"),
            answer=decision or long_answer,
            choices=_DECISIONS if decision else (),
            explanation=long_answer if decision and long_answer.strip() else None,
        ),
    )


def _decisions_alone(record: Record) -> bool:
    return (
        bool(record)
        and all(value in _DECISIONS for value in record.values() if isinstance(value, str))
        and all(isinstance(value, str) for value in record.values())
    )


def gsm8k(record: Record) -> tuple[Row]:
    """Return the conversation of `question, answer`, the solution as it stands; the label is its number.

    Raises:
        BadRecord: the answer has no number after `####`.
    """
    question, answer = text(record, "question"), text(record, "answer")
    number = answer.rpartition("####")[2].strip()
    if not number:
        raise BadRecord("'answer' has no number after ####")
    label = Label(task="math", template="gsm8k", value=number, answer=number)
    return (Row(turn(question, answer), label),)


def _matches_gsm8k(record: Record) -> bool:
    answer = record.get("answer")
    return "question" in record and isinstance(answer, str) and "\n#### " in answer


MEDQA = Format(
    "medqa",
    matches=lambda record: (
        "question" in record and "answer" in record and ("options" in record or "option" in record)
    ),
    read=medqa,
)
PUBMEDQA = Format(
    "pubmedqa",
    matches=lambda record: (
        ("QUESTION" in record and "CONTEXTS" in record)
        or ("pubid" in record and "context" in record)
        or _decisions_alone(record)
    ),
    read=pubmedqa,
)
GSM8K = Format("gsm8k", matches=_matches_gsm8k, read=gsm8k, answer="answer")

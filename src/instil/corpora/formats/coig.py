"""COIG's parts, each of a shape of its own: exams and values, translated instructions, corrected chats."""

from __future__ import annotations

import orjson

from instil.corpora.base import BadRecord, Format, Record, Row, text, turn
from instil.corpora.formats.turns import conversation
from instil.data.messages import Turn

_EXAM = ("textbox_q_instruction", "textbox_q_context", "textbox_question")


def read(record: Record) -> tuple[Row]:
    """Return the conversation of a record of any part.

    - `exam_instructions`, `human_value_alignment_instructions_part2`: the question is instruction, context
      and question, one below the other; the answer is the analysis, which ends with it, else the answer.
    - `translated_instructions`: the Chinese texts, `trans_instruction, trans_input, trans_output`.
    - `counterfactural_correction_multi_round_chat`: `round_0`, `round_1`, … with a `response` that is
      `{"Q", "A"}` as JSON text.

    The other parts are alpaca. This is what COIG's own loader takes.

    Raises:
        BadRecord: there is no question with an answer.
    """
    if "textbox_question" in record:
        asked = [value for key in _EXAM if (value := text(record, key, required=False)).strip()]
        if not asked:
            raise BadRecord("'textbox_question' is empty")
        answer = text(record, "textbox_answer_analysis", required=False)
        return (Row(turn("\n".join(asked), answer if answer.strip() else text(record, "textbox_answer"))),)
    if "trans_instruction" in record:
        question, context = text(record, "trans_instruction"), text(record, "trans_input", required=False)
        if context.strip():
            question = f"{question}\n{context}"
        return (Row(turn(question, text(record, "trans_output"))),)
    return (Row(_rounds(record)),)


def _rounds(record: Record) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    number = 0
    while isinstance(said := record.get(f"round_{number}"), dict):
        try:
            pair = orjson.loads(text(said, "response"))
        except orjson.JSONDecodeError as error:
            raise BadRecord("a 'response' is not JSON") from error
        if not isinstance(pair, dict):
            raise BadRecord("a 'response' is not an object of Q and A")
        turns += [("user", text(pair, "Q")), ("assistant", text(pair, "A"))]
        number += 1
    return conversation(turns)


COIG = Format(
    "coig",
    matches=lambda record: (
        "textbox_question" in record or "trans_instruction" in record or "round_0" in record
    ),
    read=read,
)

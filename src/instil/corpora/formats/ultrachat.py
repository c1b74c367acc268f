"""UltraChat: `data: [question, answer, question, …]`; HuatuoGPT's rows, with 问 and 答 before them, too."""

from __future__ import annotations

from instil.corpora.base import BadRecord, Format, Record, Row
from instil.corpora.formats.turns import alternating

_MARKS = (("问：", "问:"), ("答：", "答:"))


def read(record: Record) -> tuple[Row]:
    """Return the conversation, without marks that say who speaks if every turn has one.

    Raises:
        BadRecord: `data` is not a list of texts, or has no question with an answer.
    """
    said = record.get("data")
    if not isinstance(said, list) or not all(isinstance(text, str) for text in said):
        raise BadRecord("'data' is not a list of texts")
    if all(text.startswith(_MARKS[number % 2]) for number, text in enumerate(said)):
        said = [text[2:] for text in said]
    return (Row(alternating(said)),)


def _matches(record: Record) -> bool:
    said = record.get("data")
    return isinstance(said, list) and bool(said) and isinstance(said[0], str)


ULTRACHAT = Format("ultrachat", matches=_matches, read=read)

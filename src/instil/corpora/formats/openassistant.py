"""OpenAssistant: trees of messages, `message_tree_id, prompt: {text, role, replies: […], rank}`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from instil.corpora.base import BadRecord, Format, Record, Row
from instil.corpora.formats.turns import conversation
from instil.data.messages import Role, Turn

_ROLES: dict[Any, Role] = {"prompter": "user", "assistant": "assistant"}


def read(record: Record) -> list[Row]:
    """Return one row for every path from the prompt to a last answer, all of the tree's group.

    As in OpenAssistant's own training: paths through a message that was deleted, that failed its review
    (spam) or that a model wrote are left out, and questions at their end that nobody answered are cut off.
    Answers of every rank are taken; `openassistant_best` takes the best one at each step.

    Raises:
        BadRecord: no path ends with an answer, or the record is one message of a tree.
    """
    return _rows(record, _paths(_root(record), ()))


def read_best(record: Record) -> list[Row]:
    """Return one row for the path that takes the best ranked reply at each step, as Guanaco's data does.

    Raises:
        BadRecord: no path ends with an answer, or the record is one message of a tree.
    """
    # The first of them takes the best reply everywhere, because replies are taken by their rank.
    return _rows(record, islice(_paths(_root(record), ()), 1))


def _rows(record: Record, paths: Iterable[tuple[Turn, ...]]) -> list[Row]:
    tree = record.get("message_tree_id")
    rows = [Row(conversation(path), group=tree if isinstance(tree, str) else None) for path in paths]
    if not rows:
        raise BadRecord("no path ends with an answer that people wrote and let pass")
    return rows


def _root(record: Record) -> dict[str, Any]:
    if "prompt" not in record:
        raise BadRecord("one message of a tree: read the file of trees, `…trees.jsonl.gz`, instead")
    if not isinstance(record["prompt"], dict):
        raise BadRecord("'prompt' is not a message")
    return record["prompt"]


def _paths(message: dict[str, Any], before: tuple[Turn, ...]) -> Iterator[tuple[Turn, ...]]:
    role, text = _ROLES.get(str(message.get("role"))), message.get("text")
    if role is None:
        raise BadRecord(f"unknown role {message.get('role')!r}")
    if not isinstance(text, str) or not text.strip() or _left_out(message):
        return
    path, longer = (*before, (role, text)), False
    for reply in sorted(_replies(message), key=_rank):
        for found in _paths(reply, path):
            longer = True
            yield found
    if role == "assistant" and not longer:
        yield path


def _left_out(message: dict[str, Any]) -> bool:
    return bool(message.get("deleted") or message.get("synthetic") or message.get("review_result") is False)


def _replies(message: dict[str, Any]) -> list[dict[str, Any]]:
    replies = message.get("replies") or []
    if not isinstance(replies, list) or not all(isinstance(reply, dict) for reply in replies):
        raise BadRecord("'replies' is not a list of messages")
    return replies


def _rank(message: dict[str, Any]) -> float:
    rank = message.get("rank")
    return rank if isinstance(rank, int | float) else float("inf")


def _matches(record: Record) -> bool:
    return "message_tree_id" in record and ("prompt" in record or "parent_id" in record)


OPENASSISTANT = Format("openassistant", matches=_matches, read=read)
OPENASSISTANT_BEST = Format("openassistant_best", matches=_matches, read=read_best)

"""Rows as columns: what the steps of a mixture pass on, and how it is made of what sources give."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from instil.corpora.base import Row
from instil.data.messages import Role, Turn

ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")
"""Roles by the number that stands for them."""
_NUMBER = {role: number for number, role in enumerate(ROLES)}

_TURN = pa.struct([pa.field("role", pa.uint8()), pa.field("content", pa.string())])
SCHEMA = pa.schema(
    [
        pa.field("id", pa.uint64()),  # of the conversation: the number that `Example.id` writes in hex
        pa.field("source", pa.uint16()),  # place of the source among those sorted by name
        pa.field("group", pa.uint64()),  # of what must stay on one side of the split
        pa.field("tokens", pa.uint32()),  # of all contents; 0 where nobody asked
        pa.field("size", pa.uint32()),  # characters of all contents
        pa.field("language", pa.string()),  # empty where nobody asked
        pa.field("task", pa.string()),
        pa.field("turns", pa.list_(_TURN)),
        pa.field(
            "about", pa.string()
        ),  # JSON of the other fields of the example; null where the corpus says all
    ]
)


def conversation_id(turns: Sequence[Turn]) -> int:
    """Return the id that an example of these turns has, as a number."""
    text = orjson.dumps([{"content": content, "role": role} for role, content in turns])
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def group(row: Row) -> int:
    """Return the number of a row's group: the one that it names, else its first question."""
    name = row.group
    if name is None:
        name = next((content for role, content in row.turns if role == "user"), "")
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def task_of(row: Row) -> str | None:
    """Return what kind of task a row says it is."""
    if row.label is not None:
        return row.label.task
    return None if row.origin is None else row.origin.task


def about(row: Row) -> str | None:
    """Return what a row says besides its turns as JSON, or None where that is nothing."""
    if row.origin is None and row.label is None and row.scores is None and row.similar is None:
        return None
    found = {
        "origin": None if row.origin is None else row.origin.model_dump(mode="json", exclude_defaults=True),
        "label": None if row.label is None else row.label.model_dump(mode="json"),
        "scores": row.scores,
        "similar": row.similar,
    }
    said = {key: value for key, value in found.items() if value}
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode() if said else None


class Batch:
    """Rows of one source, whose contents stand one after the other, to be searched and mended at once."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.contents = [content for row in rows for _, content in row.turns]
        self.ends = np.zeros(len(rows) + 1, np.int32)
        """Where the contents of each row begin and end."""
        np.cumsum([len(row.turns) for row in rows], out=self.ends[1:])
        self.array = pa.array(self.contents, pa.string())
        """The contents as an Arrow array."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lists(self) -> pa.ListArray:
        """The contents of each row."""
        return pa.ListArray.from_arrays(pa.array(self.ends), self.array)

    def row_of(self, content: int) -> int:
        """Return the row that has a content."""
        return int(np.searchsorted(self.ends, content, side="right")) - 1

    def replace(self, texts: Mapping[int, str]) -> None:
        """Put other texts in the place of some contents."""
        for content, text in texts.items():
            index = self.row_of(content)
            place = content - int(self.ends[index])
            row = self.rows[index]
            turns = list(row.turns)
            turns[place] = (turns[place][0], text)
            self.rows[index] = row._replace(turns=turns)
            self.contents[content] = text
        changed = np.zeros(len(self.contents), bool)
        changed[list(texts)] = True
        others = pa.array([texts[content] for content in sorted(texts)], pa.string())
        self.array = pc.replace_with_mask(self.array, pa.array(changed), others)

    def sums(self, values: Sequence[int]) -> npt.NDArray[np.int64]:
        """Return the sum for each row of values for each content."""
        totals = np.zeros(len(values) + 1, np.int64)
        np.cumsum(values, out=totals[1:])
        sums: npt.NDArray[np.int64] = totals[self.ends[1:]] - totals[self.ends[:-1]]
        return sums

    def table(self, source: int, task: str, tokens: Sequence[int], languages: Sequence[str]) -> pa.Table:
        """Return the rows as a table of SCHEMA.

        Args:
            source: the number of the source.
            task: what kind of task rows are that do not say it.
            tokens: of each row.
            languages: of each row.
        """
        rows = self.rows
        roles = np.frombuffer(bytes([_NUMBER[role] for row in rows for role, _ in row.turns]), np.uint8)
        turns = pa.StructArray.from_arrays([pa.array(roles), self.array], fields=list(_TURN))
        return pa.table(
            [
                pa.array(np.array([conversation_id(row.turns) for row in rows], np.uint64)),
                pa.array(np.full(len(rows), source, np.uint16)),
                pa.array(np.array([group(row) for row in rows], np.uint64)),
                pa.array(np.asarray(tokens, np.uint32)),
                pa.array(self.sums([len(text) for text in self.contents]).astype(np.uint32)),
                pa.array(languages, pa.string()),
                pa.array([task_of(row) or task for row in rows], pa.string()),
                pa.ListArray.from_arrays(pa.array(self.ends), turns),
                pa.array([about(row) for row in rows], pa.string()),
            ],
            schema=SCHEMA,
        )

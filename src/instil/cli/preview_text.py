"""A preview of training rows as lines of text, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from instil.data.text import printable
from instil.models.pieces import Piece
from instil.stages.train import TrainConfig
from instil.stages.train.preview import Measured, Preview, ShownRow

_BETWEEN = "│"
_COUNT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_LEARNED = {
    "assistant": "every answer with its end mark",
    "last": "the last answer with its end mark",
    "all": "everything",
}


def lines(found: Preview, config: TrainConfig, seed: int, *, ids: bool, coloured: bool) -> Iterator[str]:
    """Yield rows, facts and findings to be read; `ids`: one token a line."""
    for row in found.rows:
        part = f", part {row.part}" if row.part > 1 else ""
        head = f"row {row.number:,}{part}: {row.tokens:,} tokens, {row.supervised:,} learned"
        if row.reason:
            head = f"row {row.number:,}: left out, {printable(row.reason)}"
        yield click.style(head, bold=True) if coloured else head
        yield from (f"  {line}" for line in (_table(row) if ids else _text(row, coloured=coloured)))
        yield ""
    if found.measured:
        for name, fact in _facts(found, found.measured, config, seed):
            yield f"{name:<10}{printable(fact)}"
    for finding in found.findings:
        if not finding.fatal:
            yield f"{'note':<10}{finding.text}" + (f"; {finding.hint}" if finding.hint else "")


def _text(row: ShownRow, *, coloured: bool) -> Iterator[str]:
    """Yield a row's text in lines, with its tokens apart."""
    line, learned = "", False
    for piece in row.pieces:
        if not coloured and piece.learned != learned:
            line += "⟦" if piece.learned else "⟧"
        elif line:
            line += click.style(_BETWEEN, dim=True) if coloured else _BETWEEN
        learned = piece.learned
        line += _styled(piece) if coloured else _visible(piece)
        if "\n" in piece.text:
            yield line
            line = ""
    if line or learned:
        yield line + ("⟧" if learned and not coloured else "")


def _styled(piece: Piece) -> str:
    return click.style(
        _visible(piece), fg="green" if piece.learned else None, dim=not piece.learned, bold=piece.special
    )


def _visible(piece: Piece) -> str:
    """Return a piece so that every character shows; a small number says how many tokens it has."""
    text = printable(piece.text.replace("\n", "⏎").replace("\t", "⇥").replace("\r", "␍"))
    return text + (str(len(piece.ids)).translate(_COUNT) if len(piece.ids) > 1 else "")


def _table(row: ShownRow) -> Iterator[str]:
    """Yield one token a line: its place, its id, whether it is learned, and its text."""
    place = 0
    for piece in row.pieces:
        for number, token in enumerate(piece.ids):
            shown = _visible(piece) if number == 0 else "…"
            yield f"{place:>5} {token:>7}  {'learned' if piece.learned else '       '}  {shown}"
            place += 1


def _facts(found: Preview, measured: Measured, config: TrainConfig, seed: int) -> Iterator[tuple[str, str]]:
    """Yield what is told of the measured rows."""
    tally, tokens, limit = measured.tally, measured.tokens, config.max_seq_length
    of = f" of {found.total:,}" if found.total and found.total > tally.asked else ""
    some = of or not found.all_measured
    yield (
        "rows",
        f"{found.path}: {'the first ' if some else ''}{tally.asked:,}{of} measured"
        + ("; --all measures every one" if some else ""),
    )
    if tokens:
        longest, number = measured.longest
        mean = tokens / len(measured.lengths)
        yield "tokens", f"{tokens:,}; {mean:,.0f} a row, {longest:,} in the longest (row {number:,})"
        yield "learned", f"{measured.supervised / tokens:.1%} of the tokens: {_LEARNED[config.loss_on]}"
        everywhere = tally.ends == tally.rows
        ends = "every row" if everywhere else f"{tally.ends:,} of {tally.rows:,} rows"
        yield "end mark", f"{found.end_mark} (id {found.end_id}), learned in {ends}"
    if tally.cut or tally.split:
        how = f"{tally.cut:,} cut" if tally.cut else f"{tally.split:,} split"
        yield "too long", f"{how} at {limit:,} tokens; messages left out: {tally.messages_left_out:,}"
    for reason, count in tally.reasons.items():
        yield "left out", f"{count:,} × {reason}"
    if tokens:
        packed = measured.packed_rows(limit, seed)
        yield "packed", f"rows of {limit:,} tokens: {packed:,}, {tokens / packed / limit:.1%} full"


def as_json(found: Preview, config: TrainConfig, seed: int) -> dict[str, Any]:
    """Return everything as JSON values."""
    shown = [
        {
            "row": row.number,
            "part": row.part,
            "example": row.example,
            "left_out": row.reason,
            "tokens": row.tokens,
            "supervised": row.supervised,
            "pieces": [
                {"text": each.text, "ids": each.ids, "learned": each.learned, "special": each.special}
                for each in row.pieces
            ],
        }
        for row in found.rows
    ]
    findings = [{"text": each.text, "hint": each.hint, "fatal": each.fatal} for each in found.findings]
    return {
        "path": str(found.path),
        "total": found.total,
        "rows": shown,
        "summary": _summary(found, found.measured, config, seed) if found.measured else None,
        "findings": findings,
    }


def _summary(found: Preview, measured: Measured, config: TrainConfig, seed: int) -> dict[str, Any]:
    tally = measured.tally
    return {
        "measured": tally.asked,
        "kept": tally.counts.kept,
        "rejected": tally.counts.rejected,
        "reasons": tally.counts.reasons,
        "rows": tally.rows,
        "cut": tally.cut,
        "split": tally.split,
        "messages_left_out": tally.messages_left_out,
        "tokens": measured.tokens,
        "supervised": measured.supervised,
        "longest": {"tokens": measured.longest[0], "row": measured.longest[1]},
        "end_mark": found.end_mark,
        "end_mark_learned": tally.ends,
        "max_seq_length": config.max_seq_length,
        "packed_rows": measured.packed_rows(config.max_seq_length, seed),
    }

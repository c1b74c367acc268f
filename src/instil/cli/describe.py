"""corpora describe: what a file of rows holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from instil.cli import display
from instil.cli.facts import print_fact
from instil.corpora.describe import UNDECIDED, Description
from instil.corpora.describe import describe as described
from instil.corpora.fetch import in_words
from instil.corpora.formats import FORMATS
from instil.data.text import printable
from instil.errors import MissingPackage, RequestError

_LANGUAGES_SHOWN = 6
_REASONS_SHOWN = 5
_TYPES_SHOWN = 2
_MESSAGES_SHOWN = 5
_SAID = 240
"""Characters of a message that are shown."""


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--format", "format_name", metavar="NAME", help="Read it as this format, instead of telling it."
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Look at the first N records only.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def describe(path: Path, format_name: str | None, limit: int | None, quiet: bool, as_json: bool) -> None:
    """Tell what PATH holds: a file, a directory, or a pattern such as 'data/**/*.jsonl'.

    JSON, JSON Lines, CSV, Parquet, Arrow, packed or in an archive: format, fields, lengths, languages,
    duplicates and three rows, and the entry for a recipe.
    """
    if format_name is not None and format_name not in FORMATS:
        raise RequestError(f"no format {format_name!r}", hint=f"choose one of {', '.join(FORMATS)}")
    progress = display.open_progress(quiet=quiet)
    with progress.task("reading", total=limit, unit="records") as task:
        found = described(path, _language, limit=limit, format_name=format_name, read=partial(task.advance))
    if as_json:
        display.print_json(found.as_json())
    else:
        _print(found)


def _language(text: str) -> str:
    # A second to import where languages of one script are told apart.
    from instil.filters.scripts import LANGUAGES
    from instil.mixing.languages import OTHER, language

    try:
        found = language(text, {each for languages in LANGUAGES.values() for each in languages})
    except MissingPackage:
        return UNDECIDED
    return UNDECIDED if found == OTHER else found


def _print(found: Description) -> None:
    files = next(iter(found.containers))
    if found.files > 1:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.containers.items())
        files = f"{found.files:,} files ({kinds})"
    read = "" if found.whole else f"; only the first {found.records:,} records were read"
    click.echo(f"{found.path}: {files}, {in_words(found.size)}{read}")
    failed = sum(found.failures.values())
    facts = [("records", f"{found.records:,} in {_formats(found)}"), ("rows", f"{found.rows:,}")]
    if found.rows:
        facts += _row_facts(found)
    facts.append(("failed", f"{failed:,}"))
    for key, value in facts:
        print_fact(key, value)
    for reason, count in list(found.failures.items())[:_REASONS_SHOWN]:
        click.echo(f"{'':<15} {count:>6,}  {printable(reason)}")
    for failure in found.first_failures[:1]:
        click.echo(f"{'':<15} the first: {printable(failure['place'])}: {printable(failure['reason'])}")
    click.echo()
    display.print_table(["field", "type", "present", "filled"], [_column(each) for each in found.columns])
    for number, turns in enumerate(found.examples, start=1):
        click.echo(f"\nrow {number} of {len(found.examples)}, spread over all")
        for role, content in turns[:_MESSAGES_SHOWN]:
            click.echo(f"  {role + ':':<11}{display.excerpt(content, _SAID)}")
        if more := len(turns[_MESSAGES_SHOWN:]):
            click.echo(f"  and {more} more {'message' if more == 1 else 'messages'}")
    click.echo(f"\nin a recipe, under mix.corpora:\n{_indented(found.entry)}")
    if found.fields:
        click.echo("no format fits; these fields are a guess from their names, see the table above")
    elif not found.rows:
        click.echo("no format fits; say under `fields:` which columns are the question and the answer")


def _formats(found: Description) -> str:
    if not found.formats:
        return "no known format"
    total = sum(found.formats.values()) + found.unknown
    said = [f"the format {name} ({_share(count / total)})" for name, count in found.formats.items()]
    unknown = [f"no known format ({_share(found.unknown / total)})"] if found.unknown else []
    return ", ".join(said + unknown)


def _row_facts(found: Description) -> list[tuple[str, str]]:
    about = "about " if found.estimated else ""
    duplicates = f"{about}{found.duplicates:,} equal to an earlier row"
    languages = list(found.languages.items())
    shown = [f"{_named(code)} {_share(share)}" for code, share in languages[:_LANGUAGES_SHOWN]]
    rest = sum(share for _, share in languages[_LANGUAGES_SHOWN:])
    return [
        ("duplicates", f"{duplicates}; {about}{found.same_question:,} ask what an earlier row asks"),
        ("languages", ", ".join([*shown, f"others {_share(rest)}"] if rest else shown)),
        ("messages", f"{_lengths(found.turns)} a row; {found.system:,} rows with a system prompt"),
        ("questions", f"{_lengths(found.questions)} characters"),
        ("answers", f"{_lengths(found.answers)} characters"),
    ]


def _named(code: str) -> str:
    return "undecided" if code == UNDECIDED else code


def _lengths(found: Mapping[str, int]) -> str:
    low, median, high, longest = (found[name] for name in ("p5", "median", "p95", "longest"))
    if low == longest:
        return f"{longest:,}"
    mostly = "" if low == high else f", mostly {low:,} to {high:,}"
    return f"median {median:,}{mostly}, at most {longest:,}"


def _share(share: float) -> str:
    if share == 1:
        return "all"
    # Neither all nor nothing may be said of what is only almost that.
    return f"{min(max(share, 0.001), 0.999):.1%}"


def _column(column: Mapping[str, Any]) -> Sequence[str]:
    types = column["types"][:_TYPES_SHOWN] + ["other"] * (len(column["types"]) > _TYPES_SHOWN)
    return [column["field"], " or ".join(types), _share(column["present"]), _fill(column["filled"])]


def _fill(share: float) -> str:
    return "never" if share == 0 else _share(share)


def _indented(entry: str) -> str:
    return "\n".join(f"  {line}" for line in entry.splitlines())

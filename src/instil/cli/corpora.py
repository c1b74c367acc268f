"""corpora: the catalogue of known corpora, fetching them, and what a file of rows holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click

from instil.cli import display
from instil.cli.describe import describe
from instil.cli.facts import print_fact
from instil.corpora import fetch as fetching
from instil.corpora.catalogue import Entry, Use, catalogue, entry
from instil.corpora.fetch import Fetched, Fetching, Hub, Place, in_words, place_of
from instil.corpora.fetch.conversion import convert_once
from instil.errors import RequestError

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_LANGUAGES_SHOWN = 3
_OPENAI = "*"
_ABOUT_OPENAI = "answers by a model of OpenAI, whose terms forbid to train competing models with them"
_TASKS_WIDTH = 21


@click.group()
def corpora() -> None:
    """Find, fetch and look at open corpora.

    `list` shows those that are known, `fetch` brings one here, and a recipe reads it as
    `- {kind: known, corpus: NAME}`. `describe` looks at any file of rows.
    """


corpora.add_command(describe)


@corpora.command("list")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--language", metavar="CODE", help="Only corpora with this language, such as zh.")
@click.option("--task", metavar="TASK", help="Only corpora for this, such as dialogue or mathematics.")
@click.option(
    "--license-allows",
    "use",
    type=click.Choice(get_args(Use)),
    help="Only corpora whose publisher clearly allows this.",
)
@_JSON
def list_(
    words: tuple[str, ...], language: str | None, task: str | None, use: Use | None, as_json: bool
) -> None:
    """List the corpora that are known, those in whose description every WORD stands."""
    found = [
        each
        for each in catalogue().values()
        if each.matches(words, language, task) and (use is None or each.permits(use))
    ]
    if as_json:
        display.print_json([_as_json(each) for each in found])
        return
    if not found:
        raise RequestError("no corpus is like that", hint="`instil corpora list` shows all of them")
    columns = ["name", "languages", "rows", "size", "licence", "commercial", "for"]
    display.print_table(columns, [_row(each) for each in found])
    click.echo(f"\n{len(found)} of {len(catalogue())} corpora; `instil corpora show NAME` tells all of one")
    if any(each.by_openai for each in found):
        click.echo(f"{_OPENAI} {_ABOUT_OPENAI}")


def _row(each: Entry) -> list[str]:
    many = len(each.languages) > _LANGUAGES_SHOWN or each.languages == ("multilingual",)
    return [
        each.name,
        "many" if many else " ".join(each.languages),
        f"{each.rows:,}" if each.rows else "",
        in_words(each.size) if each.size else "",
        _license(each),
        each.allows.commercial + (_OPENAI if each.by_openai else ""),
        _tasks(each.tasks),
    ]


def _tasks(tasks: Sequence[str]) -> str:
    """Return the first tasks, as many as fit, and how many more there are."""
    for shown in range(len(tasks), 1, -1):
        more = f" +{len(tasks) - shown}" if shown < len(tasks) else ""
        if len(said := ", ".join(tasks[:shown]) + more) <= _TASKS_WIDTH:
            return said
    return tasks[0] + (f" +{len(tasks) - 1}" if len(tasks) > 1 else "")


def _license(each: Entry) -> str:
    return (each.license or "not stated").removeprefix("LicenseRef-")


def _as_json(each: Entry) -> dict[str, object]:
    fetched = place_of(each.name).read()
    return {
        **each.model_dump(mode="json"),
        "by_openai": each.by_openai,
        "fetched": fetched and fetched.model_dump(mode="json"),
    }


@corpora.command()
@click.argument("name")
@_JSON
def show(name: str, as_json: bool) -> None:
    """Show everything that is known of one corpus, and whether it is here."""
    found = entry(name)
    if as_json:
        display.print_json(_as_json(found))
        return
    place = place_of(name)
    fetched = place.read()
    for key, value in [*_facts(found), ("here", _here(place, fetched))]:
        if value:
            print_fact(key, value)
    click.echo(f"\nin a recipe, under mix.corpora:\n  - {{kind: known, corpus: {name}}}")


def _facts(each: Entry) -> list[tuple[str, str]]:
    allows = each.allows
    source = each.source
    return [
        ("name", each.name),
        ("title", each.title),
        ("about", each.about),
        ("languages", ", ".join(each.languages)),
        ("for", ", ".join(each.tasks)),
        ("rows", f"{each.rows:,}" if each.rows else "not known"),
        ("size", in_words(each.size) if each.size else "not known"),
        ("licence", _license(each)),
        ("commercial use", allows.commercial),
        ("passing on", allows.redistribution + (", under the same licence" if allows.share_alike else "")),
        ("written by", each.written_by or ""),
        ("terms", each.terms or ""),
        ("", _ABOUT_OPENAI if each.by_openai else ""),
        ("gated", "its terms must be accepted on its page, and HF_TOKEN set" if each.gated else ""),
        ("format", each.format or "told from each record"),
        ("parts", ", ".join(each.parts)),
        ("from", f"{source.id} on the hub" if source.kind == "hub" else str(source.files[0].url)),
        ("revision", (source.revision or "the newest; kept once fetched") if source.kind == "hub" else ""),
        ("page", str(each.page)),
    ]


def _here(place: Place, fetched: Fetched | None) -> str:
    if fetched is None:
        return "no"
    return f"{_held(fetched)}, in {place.files}, since {fetched.fetched_at}"


def _held(fetched: Fetched) -> str:
    count = len(fetched.files)
    return f"{count:,} {'file' if count == 1 else 'files'}, {in_words(fetched.size)}"


@corpora.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--to", "directory", type=click.Path(path_type=Path), help="Bring them below this directory.")
@click.option("--only", multiple=True, metavar="PART", help="A part or pattern of files; also several times.")
@click.option("--update", is_flag=True, help="Take what is newest, instead of what was taken before.")
@click.option(
    "--connections",
    type=click.IntRange(1, 64),
    default=fetching.CONNECTIONS,
    show_default=True,
    help="How many to use at a time.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
@_JSON
def fetch(
    names: tuple[str, ...],
    directory: Path | None,
    only: tuple[str, ...],
    update: bool,
    connections: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Bring corpora of the catalogue here: downloaded, verified, converted once, and written down.

    What is here already is not downloaded again, and what was cut off goes on where it stopped. HF_ENDPOINT
    names a mirror of the hub, such as https://hf-mirror.com; HF_TOKEN opens corpora whose terms you accepted.
    """
    entries = [entry(name) for name in names]
    done = []
    progress = display.open_progress(quiet=quiet)
    hub = Hub.of()
    for each in entries:
        place = place_of(each.name, directory)
        asked = Fetching(each, place, hub, only, update, connections)
        before = place.read()
        if before is None:
            for line in _terms(each):
                click.echo(line, err=True)
        fetched = fetching.fetch(asked, progress)
        # Elsewhere a recipe reads the files themselves.
        converted = convert_once(place, fetched, progress) if directory is None else 0
        done.append({"place": str(place.files), "converted": converted, **fetched.model_dump()})
        if not as_json:
            _print_fetched(each, place, fetched, new=fetched != before, below=directory)
    if as_json:
        display.print_json(done)


def _terms(each: Entry) -> list[str]:
    """Return what somebody must know before a corpus comes to the disk."""
    size = f", {in_words(each.size)}" if each.size else ""
    lines = [f"{each.name}: {each.title}{size}; licence: {_license(each)}"]
    use = each.allows
    lines.append(f"  commercial use: {use.commercial}; passing on: {use.redistribution}; see {each.page}")
    lines += [f"  {each.terms}"] if each.terms else []
    lines += [f"  {_ABOUT_OPENAI}"] if each.by_openai else []
    return lines


def _print_fetched(each: Entry, place: Place, fetched: Fetched, *, new: bool, below: Path | None) -> None:
    unchecked = [file.path for file in fetched.files if not file.verified]
    already = "" if new else "here already: "
    click.echo(f"{each.name}: {already}{_held(fetched)}, in {place.files}")
    if fetched.revision:
        click.echo(f"  at revision {fetched.revision}")
    if unchecked and new:
        click.echo(f"  no checksum is known of {_listed(unchecked)}; theirs are written down now")
    if below is None:
        click.echo(f"  in a recipe: - {{kind: known, corpus: {each.name}}}")
    else:
        said = f", format: {each.format}" if each.format else ""
        click.echo(f"  in a recipe: - {{kind: files, name: {each.name}, path: {place.files}{said}}}")


def _listed(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"

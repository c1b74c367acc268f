"""The report as a page of HTML that needs nothing from outside itself."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from instil.report.facts import gather
from instil.store.atomic import atomic_write

REPORT = "report.html"


def render(run: Path) -> str:
    """Return the page of a run; text from models and rows is escaped.

    Raises:
        RequestError: the directory is not a run.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("page.html.j2").render(facts=gather(run))


def write(run: Path) -> Path:
    """Write report.html into a run and return its path."""
    path = run / REPORT
    page = render(run)
    with atomic_write(path) as file:
        file.write(page.encode())
    return path

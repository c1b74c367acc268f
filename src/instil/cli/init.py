"""init: a workspace from a packaged scenario."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from instil.cli import display
from instil.errors import RequestError

_SCENARIOS = Path(__file__).parent.parent / "scenarios"
DEFAULT_SCENARIO = "clinic-zh"


def scenario_names() -> list[str]:
    """Return the names of the packaged scenarios."""
    return sorted(path.parent.name for path in _SCENARIOS.glob("*/recipe.yaml"))


def scenario_dir(name: str) -> Path:
    """Return the directory of a packaged scenario.

    Raises:
        RequestError: there is no such scenario.
    """
    if name not in scenario_names():
        raise RequestError(f"no scenario {name!r}", hint=f"choose one of {', '.join(scenario_names())}")
    return _SCENARIOS / name


def make_workspace(directory: Path, scenario: str) -> Path:
    """Copy a scenario into a new or empty directory and return its recipe.

    Raises:
        RequestError: the directory has files in it, or cannot be written.
    """
    source = scenario_dir(scenario)
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise RequestError(
                f"{str(directory)!r} is not an empty directory",
                hint="name a new directory; nothing was changed",
            )
        directory.mkdir(parents=True, exist_ok=True)
        for path in sorted(source.iterdir()):
            if path.is_file():
                shutil.copyfile(path, directory / path.name)
    except OSError as error:
        raise RequestError(f"cannot write {str(directory)!r}: {error.strerror}") from error
    return directory / "recipe.yaml"


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--scenario", default=DEFAULT_SCENARIO, show_default=True, help="clinic-zh, clinic-en or blank."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def init(directory: Path, scenario: str, as_json: bool) -> None:
    """Make a workspace in DIRECTORY: a recipe and the files that it names, to be changed into yours."""
    recipe = make_workspace(directory, scenario)
    files = sorted(path.name for path in directory.iterdir())
    if as_json:
        display.print_json({"recipe": str(recipe), "files": files})
        return
    click.echo(f"{scenario} is in {directory}: {', '.join(files)}")
    click.echo(f"next: {display.command_name()} run {recipe}")

"""The command line: one module a command, and the only place that catches InstilError."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

import click

from instil import __version__
from instil.errors import InstilError

# Each command's module is imported when the command is used, so that help is quick.
_COMMANDS = {
    "init": ("instil.cli.init", "Make a workspace from a packaged scenario."),
    "check": ("instil.cli.run", "Find every mistake of a recipe; nothing starts."),
    "plan": ("instil.cli.run", "Show what a recipe would run, and why."),
    "run": ("instil.cli.run", "Run the stages that are not up to date."),
    "mix": ("instil.cli.mix", "Mix the sources of a recipe, or show what would be mixed."),
    "show": ("instil.cli.show", "Show a run: counts, scores, lineage, licences, integrity."),
    "report": ("instil.cli.report", "Write a run as one self-contained page."),
    "convert": ("instil.cli.convert", "Write a corpus in another format."),
    "corpora": ("instil.cli.corpora", "List, fetch and describe open corpora."),
    "export": ("instil.cli.export", "Write a run's data as a data set that other tools load."),
    "dedupe": ("instil.cli.dedupe", "Drop the rows of a file that are too much like earlier ones."),
    "preview": ("instil.cli.preview", "Show training rows token by token: what is learned and what is not."),
    "chat": ("instil.cli.chat", "Talk to a model in the terminal."),
    "doctor": ("instil.cli.doctor", "Say what this machine can do, and what is missing for what."),
    "demo": ("instil.cli.demo", "The whole road, offline, in minutes, ending in a chat."),
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        # Importing makes no garbage, and looking for it takes a tenth of the start.
        gc.disable()
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name)
        gc.freeze()
        gc.enable()
        # Most of what a run makes dies by its count of references; cycles can wait for ten thousand.
        gc.set_threshold(10_000, 20, 20)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="instil")
def instil() -> None:
    """Teach a language model a domain: from a page of seed tasks to a model you can talk to.

    Start with `instil demo`, or with `instil init DIR` for a workspace of your own.
    """


def main() -> None:
    """Run the command line; every exit code is decided here."""
    try:
        instil(standalone_mode=False)
    except InstilError as error:
        click.echo(f"error: {error}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; finished work is kept, run the same command to continue", err=True)
        sys.stdout.flush()
        # A thread may be in the middle of a model's step, and sys.exit would wait for it.
        os._exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does; nobody is left to tell.
        sys.stderr.close()
        sys.exit(141)

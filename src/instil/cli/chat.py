"""chat: talk to a model in the terminal, or in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import orjson

from instil.chat import SETTINGS, Chat, find_model
from instil.data.messages import Message
from instil.data.text import printable
from instil.errors import InstilError, MissingPackage, RequestError
from instil.store.atomic import writing

_HELP = f"""/clear            start a new topic (also <clear>)
/system TEXT      set the system prompt and start a new topic
/set NAME VALUE   {", ".join(SETTINGS)}
/help             this list
an empty line or Ctrl-D leaves; Ctrl-C stops an answer"""


@click.command()
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print each answer as a JSON line.")
@click.option(
    "--temperature", type=float, default=0.0, show_default=True, help="0 takes the likeliest words."
)
@click.option("--max-tokens", type=int, default=256, show_default=True, help="Most tokens of an answer.")
def chat(model: str, as_json: bool, temperature: float, max_tokens: int) -> None:
    """Talk to MODEL: a run such as runs/clinic-zh, a model directory, or a hub id.

    In a pipe each line of standard input is a turn: echo QUESTION | instil chat MODEL.
    """
    session = open_chat(model)
    session.set("temperature", str(temperature))
    session.set("max_tokens", str(max_tokens))
    if sys.stdin.isatty():
        _talk(session, model)
    else:
        _pipe(session, as_json=as_json)


def open_chat(model: str) -> Chat:
    """Load a model and start a conversation.

    Raises:
        MissingPackage: torch or transformers are not installed.
        RequestError: there is no model.
    """
    path = find_model(model)
    try:
        from instil.engines.transformers import TransformersEngine
    except ModuleNotFoundError as error:
        raise MissingPackage("chat", error.name, "train") from error
    return Chat(TransformersEngine.open(path))


def _pipe(session: Chat, *, as_json: bool) -> None:
    for line in sys.stdin:
        question = line.rstrip("\r\n")
        if not question.strip():
            continue
        answer = "".join(session.ask(question))
        if as_json:
            click.echo(orjson.dumps({"question": question, "answer": answer}).decode())
        else:
            click.echo(printable(answer))


def _talk(session: Chat, model: str) -> None:
    click.echo(f"{model}: type a question; /help lists the commands, an empty line leaves")
    if session.engine.notice:
        click.echo(printable(session.engine.notice))
    for line in _lines():
        if not line.strip():
            return
        try:
            if not _command(session, line.strip()):
                _answer(session, line)
        except InstilError as error:
            click.echo(f"error: {error}" + (f" ({error.hint})" if error.hint else ""), err=True)


def _answer(session: Chat, question: str) -> None:
    answer = session.ask(question)
    try:
        for index, part in enumerate(answer):
            if index == 0 and session.dropped:
                click.echo(
                    f"(the context is full: the oldest {session.dropped} messages were dropped)", err=True
                )
            click.echo(printable(part), nl=False)
            sys.stdout.flush()
    except KeyboardInterrupt:
        # Closing it has the chat remember what was said so far.
        answer.close()  # type: ignore[attr-defined]
        click.echo(" (stopped)", nl=False)
    click.echo()


def _command(session: Chat, line: str) -> bool:
    """Carry out a command and return whether the line was one."""
    name, _, rest = line.partition(" ")
    match name:
        case "/clear" | "<clear>":
            session.clear()
            click.echo("(new topic)")
        case "/system":
            session.messages = [Message(role="system", content=rest)] if rest.strip() else []
            click.echo(
                "(new topic with this system prompt)" if rest.strip() else "(new topic, no system prompt)"
            )
        case "/set":
            setting, _, value = rest.strip().partition(" ")
            session.set(setting, value.strip())
            click.echo(f"({setting} is {value.strip()})")
        case "/help":
            click.echo(_HELP)
        case _ if name.startswith("/"):
            raise RequestError(f"no command {name!r}", hint="/help lists them")
        case _:
            return False
    return True


def _lines() -> Iterator[str]:
    """Yield what the user types, with editing and history where prompt_toolkit is installed."""
    try:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.history import FileHistory
    except ModuleNotFoundError:
        while True:
            try:
                yield input("> ")
            except EOFError:
                return
    history = Path(os.environ.get("INSTIL_HOME", "~/.cache/instil")).expanduser() / "chat_history"
    with writing(history):
        history.parent.mkdir(parents=True, exist_ok=True)
    prompt: PromptSession[str] = PromptSession("> ", history=FileHistory(str(history)))
    while True:
        try:
            yield prompt.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return

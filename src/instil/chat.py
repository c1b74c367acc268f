"""A conversation with a model, without any user interface."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from instil.data.messages import Message
from instil.engines.base import Engine
from instil.errors import RequestError
from instil.models.decoding import Decoding

SETTINGS = ("temperature", "top_k", "top_p", "repetition_penalty", "max_tokens", "seed")


def find_model(path: str) -> str:
    """Return the model in a run, in a stage of it, or the path itself.

    Raises:
        RequestError: the directory holds no model.
    """
    directory = Path(path).expanduser()
    for candidate in (directory, directory / "model", directory / "train" / "model"):
        if (candidate / "config.json").is_file() or (candidate / "adapter_config.json").is_file():
            return str(candidate)
    if directory.exists():
        raise RequestError(
            f"there is no model in {path!r}",
            hint="name a run such as runs/clinic-zh that has trained, or a directory with config.json",
        )
    if path.startswith((".", "/", "~")) or path.count("/") > 1:
        raise RequestError(f"no such directory: {path!r}", hint="name a run, a model directory or a hub id")
    return path


@dataclass
class Chat:
    """What was said so far, and how answers are drawn.

    When the context is full, whole oldest turns are dropped, never the system prompt.
    """

    engine: Engine
    decoding: Decoding = field(default_factory=Decoding)
    messages: list[Message] = field(default_factory=list)
    dropped: int = 0
    """Messages that no longer fitted before the last answer."""

    def ask(self, question: str) -> Iterator[str]:
        """Yield the answer as it grows; both are remembered, also when the answer is stopped early.

        Raises:
            RequestError: the question alone is longer than the model's context.
        """
        asked = Message(role="user", content=question)
        self._make_room(asked)
        self.messages.append(asked)
        parts: list[str] = []
        try:
            for part in self.engine.stream(self.messages, self.decoding):
                parts.append(part)
                yield part
        finally:
            self.messages.append(Message(role="assistant", content="".join(parts)))

    def clear(self) -> None:
        """Forget everything but the system prompt."""
        self.messages = [message for message in self.messages if message.role == "system"]

    def set(self, name: str, value: str) -> None:
        """Change one setting of the decoding.

        Raises:
            RequestError: there is no such setting, or the value does not fit.
        """
        kinds: dict[str, type] = {"top_k": int, "max_tokens": int, "seed": int}
        limits = {
            "temperature": (0, 2),
            "top_k": (0, 10**6),
            "top_p": (1e-6, 1),
            "repetition_penalty": (1e-6, 10),
        }
        if name not in SETTINGS:
            raise RequestError(f"no setting {name!r}", hint=f"settings: {', '.join(SETTINGS)}")
        try:
            number = kinds.get(name, float)(value)
        except ValueError as error:
            raise RequestError(f"{name}: {value!r} is not a number") from error
        low, high = limits.get(name, (0 if name == "seed" else 1, 2**31))
        if not low <= number <= high:
            raise RequestError(f"{name} must be between {low:g} and {high:g}")
        self.decoding = replace(self.decoding, **{name: number})

    def _make_room(self, asked: Message) -> None:
        """Drop whole oldest turns until prompt and answer fit."""
        limit = self.engine.context_tokens
        self.dropped = 0
        if limit is None:
            return
        room = max(1, limit - min(self.decoding.max_tokens, limit // 2))
        while self.engine.prompt_tokens([*self.messages, asked]) > room:
            first = next((i for i, message in enumerate(self.messages) if message.role != "system"), None)
            if first is None:
                raise RequestError(
                    f"the question is too long: with the answer it must fit into {limit} tokens",
                    hint="ask a shorter question, or lower max_tokens",
                )
            end = next(
                (i for i in range(first + 1, len(self.messages)) if self.messages[i].role == "user"),
                len(self.messages),
            )
            self.dropped += end - first
            del self.messages[first:end]

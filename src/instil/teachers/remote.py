"""What every teacher behind an HTTP server has: an address, a time limit, and keys from the environment."""

from __future__ import annotations

import os
import re
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from instil.config.base import RuntimeOnly
from instil.data.messages import Message
from instil.errors import RequestError, TeacherRejected
from instil.teachers.base import Request, TeacherConfigBase


def _bare(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError(f"{address!r} is no address; one begins with http:// or https://")
    # It stands in errors and in the manifest.
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("an address holds no user name, key or parameters; the key goes into a variable")
    return address


Address = Annotated[str, AfterValidator(_bare)]
"""The address of a server, without secrets."""


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        # It may be the key itself, and is not repeated.
        raise ValueError("give the name of an environment variable that holds the key, never the key")
    return name


Variable = Annotated[str, AfterValidator(_variable)]
"""The name of an environment variable."""


class RemoteTeacherConfig(TeacherConfigBase):
    """A teacher behind an HTTP server."""

    reserved: ClassVar[frozenset[str]] = frozenset({"model", "messages", "stream"})
    """Names that `extra` may not hold, because instil sets them."""
    unsupported: ClassVar[frozenset[str]] = frozenset()
    """Sampling options of the base class that this API does not have."""

    timeout_s: Annotated[float, RuntimeOnly] = Field(default=120.0, gt=0)
    """Seconds after which a call counts as lost and is tried again."""

    @model_validator(mode="after")
    def _options_that_the_server_knows(self) -> Self:
        for name in self.reserved.intersection(self.extra):
            raise ValueError(f"extra may not hold {name!r}, which instil sets itself")
        refuse_options(self, self.unsupported, f"kind {getattr(self, 'kind', '')!r}")
        return self


def refuse_options(config: TeacherConfigBase, names: frozenset[str], who: str) -> None:
    """Check that no option is given that `who` does not have.

    Raises:
        ValueError: one is; it would be dropped in silence, or every call would fail.
    """
    for name in sorted(names):
        if getattr(config, name) is not None:
            raise ValueError(f"{who} has no `{name}`; leave it out")


def read_key(variable: str, field: str) -> SecretStr:
    """Return the key in an environment variable.

    Args:
        variable: its name.
        field: the field of the configuration that names it, for the error.

    Raises:
        RequestError: it is not set, or blank.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        # In small letters it may be the key itself.
        named = repr(variable) if variable.isupper() else "that it names"
        raise RequestError(
            f"teacher.{field}: the environment variable {named} is not set",
            hint=f"export {variable if variable.isupper() else 'NAME'}=… before the run, and give its name; "
            "the key itself is never written to a file",
        )
    return SecretStr(value)


def split_system(request: Request) -> tuple[str, tuple[Message, ...]]:
    """Return the system prompt, empty if there is none, and the other messages.

    Raises:
        TeacherRejected: nothing is asked.
    """
    system = "\n\n".join(message.content for message in request.messages if message.role == "system")
    asked = tuple(message for message in request.messages if message.role != "system")
    if not asked:
        raise TeacherRejected("the request has no message but the system's", hint="the prompt is empty")
    return system, asked

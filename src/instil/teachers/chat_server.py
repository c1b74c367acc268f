"""What every teacher behind an OpenAI-style server has: a provider, a model, a key and a form of answers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Literal

from pydantic import SecretStr

from instil.config.base import RuntimeOnly
from instil.teachers.chat_completions import Dialect, response_format
from instil.teachers.http import HttpClient, open_http
from instil.teachers.providers import PROVIDERS, UNNAMED, Provider, ProviderName, StructuredOutput
from instil.teachers.remote import RemoteTeacherConfig, Variable, read_key


class ChatServerConfig(RemoteTeacherConfig):
    """A server that takes OpenAI-style chat requests."""

    provider: Annotated[ProviderName | None, RuntimeOnly] = None
    """Fills in `base_url`, `api_key_env` and `structured_output` where they are not given."""
    model: str
    """The model name that the server expects."""
    api_key_env: Annotated[Variable | None, RuntimeOnly] = None
    """Name of the environment variable that holds the key, never the key; the provider's own if not given,
    none for an open server."""
    structured_output: Literal["auto", "json_schema", "json_object", "off"] = "auto"
    """How the server is told to answer in JSON: by a schema, as any object (only where the prompt wants one
    and not a list), or by the prompt alone; `auto` is what the provider has, and `off` for a server without
    a name. A server that refuses is asked in plain text."""

    def identity(self) -> dict[str, Any]:
        """Return what decides an answer: `auto` counts as what it stands for."""
        return {**super().identity(), "structured_output": self.dialect.structured_output}

    def schema_for(self, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the schema if the server is told of it."""
        return schema if response_format(schema, self.dialect.structured_output) else None

    def preflight(self) -> None:
        """Check that the key is in the environment.

        Raises:
            RequestError: it is not.
        """
        self._key()

    @property
    def known(self) -> Provider:
        """What is known of the provider; of a server without a name, next to nothing."""
        return PROVIDERS[self.provider] if self.provider else UNNAMED

    @property
    def dialect(self) -> Dialect:
        """How the server wants to be asked, as far as it is known before."""
        asked = self.structured_output
        mode: StructuredOutput = self.known.structured_output if asked == "auto" else asked
        return Dialect.of(self.known, mode)

    def connect(self) -> AbstractAsyncContextManager[HttpClient]:
        """Return a client that sends the key with every request and keeps it out of errors.

        Raises:
            RequestError: the key is not in the environment.
        """
        key = self._key()
        headers = {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        return open_http(timeout_s=self.timeout_s, headers=headers, secrets=[key] if key else [])

    def _key(self) -> SecretStr | None:
        variable = self.api_key_env or self.known.api_key_env
        return read_key(variable, "api_key_env") if variable else None

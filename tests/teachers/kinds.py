"""Every kind of teacher behind a server, with what its API sends: for the shared contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from instil.teachers.anthropic import AnthropicConfig
from instil.teachers.ernie import ErnieConfig
from instil.teachers.openai_compatible import OpenAICompatibleConfig
from instil.teachers.remote import RemoteTeacherConfig
from tests.fakes import Reply, Script, fails, says

TOKEN = "24.very-secret-token"


@dataclass(frozen=True)
class Kind:
    """One kind: how it is opened, and what its server sends in a situation."""

    name: str
    config: Callable[..., RemoteTeacherConfig]
    """From the server's address, and options, to the configuration."""
    says: Callable[[str], Reply]
    """An answer of this text, by the model fake-1, for 11 input and 7 output tokens."""
    cut_off: Reply
    """An answer that reached the most tokens."""
    busy: Callable[[str], Reply]
    """Too many calls, in these words."""
    broken: Callable[[str], Reply]
    """An error inside the server."""
    wrong_key: Callable[[str], Reply]
    bad_request: Callable[[str], Reply]
    limits: Callable[[Mapping[str, Any]], tuple[int, Sequence[str]]]
    """From the body of a request to the most tokens and the stops in it."""
    keys: Mapping[str, str]
    """What must be in the environment, and never anywhere else."""
    script: Callable[[Script], Script] = lambda script: script
    """Adds what the server does beside answering."""
    granted: tuple[str, ...] = ()
    """What the server grants that is a secret too."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be seen."""
        return (*self.keys.values(), *self.granted)


def _openai(base_url: str, **options: Any) -> OpenAICompatibleConfig:
    return OpenAICompatibleConfig(
        kind="openai_compatible",
        base_url=(base_url,),
        model="fake-1",
        api_key_env="OPENAI_API_KEY",
        **options,
    )


def _json(status: int = 200, **answer: Any) -> Reply:
    return Reply(json.dumps(answer).encode(), status)


def _anthropic(base_url: str, **options: Any) -> AnthropicConfig:
    return AnthropicConfig(kind="anthropic", base_url=base_url, model="fake-1", **options)


def message(text: str, stop_reason: str | None = "end_turn") -> Reply:
    """An answer of the messages API."""
    return _json(
        type="message",
        model="fake-1",
        content=[{"type": "text", "text": text}],
        stop_reason=stop_reason,
        usage={"input_tokens": 11, "output_tokens": 7},
    )


def messages_error(status: int, kind: str, reason: str) -> Reply:
    """An error of the messages API."""
    return _json(status, type="error", error={"type": kind, "message": reason})


def _ernie(base_url: str, **options: Any) -> ErnieConfig:
    return ErnieConfig(kind="ernie", base_url=base_url.removesuffix("/v1"), model="fake-1", **options)


def result(text: str, **more: Any) -> Reply:
    """An answer of ERNIE's v1 API."""
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return _json(
        **{"result": text, "is_truncated": False, "need_clear_history": False, "usage": usage, **more}
    )


def ernie_error(code: int, reason: str = "no") -> Reply:
    """An error of ERNIE's v1 API."""
    return _json(error_code=code, error_msg=reason)


def granting(script: Script, token: str = TOKEN, expires_in: float = 2592000) -> Script:
    """Grant an access token to whoever sends no messages."""
    return lambda body: (
        script(body) if "messages" in body else _json(access_token=token, expires_in=expires_in)
    )


KINDS = (
    Kind(
        name="openai_compatible",
        config=_openai,
        says=lambda text: says(text, usage={"prompt_tokens": 11, "completion_tokens": 7}),
        cut_off=says("half", finish="length"),
        busy=lambda reason: fails(429, reason),
        broken=lambda reason: fails(500, reason),
        wrong_key=lambda reason: fails(401, reason),
        bad_request=lambda reason: fails(400, reason),
        limits=lambda body: (body["max_tokens"], body["stop"]),
        keys={"OPENAI_API_KEY": "sk-very-secret"},
    ),
    Kind(
        name="anthropic",
        config=_anthropic,
        says=message,
        cut_off=message("half", "max_tokens"),
        busy=lambda reason: messages_error(529, "overloaded_error", reason),
        broken=lambda reason: messages_error(500, "api_error", reason),
        wrong_key=lambda reason: messages_error(401, "authentication_error", reason),
        bad_request=lambda reason: messages_error(400, "invalid_request_error", reason),
        limits=lambda body: (body["max_tokens"], body["stop_sequences"]),
        keys={"ANTHROPIC_API_KEY": "sk-ant-very-secret"},
    ),
    Kind(
        name="ernie",
        config=_ernie,
        says=result,
        cut_off=result("half", is_truncated=True, finish_reason="length"),
        busy=lambda reason: ernie_error(18, reason),
        broken=lambda reason: ernie_error(336000, reason),
        wrong_key=lambda reason: ernie_error(14, reason),
        bad_request=lambda reason: ernie_error(336003, reason),
        limits=lambda body: (body["max_output_tokens"], body["stop"]),
        keys={"QIANFAN_AK": "ak-very-secret", "QIANFAN_SK": "sk/very+secret"},
        script=granting,
        granted=(TOKEN,),
    ),
)

"""ERNIE by the v1 API of Baidu's Wenxin workshop: a key and a secret give an access token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote, urlencode

import orjson
from pydantic import Field, SecretStr

from instil.config.base import RuntimeOnly
from instil.data.messages import Message
from instil.errors import TeacherError, TeacherRefused, TeacherRejected, TeacherUnavailable
from instil.teachers.access_token import AccessToken, Grant
from instil.teachers.base import Completion, FinishReason, Request, Usage
from instil.teachers.http import HttpAnswer, HttpClient, open_http
from instil.teachers.remote import Address, RemoteTeacherConfig, Variable, read_key, split_system

_CHAT = "/rpc/2.0/ai_custom/v1/wenxinworkshop/chat/"
_TOKEN = "/oauth/2.0/token"  # noqa: S105

ENDPOINTS: Mapping[str, str] = {
    "ernie-4.0-8k": "completions_pro",
    "ernie-bot-4": "completions_pro",
    "ernie-4.0-8k-preview-0518": "completions_adv_pro",
    "ernie-3.5-8k": "completions",
    "ernie-bot": "completions",
    "ernie-speed-8k": "ernie_speed",
    "ernie-speed": "ernie_speed",
    "ernie-lite-8k-0308": "ernie-lite-8k",
    "ernie-lite-8k-0922": "eb-instant",
    "ernie-bot-turbo": "eb-instant",
    "ernie-bot-8k": "ernie_bot_8k",
    "ernie-character-8k": "ernie-char-8k",
    "ernie-character-fiction-8k": "ernie-char-fiction-8k",
    "ernie-functions-8k": "ernie-func-8k",
}
"""Last part of the address by public name in lower case, where it is not that name itself."""

_EXPIRED = frozenset({110, 111})
_CONGESTED = frozenset({4, 18, 336100, 336501, 336502, 336503})
"""The cluster's limit, calls a second, high load, calls and tokens a minute."""
_AT_FAULT = frozenset({336001, 336002, 336003, 336006, 336007, 336008, 336101, 336103, 336104, 336105})
"""A wrong argument, no JSON, a wrong parameter, too long in one way or another."""
_HINTS: Mapping[int, str] = {
    3: "check model: the service does not have it under that name",
    6: "the application has no right to this model: grant it in the console",
    13: "check the key and the secret",
    14: "check the key and the secret",
    17: "the calls of today, or the money, are used up: check the account, or go on tomorrow with the same "
    "command",
    19: "the free calls are used up: turn on payment in the console",
    100: "check the key and the secret",
    336004: "the application has no right to this model: grant it in the console",
    336005: "check model: the service does not have it under that name",
}
"""What the user can do where no request can succeed."""

_FINISH: Mapping[str, FinishReason] = {
    "length": "length",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
}


class ErnieConfig(RemoteTeacherConfig):
    """ERNIE by Baidu's v1 API; for the v2 API use `openai_compatible` with `provider: qianfan`."""

    kind: Literal["ernie"]
    model: str = Field(min_length=1)
    """Public name such as ERNIE-4.0-8K or ERNIE-Speed-128K; any other is used as the service's address."""
    api_key_env: Annotated[Variable, RuntimeOnly] = "QIANFAN_AK"
    """Name of the environment variable that holds the application's API key, never the key."""
    secret_key_env: Annotated[Variable, RuntimeOnly] = "QIANFAN_SK"  # noqa: S105
    """Name of the environment variable that holds the application's secret key, never the key."""
    base_url: Annotated[Address, RuntimeOnly] = "https://aip.baidubce.com"
    """Address of the service, without a path; a proxy's, if one is used."""
    temperature: float | None = Field(default=None, gt=0, le=1)
    """Sampling temperature, above 0 and at most 1; the server's default if not given."""
    max_tokens: int = Field(default=1024, ge=2)
    """Most tokens in one answer, at least 2; a longer one is cut off and its whole items are kept."""
    penalty_score: float | None = Field(default=None, ge=1, le=2)
    """Makes repetition less likely, from 1 to 2; the server's default if not given."""
    disable_search: bool = True
    """Keep the model from searching the web for its answer."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"sampling_seed"})

    def preflight(self) -> None:
        """Check that both keys are in the environment."""
        self._keys()

    @asynccontextmanager
    async def open(self, home: Path) -> AsyncIterator[ErnieTeacher]:  # noqa: ARG002
        """Connect, ready to be used in an `async with`; the token is fetched by the first call."""
        key, secret = self._keys()
        async with open_http(timeout_s=self.timeout_s, secrets=(key, secret)) as http:
            yield ErnieTeacher(http, self, key, secret)

    def _keys(self) -> tuple[SecretStr, SecretStr]:
        return read_key(self.api_key_env, "api_key_env"), read_key(self.secret_key_env, "secret_key_env")


class ErnieTeacher:
    """Asks one ERNIE model.

    Args:
        http: the open client.
        config: where and how to ask.
        key: the application's API key.
        secret: the application's secret key.
    """

    def __init__(self, http: HttpClient, config: ErnieConfig, key: SecretStr, secret: SecretStr) -> None:
        self._http, self._config = http, config
        self._base_url = config.base_url.rstrip("/")
        name = ENDPOINTS.get(config.model.lower(), config.model.lower())
        self._url = f"{self._base_url}{_CHAT}{quote(name, safe='')}"
        self._token = AccessToken(lambda: self._grant(key, secret))

    async def complete(self, request: Request) -> Completion:
        """Return the model's answer.

        A token that the service refuses is renewed, and the request asked again, once.

        Raises:
            TeacherUnavailable: a rate limit, high load, an error inside the service, a broken answer.
            TeacherRefused: the keys, the right to the model, or the calls of the day are missing.
            TeacherRejected: the messages do not alternate from user to user, or are too long.
        """
        body = orjson.dumps(ernie_body(self._config, request))
        token = await self._token.get()
        answer = await self._post(token, body)
        if _code(_parsed(answer)) in _EXPIRED:
            self._token.forget(token)
            answer = await self._post(await self._token.get(), body)
        return self._read(answer)

    async def _post(self, token: str, body: bytes) -> HttpAnswer:
        return await self._http.request("POST", f"{self._url}?access_token={quote(token)}", body=body)

    async def _grant(self, key: SecretStr, secret: SecretStr) -> Grant:
        url = self._base_url + _TOKEN
        query = {
            "grant_type": "client_credentials",
            "client_id": key.get_secret_value(),
            "client_secret": secret.get_secret_value(),
        }
        answer = await self._http.request("POST", f"{url}?{urlencode(query)}", body=b"{}")
        if answer.status != 200:
            raise self._http.error(url, answer)
        granted = _parsed(answer)
        try:
            grant = Grant(str(granted["access_token"]), float(granted.get("expires_in") or 0))
        except (KeyError, TypeError, ValueError):
            reason = self._http.reason(answer.content)
            if "error" in granted:
                raise TeacherRefused(f"{url}: {reason}", hint="check the key and the secret") from None
            raise TeacherUnavailable(f"{url} sent no access token: {reason!r}", maybe_charged=False) from None
        self._http.hide(SecretStr(grant.token))
        return grant

    def _read(self, answer: HttpAnswer) -> Completion:
        if answer.status != 200:
            raise self._http.error(self._url, answer)
        body = _parsed(answer)
        code = _code(body)
        if code:
            said = self._http.quoted(str(body.get("error_msg") or body.get("msg") or "").encode())
            raise service_error(f"{self._url} answered error {code}: {said[:300]}", code)
        try:
            return ernie_completion(body, self._config.model)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
            sent = self._http.quoted(answer.content)[:80]
            raise TeacherUnavailable(f"{self._url} sent what is not an answer: {sent!r}") from None


def ernie_body(config: ErnieConfig, request: Request) -> dict[str, Any]:
    """Return the JSON body that asks for one answer.

    Raises:
        TeacherRejected: the messages do not alternate from user to user.
    """
    system, messages = split_system(request)
    _check_turns(messages)
    sampling = request.sampling.model_dump(mode="json", exclude_defaults=True)
    extra = sampling.pop("extra", {})
    sampling["max_output_tokens"] = sampling.pop("max_tokens", config.max_tokens)
    body: dict[str, Any] = {
        "messages": [message.model_dump() for message in messages],
        "system": system or None,
        "penalty_score": config.penalty_score,
        "disable_search": config.disable_search,
        **sampling,
    }
    known = {name: value for name, value in body.items() if value is not None}
    return {**known, **extra}


def ernie_completion(body: Mapping[str, Any], model: str) -> Completion:
    """Return what an answer without an error code means.

    Raises:
        KeyError, TypeError, AttributeError, ValueError, OverflowError: it is none.
    """
    finish = _FINISH.get(body.get("finish_reason") or "", "stop")
    if body.get("is_truncated") and finish == "stop":
        finish = "length"
    if body.get("need_clear_history"):
        # The service asks to drop the conversation because it found it unsafe.
        finish = "content_filter"
    text = body["result"]
    if not isinstance(text, str):
        raise TypeError("result is no text")
    usage = body.get("usage") or {}
    return Completion(
        text=text,
        finish_reason=finish,
        model=model,
        usage=Usage(
            input_tokens=int(usage.get("prompt_tokens") or 0),
            output_tokens=int(usage.get("completion_tokens") or 0),
        ),
    )


def service_error(message: str, code: int) -> TeacherError:
    """Return what an error code of the service means; one that is not known may pass.

    Source: the service's table of error codes, which says of 1, 2, 15 and 336000 to ask again.
    """
    if code in _HINTS:
        return TeacherRefused(message, hint=_HINTS[code])
    if code in _EXPIRED:
        return TeacherRefused(message, hint="a new token was refused too: check the key and the secret")
    if code in _AT_FAULT:
        return TeacherRejected(message)
    return TeacherUnavailable(message, congested=code in _CONGESTED, maybe_charged=False)


def _check_turns(messages: tuple[Message, ...]) -> None:
    wanted = ["user", "assistant"] * len(messages)
    roles = [message.role for message in messages]
    if len(roles) % 2 == 0 or roles != wanted[: len(roles)]:
        raise TeacherRejected(
            f"ERNIE takes messages that alternate from user to user; these are {', '.join(roles)}"
        )


def _parsed(answer: HttpAnswer) -> dict[str, Any]:
    """Return the JSON object of an answer, empty if there is none."""
    try:
        body = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _code(body: Mapping[str, Any]) -> int:
    """Return the service's error code, 0 if there is none."""
    code = body.get("error_code", body.get("code"))
    return int(code) if str(code).isdecimal() else 0

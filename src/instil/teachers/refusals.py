"""Read what a server says when it does not answer, and say what to do about it.

Servers that speak one API put their errors into half a dozen shapes and codes; here they become one
class for each thing to do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from instil.errors import TeacherError, TeacherRefused, TeacherRejected, TeacherUnavailable

_CONGESTED = frozenset({429, 503, 529})
_PASSING = frozenset({408, 409, 425, 429})

_SPENT = frozenset(
    {
        "insufficient_quota",  # OpenAI
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",  # Anthropic
        "enforced_spend_limit_reached",
        "exceeded_current_quota_error",  # Moonshot
        "arrearage",  # DashScope
        "account_overdue",  # Qianfan
        "1113",  # Zhipu
    }
)
# Anthropic answers 400 with no code of its own. OpenAI's "exceeded your current quota" is no sign: Gemini
# says it of a limit that is over in a minute.
_SPENT_WORDS = ("credit balance is too low", "reached your specified api usage limits")
_UNKNOWN_MODEL = frozenset({"model_not_found", "invalid_model", "modelnotfound", "1211"})
_UNKNOWN_MODEL_WORDS = ("model not exist", "is not a valid model")  # DeepSeek, OpenRouter
_TOO_LONG = frozenset(
    {
        "context_length_exceeded",  # OpenAI
        "string_above_max_length",
        "exceed_context_size_error",  # llama.cpp
        "request_too_large",  # Anthropic
        "tokens_too_long",  # Qianfan
        "characters_too_long",
    }
)


@dataclass(frozen=True)
class Refusal:
    """What a server says when it does not answer."""

    message: str | None = None
    """Its words, if they stand where one of the known shapes has them."""
    codes: frozenset[str] = frozenset()
    """Every code, type and status in it, in lower case."""

    def speaks_of(self, *words: str) -> bool:
        """Return whether a word stands in the message or is a code; give words in lower case."""
        text = (self.message or "").lower()
        return any(word in text or word in self.codes for word in words)


def read_refusal(content: bytes) -> Refusal:
    """Return what an error's body says, in any of the known shapes.

    OpenAI, Anthropic and Gemini (in a list) put an object under `error`, Ollama a text; FastAPI has
    `detail`; vLLM, Mistral and DashScope have `message` and `code` at the top; OAuth has
    `error_description`.
    """
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return Refusal()
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return Refusal()
    error = body.get("error")
    inner = error if isinstance(error, dict) else {}
    said = (
        inner.get("message"),
        body.get("error_description"),
        body.get("message"),
        error,
        body.get("detail"),
    )
    message = next((text for text in map(_text, said) if text), None)
    return Refusal(message, frozenset({*_codes(body), *_codes(inner)}))


def teacher_error(
    message: str, status: int, refusal: Refusal, headers: Mapping[str, str], now: float
) -> TeacherError:
    """Return the error that a status other than 200 means.

    Money or quota that is used up, a refused key and an unknown model stop the run whatever their
    status; what is too long is the request's fault; 408, 409, 425, 429 and 5xx pass.

    Args:
        message: what the error says; without secrets.
        status: the HTTP status.
        refusal: what the body says.
        headers: the answer's, by lower-case name.
        now: seconds since the epoch.
    """
    if refusal.codes & _TOO_LONG:
        return TeacherRejected(message, hint="shorten the prompt, or lower max_tokens")
    if status == 402 or refusal.codes & _SPENT or refusal.speaks_of(*_SPENT_WORDS):
        return TeacherRefused(
            message,
            hint="the account has no money or quota left: top it up or raise its limit, and run the same "
            "command again; answers so far are kept",
        )
    if status < 500 and (refusal.codes & _UNKNOWN_MODEL or refusal.speaks_of(*_UNKNOWN_MODEL_WORDS)):
        return TeacherRefused(message, hint="check model: this server does not have it under that name")
    if status in _PASSING or status >= 500:
        return TeacherUnavailable(
            message,
            retry_after=wait_seconds(headers, now),
            congested=status in _CONGESTED,
            maybe_charged=False,
        )
    if status in (401, 403):
        return TeacherRefused(message, hint="check the key in the variable of api_key_env and the account")
    if status == 404:
        return TeacherRefused(message, hint="check base_url and model")
    if 300 <= status < 400:
        target = headers.get("location", "another address")
        return TeacherRefused(
            message, hint=f"the server points to {target!r}; if you trust it, name it in base_url"
        )
    return TeacherRejected(message)


def wait_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """Return how long the server asks to wait before the next request, or None if it does not say.

    `retry-after-ms`, then `retry-after` (seconds or an HTTP date), then the reset of a limit of which
    nothing remains (`x-ratelimit-reset-requests` and its kin, as OpenAI, Groq, OpenRouter and
    Anthropic send them).

    Args:
        headers: by lower-case name.
        now: seconds since the epoch, for dates.
    """
    milliseconds = _seconds(headers.get("retry-after-ms"), now)
    if milliseconds is not None:
        return milliseconds / 1000
    asked = _seconds(headers.get("retry-after"), now)
    return asked if asked is not None else max(_resets(headers, now), default=None)


def _resets(headers: Mapping[str, str], now: float) -> Iterator[float]:
    for name, value in headers.items():
        if "ratelimit" in name and "reset" in name:
            remaining = _number(headers.get(name.replace("reset", "remaining")))
            wait = _seconds(value, now)
            if remaining == 0 and wait is not None:
                yield wait


_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EPOCH = 1e8  # no limit resets in three years: a number this large is a time, not a duration


def _seconds(value: str | None, now: float) -> float | None:
    """Return seconds from now of `7`, `6m0.5s`, a time since the epoch (also in ms), or a date."""
    number = _number(value)
    if number is not None:
        if number > _EPOCH:
            number = (number / 1000 if number > _EPOCH * 1000 else number) - now
        return max(0.0, number)
    text = (value or "").strip()
    if text and not _PART.sub("", text):
        return sum(float(amount) * _UNIT[unit] for amount, unit in _PART.findall(text))
    return _until(text, now)


def _until(text: str, now: float) -> float | None:
    """Return the seconds until an HTTP date or an ISO 8601 time."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text)
        except ValueError:
            continue
        # A date without a zone would be read in this machine's.
        return max(0.0, moment.timestamp() - now) if moment.tzinfo else None
    return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "nan")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    """Return the words of a message that may be a list of FastAPI's validation errors."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _text(value.get("message") or value.get("msg") or value.get("detail"))
    if isinstance(value, list):
        return "; ".join(filter(None, (_located(item) for item in value)))
    return ""


def _located(item: Any) -> str:
    where = item.get("loc") if isinstance(item, dict) else None
    words = _text(item)
    return f"{'.'.join(map(str, where))}: {words}" if isinstance(where, list) and words else words


def _codes(body: Mapping[str, Any]) -> Iterator[str]:
    details = body.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    for value in (body.get("code"), body.get("type"), body.get("status"), code):
        if isinstance(value, str | int):
            yield str(value).lower()

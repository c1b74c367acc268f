"""Refusals: what each server says, and what is done about it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instil.errors import TeacherError, TeacherRefused, TeacherRejected, TeacherUnavailable
from instil.teachers.refusals import Refusal, read_refusal, teacher_error, wait_seconds

NOW = 1_792_567_680.0  # Wed, 21 Oct 2026 07:28:00 GMT


def error(status: int, body: Any) -> TeacherError:
    return teacher_error("why", status, read_refusal(json.dumps(body).encode()), {}, NOW)


@pytest.mark.parametrize(
    ("body", "message", "codes"),
    [
        (
            {"error": {"message": "why", "type": "invalid_request_error", "code": "Unsupported"}},
            "why",
            {"invalid_request_error", "unsupported"},
        ),
        ({"error": {"message": "why", "code": 400, "type": None}}, "why", {"400"}),
        ({"error": "why"}, "why", set()),
        ({"error": "invalid_client", "error_description": "why"}, "why", set()),
        ({"detail": "why"}, "why", set()),
        (
            {"detail": [{"loc": ["body", "top_k"], "msg": "why", "type": "extra_forbidden"}, {"msg": "two"}]},
            "body.top_k: why; two",
            set(),
        ),
        ({"object": "error", "message": "why", "type": "BadRequestError", "code": 400}, "why",
         {"badrequesterror", "400"}),
        ({"object": "error", "message": {"detail": [{"loc": ["a"], "msg": "why"}]}}, "a: why", set()),
        ({"code": "Arrearage", "message": "why", "request_id": "1"}, "why", {"arrearage"}),
        ([{"error": {"code": 400, "message": "why", "status": "INVALID_ARGUMENT"}}], "why",
         {"400", "invalid_argument"}),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "why"}}, "why",
         {"error", "overloaded_error"}),
        ({"error": {"message": "why", "details": {"error_code": "Spent"}}}, "why", {"spent"}),
        ({"error": {"code": 1}}, None, {"1"}),
        ({}, None, set()),
        ([], None, set()),
        ("why", None, set()),
        (None, None, set()),
    ],
    ids=["OpenAI", "a number as code", "Ollama", "OAuth", "FastAPI", "FastAPI's list", "older vLLM",
         "Mistral", "DashScope", "Gemini", "Anthropic", "Anthropic's details", "no message", "empty",
         "an empty list", "a text", "null"],
)  # fmt: skip
def test_reads_the_errors_of_all_servers(body: Any, message: str | None, codes: set[str]) -> None:
    assert read_refusal(json.dumps(body).encode()) == Refusal(message, frozenset(codes))


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["error", "message", "detail", "details", "code", "type", "loc", "msg"]), inner
    ),
))  # fmt: skip
def test_any_body_can_be_read(body: Any) -> None:
    refusal = read_refusal(json.dumps(body).encode())

    assert refusal.message is None or refusal.message
    assert all(code == code.lower() for code in refusal.codes)
    for status in (302, 400, 401, 402, 404, 418, 422, 429, 500, 529):
        assert isinstance(error(status, body), TeacherError)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"error": {"message": "…", "type": "insufficient_quota", "code": "insufficient_quota"}}),
        (429, {"error": {"message": "…", "code": "billing_hard_limit_reached"}}),
        (429, {"error": {"message": "…", "type": "exceeded_current_quota_error"}}),
        (429, {"error": {"type": "rate_limit_error", "message": "…",
                         "details": {"error_code": "enforced_spend_limit_reached"}}}),
        (429, {"error": {"code": "1113", "message": "您的账户已欠费，请充值后重试"}}),
        (400, {"code": "Arrearage", "message": "Access denied"}),
        (400, {"error": {"type": "invalid_request_error",
                         "message": "Your credit balance is too low to access the Anthropic API."}}),
        (400, {"error": {"type": "invalid_request_error",
                         "message": "You have reached your specified API usage limits."}}),
        (403, {"error": {"code": "account_overdue", "message": "…"}}),
        (402, {"error": {"message": "Insufficient Balance"}}),
        (402, {}),
    ],
)  # fmt: skip
def test_money_or_quota_that_is_used_up_stops_and_says_what_to_do(status: int, body: Any) -> None:
    found = error(status, body)

    assert type(found) is TeacherRefused
    assert "top it up or raise its limit" in str(found.hint)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "…", "code": "model_not_found"}}),
        (404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}),
        (400, {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"}),
        (400, {"error": {"message": "Model Not Exist", "type": "invalid_request_error"}}),
        (400, {"error": {"message": "x/y is not a valid model ID", "code": 400}}),
        (404, {"code": "ModelNotFound", "message": "…"}),
        (400, {"error": {"code": "1211", "message": "模型不存在，请检查模型代码"}}),
        (404, {"error": "model 'x' not found"}),
    ],
)
def test_an_unknown_model_stops(status: int, body: Any) -> None:
    found = error(status, body)

    assert type(found) is TeacherRefused
    assert "model" in str(found.hint)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "maximum context length", "code": "context_length_exceeded"}}),
        (500, {"error": {"code": 500, "message": "…", "type": "exceed_context_size_error"}}),
        (413, {"error": {"type": "request_too_large", "message": "…"}}),
        (413, {}),
        (400, {"error": {"code": "tokens_too_long", "message": "Prompt tokens too long"}}),
    ],
)
def test_what_is_too_long_is_the_fault_of_that_request(status: int, body: Any) -> None:
    assert type(error(status, body)) is TeacherRejected


def test_a_limit_that_is_over_in_a_minute_is_not_taken_for_an_empty_account() -> None:
    # Gemini uses OpenAI's words for an empty account when calls come too fast.
    said = "You exceeded your current quota, please check your plan and billing details."
    found = error(429, [{"error": {"code": 429, "message": said, "status": "RESOURCE_EXHAUSTED"}}])

    assert isinstance(found, TeacherUnavailable)
    assert found.congested


def test_an_address_that_has_moved_is_named_and_not_followed() -> None:
    found = teacher_error("why", 308, Refusal(), {"location": "https://new.example/v1"}, NOW)

    assert type(found) is TeacherRefused
    assert "https://new.example/v1" in str(found.hint)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "7200"}, 7200.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT"}, 0.0),
        ({"retry-after": "2s"}, 2.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0.5s"}, 360.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "6m0s",
          "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7.66s"}, 7.66),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{int(NOW + 5) * 1000}"}, 5.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{int(NOW + 5)}"}, 5.0),
        ({"anthropic-ratelimit-requests-remaining": "0",
          "anthropic-ratelimit-requests-reset": "2026-10-21T07:28:09Z"}, 9.0),
        ({"retry-after": "3", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"}, 3.0),
        ({"x-ratelimit-remaining-requests": "9", "x-ratelimit-reset-requests": "6m0s"}, None),
        ({"x-ratelimit-reset-requests": "6m0s"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "2026-10-21T07:28:09"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_waits_as_long_as_the_server_asks(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_seconds(headers, NOW) == (None if seconds is None else pytest.approx(seconds))


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_header_breaks_the_reading_of_a_wait(value: str, remaining: str) -> None:
    headers = {
        "retry-after": value,
        "retry-after-ms": remaining,
        "x-ratelimit-reset": value,
        "x-ratelimit-remaining": remaining,
    }

    wait = wait_seconds(headers, NOW)
    assert wait is None or wait >= 0

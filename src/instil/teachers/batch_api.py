"""The OpenAI batch API: a file of requests goes up, a file of answers comes down, within a day."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import orjson

from instil.errors import TeacherError, TeacherRefused, TeacherRejected, TeacherUnavailable
from instil.teachers.base import Completion
from instil.teachers.chat_completions import read_completion
from instil.teachers.http import HttpAnswer, HttpClient
from instil.teachers.refusals import Refusal, read_refusal

T = TypeVar("T")
Outcome = Literal["completed", "failed", "expired", "cancelled"]
"""The states in which a batch changes no more."""

_OUTCOMES: frozenset[str] = frozenset({"completed", "failed", "expired", "cancelled"})
_GONE = (
    "is the key of the account that submitted it? if the server keeps it no longer, remove batches.jsonl "
    "in the run's directory, and its requests are submitted (and paid for) again"
)
_PAGES = 20  # of a hundred batches; one that was lost in a crash is among the newest


@dataclass(frozen=True)
class Problem:
    """Why a server refused a whole batch; `line` counts from 1, None if it is about no one line."""

    code: str
    message: str
    line: int | None

    @property
    def body(self) -> dict[str, Any]:
        """The same as the body of an HTTP error."""
        return {"error": {"message": self.message, "code": self.code}}


@dataclass(frozen=True)
class Batch:
    """What a server says of a batch."""

    id: str
    input_file_id: str
    status: str
    done: int
    """Requests that have an answer or an error."""
    total: int
    """0 while the server has not counted them."""
    files: tuple[str, ...]
    """Files of rows that can be downloaded: errors first, then answers."""
    problems: tuple[Problem, ...]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Batch:
        """Read a batch object.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is none.
        """
        counts = answer.get("request_counts") or {}
        errors = answer.get("errors") or {}
        files = (answer.get("error_file_id"), answer.get("output_file_id"))
        return cls(
            id=str(answer["id"]),
            input_file_id=str(answer.get("input_file_id") or ""),
            status=str(answer["status"]).lower(),
            done=int(counts.get("completed") or 0) + int(counts.get("failed") or 0),
            total=int(counts.get("total") or 0),
            files=tuple(str(name) for name in files if name),
            problems=tuple(_problem(each) for each in errors.get("data") or ()),
        )

    @property
    def tenths(self) -> int:
        """How much of it is done."""
        return 10 * self.done // max(1, self.total)

    @property
    def queue_is_full(self) -> bool:
        """Whether it failed only because too many tokens wait at the server."""
        return any(problem.code == "token_limit_exceeded" for problem in self.problems)

    def refused_lines(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return a row for each request whose line made the batch fail.

        Args:
            keys: the requests, in the order of their lines.
        """
        rows: dict[str, bytes] = {}
        for problem in self.problems:
            if problem.line is not None and 1 <= problem.line <= len(keys):
                key = keys[problem.line - 1]
                response = {"status_code": 400, "body": problem.body}
                rows[key] = orjson.dumps({"custom_id": key, "response": response})
        return rows

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it is alive."""
        return self.status if self.status in _OUTCOMES else None  # type: ignore[return-value]


class BatchApi:
    """Speaks to one server.

    Every method raises TeacherUnavailable for what may pass, and TeacherRefused for everything else:
    what is wrong with a batch is wrong with all of its requests.

    Args:
        http: the open client.
        base_url: address up to and with the version.
        endpoint: where the server sends the rows of a batch, as a path.
        window: the time in which it has to end.
    """

    def __init__(self, http: HttpClient, base_url: str, endpoint: str, window: str) -> None:
        self._http, self._base, self._endpoint, self._window = http, base_url.rstrip("/"), endpoint, window

    def line(self, key: str, body: Mapping[str, Any]) -> bytes:
        """Return the row of a request in a batch's file."""
        row = {"custom_id": key, "method": "POST", "url": self._endpoint, "body": body}
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)

    async def upload(self, content: bytes) -> str:
        """Return the id of a new file."""
        boundary = secrets.token_hex(16)
        body = b"".join(
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'.encode(),
                f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="requests.jsonl"\r\n'
                "Content-Type: application/jsonl\r\n\r\n".encode(),
                content,
                f"\r\n--{boundary}--\r\n".encode(),
            )
        )
        headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
        answer = await self._ask("POST", "/files", body, headers)
        return self._read(answer, "file", lambda found: str(found["id"]))

    async def create(self, file_id: str, mark: str) -> Batch:
        """Return a new batch of an uploaded file; `mark` is kept with it, for people to find it by."""
        body = {
            "input_file_id": file_id,
            "endpoint": self._endpoint,
            "completion_window": self._window,
            "metadata": {"instil": mark},
        }
        return self._read(await self._ask("POST", "/batches", orjson.dumps(body)), "batch", Batch.of)

    async def get(self, batch_id: str) -> Batch:
        """Return how a batch is."""
        answer = await self._ask("GET", f"/batches/{batch_id}", missing=_GONE)
        return self._read(answer, "batch", Batch.of)

    async def find(self, file_id: str) -> Batch | None:
        """Return the batch of an uploaded file among the newest of the account, or None."""
        after = ""
        for _ in range(_PAGES):
            answer = await self._ask("GET", f"/batches?limit=100{after}")
            page, more = self._read(answer, "list of batches", _page)
            for batch in page:
                if batch.input_file_id == file_id:
                    return batch
            if not more or not page:
                break
            after = f"&after={page[-1].id}"
        return None

    async def download(self, file_id: str) -> dict[str, bytes]:
        """Return the rows of a file by their `custom_id`, without those of requests that were not tried."""
        answer = await self._ask("GET", f"/files/{file_id}/content", missing=_GONE)
        try:
            lines = [line for line in answer.content.splitlines() if line.strip()]
            rows = [(orjson.loads(line), line) for line in lines]
            return {str(row["custom_id"]): line for row, line in rows if not _was_not_tried(row)}
        except (KeyError, TypeError, ValueError) as error:
            raise self._broken(answer, "file of answers") from error

    def refusal(self, what: str, problem: Problem) -> TeacherError:
        """Return the error that a problem of a batch means for the requests in it."""
        return self._http.error(what, HttpAnswer(400, {}, orjson.dumps(problem.body)))

    def completion(self, row: Any) -> Completion:
        """Return the answer in a row.

        Raises:
            TeacherUnavailable: there is none, and the request may be submitted again; it was not charged.
            TeacherRejected: the request is at fault.
            TeacherRefused: no request can succeed.
        """
        status, body = _answer(row)
        error: TeacherError
        if status == 200:
            try:
                return read_completion(body)
            except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError):
                sent = self._http.quoted(body)[:80]
                error = TeacherUnavailable(f"a row of a batch is no chat completion: {sent!r}")
        else:
            error = self._http.error(f"{self._base}: a row of a batch", HttpAnswer(status, {}, body))
        if isinstance(error, TeacherUnavailable):
            # How much is in flight, and for how long to wait, is nothing that a batch's row speaks of.
            error = TeacherUnavailable(str(error), retry_after=0.0, maybe_charged=status == 200)
        raise error

    def refused_form(self, row: Any) -> Refusal | None:
        """Return what the server says where it may have refused a request for its form, else None."""
        status, body = _answer(row)
        return read_refusal(body) if status in (400, 422) else None

    async def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        missing: str | None = None,
    ) -> HttpAnswer:
        answer = await self._http.request(method, self._base + path, body=body, headers=headers)
        if answer.status in (200, 201):
            return answer
        error = self._http.error(self._base + path, answer)
        if missing and answer.status == 404:
            raise TeacherRefused(str(error), hint=missing)
        if isinstance(error, TeacherRejected):
            raise TeacherRefused(
                str(error), hint="does this server have a batch API, and for this model? see base_url, model"
            )
        raise error

    def _read(self, answer: HttpAnswer, what: str, read: Callable[[Any], T]) -> T:
        try:
            return read(orjson.loads(answer.content))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._broken(answer, what) from error

    def _broken(self, answer: HttpAnswer, what: str) -> TeacherUnavailable:
        sent = self._http.quoted(answer.content)[:80]
        return TeacherUnavailable(f"{self._base} sent what is no {what}: {sent!r}", maybe_charged=False)


def _was_not_tried(row: Any) -> bool:
    error = row.get("error")
    return isinstance(error, dict) and error.get("code") in ("batch_expired", "batch_cancelled")


def _answer(row: Any) -> tuple[int, bytes]:
    """Return the status and the body in a row; one without a response broke in the server."""
    response, error = row.get("response"), row.get("error")
    if response:
        status = response.get("status_code")
        return 200 if status is None else int(status), orjson.dumps(response.get("body"))
    return 500, orjson.dumps({"error": error})


def _page(answer: Any) -> tuple[list[Batch], bool]:
    return [Batch.of(batch) for batch in answer["data"]], bool(answer.get("has_more"))


def _problem(error: Mapping[str, Any]) -> Problem:
    line = error.get("line")
    return Problem(
        code=str(error.get("code") or ""),
        message=str(error.get("message") or "no reason given"),
        line=int(line) if line is not None else None,
    )

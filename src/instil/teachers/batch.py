"""OpenAI-style batch files: requests are collected, submitted together and answered within a day.

OpenAI, Groq and DashScope charge half of their usual price for it. A run may be stopped, or killed,
while batches are at the server: the same command finds them again and pays for nothing twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from instil.config.base import RuntimeOnly
from instil.data.fingerprint import fingerprint
from instil.teachers.base import teacher_identity
from instil.teachers.batch_api import BatchApi
from instil.teachers.batch_carrier import Carrier
from instil.teachers.batch_log import BatchLog
from instil.teachers.batch_teacher import BatchTeacher
from instil.teachers.chat_server import ChatServerConfig
from instil.teachers.remote import Address, refuse_options


class BatchConfig(ChatServerConfig):
    """A server with the OpenAI batch API: answers within a day, for half of the usual price at OpenAI.

    A `price` is taken as it stands, so give that of the batch API. What is submitted is noted in the run's
    directory first: after a stop or a crash the same command waits for the same batches.
    """

    kind: Literal["batch"]
    provider: Annotated[Literal["openai", "groq", "dashscope"] | None, RuntimeOnly] = None
    """Fills in `base_url`, `api_key_env` and `structured_output` where they are not given."""
    base_url: Annotated[Address | None, RuntimeOnly] = None
    """Address up to and with the version, for example https://api.openai.com/v1."""
    endpoint: Annotated[str, RuntimeOnly] = Field(default="/v1/chat/completions", pattern=r"^/")
    """Where the server sends each request of a batch, as a path."""
    completion_window: Annotated[str, RuntimeOnly] = "24h"
    """The time in which a batch has to end; what is not answered by then is submitted again."""
    requests_per_batch: Annotated[int, RuntimeOnly] = Field(default=10_000, gt=0, le=50_000)
    """Most requests in one batch; at 200 MB it is full as well."""
    linger_s: Annotated[float, RuntimeOnly] = Field(default=2.0, ge=0)
    """Seconds without a new request after which a batch that is not full is submitted."""
    poll_s: Annotated[float, RuntimeOnly] = Field(default=30.0, gt=0)
    """Seconds between two looks at a batch."""
    timeout_s: Annotated[float, RuntimeOnly] = Field(default=600.0, gt=0)
    """Seconds after which an upload, a download or a look at a batch counts as lost and is tried again."""
    max_concurrency: Annotated[int, RuntimeOnly] = Field(default=20_000, gt=0)
    """Most requests that wait for an answer; a few times `requests_per_batch`, so that batches run side by
    side."""

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.provider is None and self.base_url is None:
            raise ValueError("give a base_url, or a provider: openai, groq, dashscope")
        refuse_options(self, self.known.unknown, f"provider {self.provider!r}")
        return self

    @property
    def first_concurrency(self) -> int:
        """All at once: what waits at the same time goes into one batch."""
        return self.max_concurrency

    @property
    def finds_calls_again(self) -> bool:
        """What was submitted is at the server, and the next run waits for it."""
        return True

    @property
    def workers(self) -> int:
        """No more than may wait: a call that is tried again joins the next batch at once."""
        return self.max_concurrency

    @asynccontextmanager
    async def open(self, home: Path) -> AsyncIterator[BatchTeacher]:
        """Connect, and read what was submitted before."""
        base_url = self.base_url or self.known.base_url
        asked = fingerprint([base_url.rstrip("/"), teacher_identity(self)])
        async with self.connect() as http:
            api = BatchApi(http, base_url, self.endpoint, self.completion_window)
            with BatchLog(home, asked) as batches:
                carrier = Carrier(api, batches, poll_s=self.poll_s)
                teacher = BatchTeacher(
                    carrier,
                    self.model,
                    self.dialect,
                    requests_per_batch=self.requests_per_batch,
                    linger_s=self.linger_s,
                )
                try:
                    yield teacher
                finally:
                    await teacher.close()

"""Take a batch to the server and bring back its rows, whatever happens on the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from instil.errors import TeacherUnavailable
from instil.teachers.batch_api import Batch, BatchApi
from instil.teachers.batch_log import BatchLog, Submission

log = logging.getLogger(__name__)
T = TypeVar("T")

_PATIENCE = 10
"""How often in a row the server may be unavailable before those who wait are told."""


class Carrier:
    """Takes the steps of a submission, each noted on disk before the next.

    Args:
        api: the server.
        batches: where the steps are noted.
        poll_s: seconds between two looks at a batch, and before a failed step is taken again.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        api: BatchApi,
        batches: BatchLog,
        *,
        poll_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.api, self.log = api, batches
        self._poll_s, self._sleep = poll_s, sleep

    async def submit(self, submission: Submission, content: bytes) -> Batch:
        """Return the batch of new requests when it has ended and its rows are on disk.

        Raises:
            TeacherUnavailable: the server could not be reached for long.
            TeacherRefused: it takes no such batch.
        """
        await self._upload(submission, content)
        del content  # as large as 200 MB, and not needed while the batch is at the server
        await self._create(submission)
        return await self._follow(submission)

    async def resume(self, submission: Submission) -> Batch | None:
        """Return the batch of a submission that was cut off, when it has ended; None if there is none.

        Raises:
            TeacherUnavailable: the server could not be reached for long.
            TeacherRefused: it does not know us, or the batch.
        """
        if submission.batch_id is None and not await self._recover(submission):
            self.log.void(submission)
            return None
        return await self._follow(submission)

    async def _upload(self, submission: Submission, content: bytes) -> None:
        file_id = await self._patiently(lambda: self.api.upload(content))
        self.log.uploaded(submission, file_id)

    async def _create(self, submission: Submission) -> None:
        file_id, tried = str(submission.file_id), False

        async def create() -> Batch:
            nonlocal tried
            # What seemed to fail may have succeeded, and only its answer was lost.
            made = await self.api.find(file_id) if tried else None
            tried = True
            return made or await self.api.create(file_id, submission.mark)

        batch = await self._patiently(create)
        self.log.created(submission, batch.id)
        log.info("batch %s: %d requests submitted", batch.id, len(submission.keys))

    async def _recover(self, submission: Submission) -> bool:
        """Find out whether a batch was made just before a crash."""
        for again in (True, False):
            batch = await self._patiently(lambda: self.api.find(str(submission.file_id)))
            if batch:
                self.log.created(submission, batch.id)
                return True
            if again:
                # The server may still have been at it when we asked.
                await self._sleep(self._poll_s)
        return False

    async def _follow(self, submission: Submission) -> Batch:
        told: tuple[str, int] | None = None
        while True:
            batch = await self._patiently(lambda: self.api.get(str(submission.batch_id)))
            if (now := (batch.status, batch.tenths)) != told:
                told = now
                log.info("batch %s %s: %d of %d done", batch.id, batch.status, batch.done, batch.total)
            if batch.outcome:
                break
            await self._sleep(self._poll_s)
        rows = batch.refused_lines(submission.keys)
        for file_id in batch.files:
            rows.update(await self._patiently(partial(self.api.download, file_id)))
        strange = rows.keys() - set(submission.keys)
        if strange:
            log.warning("batch %s: %d rows answer nothing that was asked", batch.id, len(strange))
        self.log.ended(submission, batch.outcome, [rows[key] for key in submission.keys if key in rows])
        return batch

    async def _patiently(self, take_step: Callable[[], Awaitable[T]]) -> T:
        """Take a step, again and again while the server is unavailable."""
        for _ in range(1, _PATIENCE):
            try:
                return await take_step()
            except TeacherUnavailable as error:
                wait = max(self._poll_s, error.retry_after or 0.0)
                log.warning("%s; trying again in %.0f s", error, wait)
            await self._sleep(wait)
        return await take_step()

"""Ask a teacher for many answers at once; whatever happens, answers that came are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from instil.errors import StageError, TeacherRejected, TeacherUnavailable
from instil.teachers.base import Completion, Request, Teacher


async def collect(
    requests: Iterable[Request],
    teacher: Teacher,
    *,
    max_concurrency: int,
    on_answer: Callable[[Completion], None],
) -> dict[str, str]:
    """Ask every request and return why those failed that did, by request key.

    Answers are not returned: the journal has them.

    Raises:
        TeacherRefused: no request can succeed; calls in flight are given up.
        StageError: the server answers nothing at all.
    """
    failures: dict[str, str] = {}
    queue: Iterator[Request] = iter(requests)
    answered = 0

    async def worker() -> None:
        nonlocal answered
        for request in queue:
            try:
                completion = await teacher.complete(request)
            except (TeacherUnavailable, TeacherRejected) as error:
                failures[request.key] = str(error)
                if (
                    not answered
                    and len(failures) >= max_concurrency
                    and isinstance(error, TeacherUnavailable)
                ):
                    raise StageError(
                        f"the teacher answered none of {len(failures)} calls; the last: {error}",
                        hint=error.hint or "when the server is well again, run the same command",
                    ) from error
                continue
            answered += 1
            on_answer(completion)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(max_concurrency):
                group.create_task(worker())
    except ExceptionGroup as errors:
        # One worker's reason to stop is the reason of all.
        raise errors.exceptions[0] from None
    return failures

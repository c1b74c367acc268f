"""Every error that instil raises on purpose, drawn as a tree.

::

    InstilError                 exit code 1: it started, and stopped with a reason
    ├── RequestError            exit code 2: the request was wrong, nothing was started
    │   ├── RecipeError         a recipe, or a file that it names, cannot be used
    │   ├── MissingPackage      an optional package is needed and not installed
    │   └── RunLocked           another process works in the same run directory
    ├── StoreError              an artifact cannot be written or does not match its record
    ├── StageError              a stage cannot produce its result
    │   └── TrainingError       training cannot go on
    └── TeacherError            one call failed; what to do depends on the class
        ├── TeacherUnavailable  passing: ask again later (429, 5xx, timeout, reset)
        │   └── TeacherUnreachable  no connection: nothing was asked
        ├── TeacherRejected     this request is at fault (400): record it, go on
        └── TeacherRefused      no request can succeed (401, unknown model): stop
            └── BudgetSpent     start no more calls; those in flight end, are booked and kept

An error says what happened; its `hint` says what the user can do. To add one, put it under the
class whose handling it shares: code chooses by class and never reads messages.
"""

from __future__ import annotations

from collections.abc import Sequence


class InstilError(Exception):
    """A failure that a user can understand and act upon."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class RequestError(InstilError):
    """The request was wrong; nothing was started."""

    exit_code = 2


class RecipeError(RequestError):
    """A recipe, or a file that it names, cannot be used.

    Holds every problem that was found, each as one line that begins with its place.
    """

    def __init__(self, problems: str | Sequence[str], *, hint: str | None = None) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n       ".join(self.problems), hint=hint)


class MissingPackage(RequestError):
    """An optional package is needed and not installed."""

    def __init__(self, what: str, package: str | None, extra: str) -> None:
        super().__init__(f"{what} needs the package {package!r}", hint=f"pip install 'instil[{extra}]'")


class RunLocked(RequestError):
    """Another process works in the same run directory."""


class StoreError(InstilError):
    """An artifact cannot be written, or does not match its record."""


class StageError(InstilError):
    """A stage cannot produce its result."""


class TrainingError(StageError):
    """Training cannot go on."""


class TeacherError(InstilError):
    """One call to a teacher failed."""


class TeacherUnavailable(TeacherError):
    """Passing trouble: the same request may succeed later.

    `retry_after` is how many seconds the server asked to wait, if it did; `congested` says that it has
    too much to do (429, 503, 529), so that asking less at a time helps; `maybe_charged` says that the
    server may have worked for it, and charge for it, though no answer came.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        congested: bool = False,
        maybe_charged: bool = True,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        self.congested = congested
        self.maybe_charged = maybe_charged and not congested


class TeacherUnreachable(TeacherUnavailable):
    """No connection could be made: nothing was asked, and another address may be tried at once."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, maybe_charged=False, hint=hint)


class TeacherRejected(TeacherError):
    """The request itself is at fault; asking again cannot help."""


class TeacherRefused(TeacherError):
    """No request can succeed until the user changes something; stop at once."""


class BudgetSpent(TeacherRefused):
    """The budget does not allow another call; calls in flight are paid for already and may end."""

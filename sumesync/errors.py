"""Errors for people: where, what, what to do now, and the exit code of the table.

This module and model.py are the floor of the house: they import nothing of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Exit(IntEnum):
    """The promised exit codes (README, "Exit codes")."""

    DONE = 0
    FAILED = 1
    PENDING = 2
    REFUSED = 3
    ATTENTION = 4
    RUNNING = 5
    USAGE = 64
    INTERRUPTED = 130


# Where several hold, the first of these is the process's exit code.
_PRECEDENCE = (
    Exit.INTERRUPTED,
    Exit.USAGE,
    Exit.REFUSED,
    Exit.ATTENTION,
    Exit.FAILED,
    Exit.RUNNING,
    Exit.PENDING,
)


def first_of(codes: Iterable[Exit]) -> Exit:
    """The code to exit with when all of ``codes`` hold; DONE when there are none."""
    held = set(codes)
    return next((code for code in _PRECEDENCE if code in held), Exit.DONE)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one file of the user's: shown as ``path:line:column: what; hint``."""

    path: str
    what: str
    hint: str = ""
    line: int | None = None
    column: int | None = None

    @property
    def where(self) -> str:
        """``path``, ``path:line`` or ``path:line:column``, whichever is known. Both count from 1."""
        numbers = (n for n in (self.line, self.column if self.line else None) if n)
        return ":".join([self.path, *map(str, numbers)])


class SumesyncError(Exception):
    """Every failure that we can explain. The error boundary prints it in one line and exits ``code``."""

    code = Exit.FAILED

    def __init__(
        self, what: str, hint: str = "", *, problems: tuple[Problem, ...] = (), code: Exit | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.problems = problems
        if code is not None:
            self.code = code


class UsageError(SumesyncError):
    """The command line, the environment or a spec is wrong."""

    code = Exit.USAGE


class NoProject(UsageError):
    """There is no project here."""


class LocalStateError(SumesyncError):
    """We refuse to touch local state: it is unreadable, someone else's, full or read-only."""

    code = Exit.REFUSED


class ApiError(SumesyncError):
    """An answer of the API that is not a success, or no answer at all (``status`` None)."""

    def __init__(
        self,
        what: str,
        hint: str = "",
        *,
        status: int | None = None,
        error_code: str = "",
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, hint)
        self.status = status
        self.error_code = error_code
        self.request_id = request_id
        self.retry_after = retry_after


class MediaError(ApiError):
    """A media URL that gave no usable file. A fresh URL from ``/result`` may."""


class MediaRefused(MediaError):
    """No second try mends it: a storage refuses a file for good, or a result is not the file that the lock has."""

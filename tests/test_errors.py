"""Where, what, what to do: and which exit code wins."""

from __future__ import annotations

import pytest

from sumesync.errors import (
    ApiError,
    Exit,
    LocalStateError,
    MediaError,
    NoProject,
    Problem,
    SumesyncError,
    UsageError,
    first_of,
)


@pytest.mark.parametrize(
    ("held", "code"),
    [
        ([], Exit.DONE),
        ([Exit.DONE], Exit.DONE),
        ([Exit.PENDING, Exit.RUNNING], Exit.RUNNING),
        ([Exit.RUNNING, Exit.FAILED], Exit.FAILED),
        ([Exit.FAILED, Exit.ATTENTION], Exit.ATTENTION),
        ([Exit.ATTENTION, Exit.REFUSED], Exit.REFUSED),
        ([Exit.REFUSED, Exit.USAGE], Exit.USAGE),
        ([Exit.USAGE, Exit.INTERRUPTED, Exit.PENDING], Exit.INTERRUPTED),
    ],
)
def test_the_gravest_code_wins_in_any_order(held: list[Exit], code: Exit) -> None:
    assert first_of(held) is code
    assert first_of(reversed(held)) is code


@pytest.mark.parametrize(
    ("line", "column", "where"), [(None, None, "a"), (3, None, "a:3"), (3, 9, "a:3:9"), (None, 9, "a"), (3, 0, "a:3")]
)
def test_a_problem_stands_where_it_is_known_to(line: int | None, column: int | None, where: str) -> None:
    assert Problem("a", "x", "", line, column).where == where


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SumesyncError("what"), Exit.FAILED),
        (UsageError("what"), Exit.USAGE),
        (NoProject("what"), Exit.USAGE),
        (LocalStateError("what"), Exit.REFUSED),
        (ApiError("what"), Exit.FAILED),
        (MediaError("what"), Exit.FAILED),
    ],
)
def test_each_error_has_its_code_and_needs_no_more_than_a_text(error: SumesyncError, code: Exit) -> None:
    assert (str(error), error.what, error.hint, error.problems, error.code) == ("what", "what", "", (), code)


def test_an_error_carries_its_hint_its_problems_and_a_code_of_its_own() -> None:
    problem = Problem("a", "x")
    error = UsageError("what", "do", problems=(problem,), code=Exit.ATTENTION)
    assert (error.hint, error.problems, error.code) == ("do", (problem,), Exit.ATTENTION)
    assert UsageError("what").code is Exit.USAGE


def test_an_error_of_the_api_carries_what_was_answered() -> None:
    error = ApiError("what", "do", status=429, error_code="c", request_id="r", retry_after=3.0)
    assert (error.what, error.hint) == ("what", "do")
    assert (error.status, error.error_code, error.request_id, error.retry_after) == (429, "c", "r", 3.0)
    bare = ApiError("what")
    assert (bare.status, bare.error_code, bare.request_id, bare.retry_after) == (None, "", None, None)

"""The paid step. Read this file slowly before changing a line of it.

    INTENT      durable before connecting
    SENDING     durable after connect, before the first byte of the request
    ACCEPTED    durable before anything else is done with a job id
    UNKNOWN     sent, and whether a job exists is not known; it stays so until a fact or a person settles it

Everything here runs in a worker thread and touches only the files of its own submission.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from sumesync.answers import Accepted, JobView, NotSent, Order, Refused, SubmitResult, Throttled, Unclear
from sumesync.apply.run import Tools
from sumesync.core.recover import facts_of
from sumesync.core.request import digest
from sumesync.errors import ApiError, LocalStateError
from sumesync.model import Step, Submission
from sumesync.ports import JobApi

_RESENDS = 3
_RESEND_SECONDS = 2.0
_PAGES = 3


@dataclass(frozen=True, slots=True)
class Payment:
    """How one submission ended. ``result`` is Accepted also where a lost answer was found again."""

    submission: Submission
    result: SubmitResult
    resent: bool = False
    """Whether the request was sent once more, under the same key."""
    recorded: bool = True
    """Whether the ledger has the ids. Until it does, the journal's file may not go: the lock can be reset."""


class LostIds(LocalStateError):
    """Jobs were paid for and their ids could be saved nowhere: they go to the person, now."""

    def __init__(self, submission: Submission, why: LocalStateError) -> None:
        ids = ", ".join(submission.job_ids)
        super().__init__(
            f"{submission.entry}: paid for {ids}, and it could not be saved ({why.what})",
            f"write the id down; then: sumesync resolve {submission.entry.path} --adopt {submission.job_ids[0]}",
        )
        self.submission = submission


def pay(submission: Submission, body: bytes, tools: Tools) -> Payment:
    """Send one paid request, at most once. Raises LocalStateError where our own disk fails; then nothing
    was sent, or what was accepted is saved or named."""
    tools.ledger.claim(submission)
    sending = replace(submission, step=Step.SENDING)

    def before_first_byte() -> None:
        tools.journal.write(replace(sending, sent_at=tools.clock.now()))

    try:
        result = tools.api.submit(Order(submission.key, submission.route, body), before_first_byte)
    except LocalStateError:
        # Our own disk, inside the hook: not a byte was sent. If this cannot be said either, the journal
        # stays at SENDING, which errs on the safe side.
        with suppress(LocalStateError):
            tools.journal.clear(submission.key)
        raise
    return _conclude(submission, body, result, tools)


def _conclude(submission: Submission, body: bytes, result: SubmitResult, tools: Tools) -> Payment:
    match result:
        case Accepted():
            return _accept(submission, result, tools)
        case Throttled():
            tools.journal.write(submission)  # not charged: INTENT again, for the same key
        case Refused():
            tools.journal.clear(submission.key)
        case NotSent():
            pass  # the journal says INTENT still
        case _:  # Unclear, the only one left: what is no definite answer is never taken for one
            return _unclear(submission, body, result, tools)
    return Payment(submission, result)


def _accept(submission: Submission, answer: Accepted, tools: Tools, resent: bool = False) -> Payment:
    """Make the ids durable: in the journal, then in the ledger, which has them for good."""
    accepted = replace(submission, step=Step.ACCEPTED, job_ids=answer.job_ids)
    unwritten: LocalStateError | None = None
    try:
        tools.journal.write(accepted)
    except LocalStateError as error:
        unwritten = error
    recorded = True
    try:
        tools.ledger.record(facts_of(accepted, answer.credits))
    except LocalStateError:
        if unwritten is not None:
            raise LostIds(accepted, unwritten) from None
        recorded = False
    return Payment(accepted, answer, resent, recorded)


def _unclear(submission: Submission, body: bytes, result: Unclear, tools: Tools) -> Payment:
    unknown = replace(submission, step=Step.UNKNOWN, detail=result.detail, sent_at=tools.clock.now())
    # SENDING is durable already and means the same; UNKNOWN adds the reason. A full disk must not hide it.
    with suppress(LocalStateError):
        tools.journal.write(unknown)
    return settle(unknown, body, tools) or Payment(unknown, result)


def settle(unknown: Submission, body: bytes | None, tools: Tools) -> Payment | None:
    """Find out what became of a request whose answer was lost, without ever risking a second job.

    By the identical key and bytes, where Sume documents that as safe; else by a job that echoes our
    key. A prompt that looks alike could be last month's job, or a colleague's: never by that. Without
    ``body`` nothing is sent.
    """
    resent = _resent(unknown, body, tools)
    answer = resent or _echoed(unknown, tools)
    return _accept(unknown, answer, tools, resent=resent is not None) if answer else None


def _resent(unknown: Submission, body: bytes | None, tools: Tools) -> Accepted | None:
    if body is None or digest(body) != unknown.body_sha256 or unknown.origin != tools.api.origin:
        return None
    if not tools.api.declares_idempotency(unknown.route):
        return None
    for attempt in range(_RESENDS):
        if attempt:
            tools.clock.sleep(_RESEND_SECONDS * 2**attempt)
        # The journal says UNKNOWN throughout: whatever happens here, it is never less than that.
        result = tools.api.submit(Order(unknown.key, unknown.route, body), lambda: None)
        if isinstance(result, Accepted):
            return result
        if isinstance(result, Refused):
            break
        if isinstance(result, Throttled):
            tools.clock.sleep(result.wait)
    return None


def _echoed(unknown: Submission, tools: Tools) -> Accepted | None:
    found = tuple(job.id for job in recent_jobs(tools.api) if unknown.key in job.tokens)
    return Accepted(found) if found else None


def recent_jobs(api: JobApi) -> tuple[JobView, ...]:
    """The newest few pages of the workspace's jobs; () when Sume does not tell. Absence proves nothing."""
    found: list[JobView] = []
    cursor: str | None = None
    with suppress(ApiError):
        for _ in range(_PAGES):
            page = api.list_jobs(cursor)
            found += page.jobs
            if page.cursor is None or page.cursor == cursor:
                break
            cursor = page.cursor
    return tuple(found)

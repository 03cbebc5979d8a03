"""What a journal found at the start means. Pure.

INTENT: nothing was sent. ACCEPTED: the jobs are known. SENDING: the process died or the answer was lost while
it was out, which is UNKNOWN. What the ledger knows of an attempt beats what the journal says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sumesync.errors import UsageError
from sumesync.model import Fact, JobError, JobRecord, JobState, Step, Submission


@dataclass(frozen=True, slots=True)
class Recovery:
    """``clear``: keys of journal files that say nothing any more. ``record``: facts that the ledger must have before
    that. ``unknown``: submissions whose outcome nobody knows."""

    clear: tuple[str, ...] = ()
    record: tuple[Fact, ...] = ()
    unknown: tuple[Submission, ...] = ()


def recover(journal: Iterable[Submission], facts: Iterable[Fact]) -> Recovery:
    """Sort the journal of a run that ended, however it ended."""
    journal, facts = tuple(journal), tuple(facts)
    recorded = {(fact.fingerprint, fact.job.id) for fact in facts if not fact.retracted}
    record = tuple(
        fact
        for submission in journal
        if submission.step is Step.ACCEPTED
        for fact in facts_of(submission)
        if (fact.fingerprint, fact.job.id) not in recorded
    )
    doubtful = (s for s in open_submissions(journal, facts) if s.step in (Step.SENDING, Step.UNKNOWN))
    unknown = tuple(replace(s, step=Step.UNKNOWN) for s in doubtful)
    kept = {s.key for s in unknown}
    return Recovery(tuple(s.key for s in journal if s.key not in kept), record, unknown)


def open_submissions(journal: Iterable[Submission], facts: Iterable[Fact]) -> tuple[Submission, ...]:
    """The journal without what is settled: the plan's view of it. Only a fact that came from that very request
    settles it: a colleague's job for the same prompt says nothing about ours."""
    settled = {fact.submission for fact in facts if not fact.retracted}
    return tuple(s for s in journal if s.step is Step.ACCEPTED or (s.step is not Step.INTENT and s.key not in settled))


def being_sent(submissions: Iterable[Submission], since: float | None) -> tuple[Submission, ...]:
    """Those that the process at work in the project, which began at ``since``, is sending now. What was sent before
    it began is not its own. None: no process is at work."""
    return tuple(
        s
        for s in submissions
        if since is not None and s.step is Step.SENDING and s.sent_at is not None and s.sent_at >= since
    )


def facts_of(submission: Submission, credits_: float | None = None) -> tuple[Fact, ...]:
    """The ledger's facts of an accepted submission. ``credits_``: what the answer said that all its jobs cost."""
    each = share(credits_, len(submission.job_ids))
    return tuple(
        Fact(
            submission.fingerprint,
            JobRecord(job_id, JobState.ACCEPTED, submission.attempt, each),
            submission.kind,
            submission.entry,
            submission.workspace,
            submission.lineage,
            submission.key,
        )
        for job_id in submission.job_ids
    )


def share(credits_: float | None, jobs: int) -> float | None:
    """Of what several jobs cost together, each one's: evenly, until the job itself tells."""
    return credits_ / jobs if credits_ is not None and jobs else None


def lost(job: JobRecord) -> JobRecord:
    """A person's word, after Sume answered 404, that nothing comes of this job any more. It counts as one that
    expired: a new attempt is paid for when somebody asks."""
    return replace(job, state=JobState.EXPIRED, error=JobError("lost"))


def retractions(submission: Submission, facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """The facts that settled ``submission``, taken back: it is unknown again. Raises UsageError where that could come
    to a second payment: the request was paid for again since."""
    facts = tuple(fact for fact in facts if fact.fingerprint == submission.fingerprint and not fact.retracted)
    if later := next((fact for fact in facts if fact.job.attempt > submission.attempt), None):
        raise UsageError(
            f"{submission.entry}: it was tried again since ({later.job.id}); what was decided before that stands",
            "nothing needs to be taken back",
        )
    found = (fact for fact in facts if fact.submission == submission.key)
    return tuple(replace(fact, job=replace(fact.job, state=JobState.VOID), retracted=True) for fact in found)


def void(submission: Submission) -> Fact:
    """A person's word that this attempt created no job: the next one gets a number of its own."""
    job = JobRecord(f"void-{submission.key[:16]}", JobState.VOID, submission.attempt)
    return Fact(
        submission.fingerprint,
        job,
        submission.kind,
        submission.entry,
        submission.workspace,
        submission.lineage,
        submission.key,
    )

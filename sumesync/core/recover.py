"""What a journal found at the start means. Pure.

INTENT: nothing was sent. ACCEPTED: the jobs are known. SENDING: the process died or the answer was lost while
it was out, which is UNKNOWN. What the ledger knows of an attempt beats what the journal says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sumesync.model import Fact, JobRecord, JobState, Step, Submission


@dataclass(frozen=True, slots=True)
class Recovery:
    """``clear``: keys of journal files that say nothing any more. ``record``: facts that the ledger must have before
    that. ``unknown``: submissions whose outcome nobody knows."""

    clear: tuple[str, ...] = ()
    record: tuple[Fact, ...] = ()
    unknown: tuple[Submission, ...] = ()


def recover(journal: Iterable[Submission], facts: Iterable[Fact]) -> Recovery:
    """Sort the journal of a run that ended, however it ended."""
    journal = tuple(journal)
    settled = _settled(facts)
    open_ones = still_open(journal, settled)
    record = tuple(fact for s in journal if s.step is Step.ACCEPTED for fact in facts_of(s) if _id(fact) not in settled)
    unknown = tuple(replace(s, step=Step.UNKNOWN) for s in open_ones if s.step in (Step.SENDING, Step.UNKNOWN))
    kept = {s.key for s in unknown}
    return Recovery(tuple(s.key for s in journal if s.key not in kept), record, unknown)


def open_submissions(journal: Iterable[Submission], facts: Iterable[Fact]) -> tuple[Submission, ...]:
    """The journal without what is settled: the plan's view of it."""
    return still_open(tuple(journal), _settled(facts))


def still_open(journal: tuple[Submission, ...], settled: frozenset[tuple[str, int, str]]) -> tuple[Submission, ...]:
    attempts = {(fingerprint, attempt) for fingerprint, attempt, _ in settled}
    return tuple(
        s
        for s in journal
        if s.step is Step.ACCEPTED or (s.step is not Step.INTENT and (s.fingerprint, s.attempt) not in attempts)
    )


def facts_of(submission: Submission) -> tuple[Fact, ...]:
    """The ledger's facts of an accepted submission."""
    return tuple(
        Fact(
            submission.fingerprint,
            JobRecord(job_id, JobState.ACCEPTED, submission.attempt),
            submission.kind,
            submission.entry,
            submission.workspace,
            submission.lineage,
        )
        for job_id in submission.job_ids
    )


def void(submission: Submission) -> Fact:
    """A person's word that this attempt created no job: the next one gets a number of its own."""
    job = JobRecord(f"void-{submission.key[:16]}", JobState.VOID, submission.attempt)
    return Fact(
        submission.fingerprint, job, submission.kind, submission.entry, submission.workspace, submission.lineage
    )


def _settled(facts: Iterable[Fact]) -> frozenset[tuple[str, int, str]]:
    return frozenset((fact.fingerprint, fact.job.attempt, fact.job.id) for fact in facts)


def _id(fact: Fact) -> tuple[str, int, str]:
    return fact.fingerprint, fact.job.attempt, fact.job.id

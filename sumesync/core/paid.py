"""What has been paid for, by fingerprint: the lock, its history, the ledger and the journal as one index. Pure.

A fingerprint that is in here is never paid for again unasked, wherever its spec stands now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sumesync.model import (
    Entry,
    EntryKey,
    Fact,
    JobRecord,
    JobState,
    Lock,
    Output,
    Past,
    Step,
    Submission,
)


@dataclass(frozen=True, slots=True)
class Paid:
    """All that is known of one fingerprint at one endpoint."""

    fingerprint: str
    kind: str = ""
    jobs: tuple[JobRecord, ...] = ()
    """Every job, of all attempts, in the order of attempts."""
    accepted: Mapping[EntryKey, tuple[Output, ...]] = field(default_factory=dict)
    """Outputs that a person blessed, by the entry that they were blessed for."""
    unknown: tuple[Submission, ...] = ()
    """Submissions whose outcome nobody knows."""
    attempts: int = 0
    """The highest attempt ever made."""

    @property
    def in_flight(self) -> tuple[JobRecord, ...]:
        return tuple([job for job in self.jobs if job.state.in_flight])

    @property
    def latest(self) -> tuple[JobRecord, ...]:
        """The jobs of the last attempt: they decide what became of the request."""
        if len(self.jobs) < 2:
            return self.jobs
        last = max((job.attempt for job in self.jobs), default=0)
        return tuple(job for job in self.jobs if job.attempt == last)

    @property
    def failed(self) -> tuple[JobRecord, ...]:
        return tuple(job for job in self.latest if job.state.ended_badly)

    @property
    def completed(self) -> bool:
        latest = self.latest
        return bool(latest) and all(job.state in (JobState.COMPLETED, JobState.GONE) for job in latest)

    @property
    def gone(self) -> bool:
        return any(job.state is JobState.GONE for job in self.latest)

    @property
    def every_output(self) -> tuple[Output, ...]:
        """All that was ever made or blessed for this fingerprint, wherever it stands."""
        made = tuple(output for job in self.jobs for output in job.outputs)
        return made + tuple(output for outputs in self.accepted.values() for output in outputs)


Index = Mapping[str, Paid]


def index(lock: Lock, facts: Iterable[Fact], journal: Iterable[Submission], endpoint: str) -> Index:
    """Everything paid for at ``endpoint``. Facts of another workspace are not ours to use."""
    found: dict[str, Paid] = {}
    facts = tuple(facts)
    for fact in facts:
        if not _foreign(lock.workspace, fact.workspace):
            _add(found, fact.fingerprint, fact.kind, (fact.job,))
    retracted = {(fact.fingerprint, fact.job.id) for fact in facts if fact.retracted}
    for key, past in pasts(lock):
        if past.endpoint == endpoint:
            # Of another branch's lock, too, a job that was taken back is not the request's.
            jobs = past.jobs
            if retracted:
                jobs = tuple(job for job in jobs if (past.fingerprint, job.id) not in retracted)
            _add(found, past.fingerprint, past.kind, jobs)
            if past.accepted:
                paid = found[past.fingerprint]
                found[past.fingerprint] = replace(paid, accepted={**paid.accepted, key: past.accepted})
    for submission in journal:
        _add_submission(found, submission)
    return found


def find_job(paid: Index, job_id: str) -> tuple[Paid, JobRecord] | None:
    """The job of that id, and the request that it was paid for."""
    found = ((each, job) for each in paid.values() for job in each.jobs if job.id == job_id)
    return next(found, None)


def holders(lock: Lock, job_id: str) -> tuple[EntryKey, ...]:
    """The entries that have the job, now or in their history."""
    found = (key for key, past in pasts(lock) if any(job.id == job_id for job in past.jobs))
    return tuple(dict.fromkeys(found))


def pasts(lock: Lock) -> Iterator[tuple[EntryKey, Past | Entry]]:
    """Every request that the lock knows: each entry's history, then what it is now, for which it stands itself."""
    for key, entry in lock.entries.items():
        for past in entry.history:
            yield key, past
        yield key, entry


def _foreign(ours: str | None, theirs: str | None) -> bool:
    return ours is not None and theirs is not None and ours != theirs


def _add(found: dict[str, Paid], fingerprint: str, kind: str, jobs: Iterable[JobRecord]) -> None:
    jobs, paid = tuple(jobs), found.get(fingerprint) or Paid(fingerprint, kind)
    if not paid.jobs and not paid.attempts and len(jobs) == 1 and jobs[0].state is not JobState.VOID:
        # What the rest comes to, for most of thousands.
        attempts = max(jobs[0].attempt, 0)
        found[fingerprint] = Paid(fingerprint, paid.kind or kind, jobs, paid.accepted, paid.unknown, attempts)
        return
    merged = {job.id: job for job in paid.jobs}
    for job in jobs:
        merged[job.id] = merge(merged[job.id], job) if job.id in merged else job
    attempts = max([paid.attempts, *(job.attempt for job in merged.values())])
    real = (job for job in merged.values() if job.state is not JobState.VOID)
    ordered = tuple(sorted(real, key=lambda job: job.attempt))
    found[fingerprint] = Paid(fingerprint, paid.kind or kind, ordered, paid.accepted, paid.unknown, attempts)


def _add_submission(found: dict[str, Paid], submission: Submission) -> None:
    if submission.step is Step.INTENT:
        return  # nothing was sent
    jobs = tuple(JobRecord(job_id, JobState.ACCEPTED, submission.attempt) for job_id in submission.job_ids)
    _add(found, submission.fingerprint, submission.kind, jobs)
    paid = found[submission.fingerprint]
    unknown = paid.unknown if submission.step is Step.ACCEPTED else (*paid.unknown, submission)
    attempts = max(paid.attempts, submission.attempt)
    found[submission.fingerprint] = replace(paid, unknown=unknown, attempts=attempts)


_RANK = {JobState.ACCEPTED: 0, JobState.GONE: 2}


def merge(one: JobRecord, other: JobRecord) -> JobRecord:
    """Two records of one job: an end beats "in flight", GONE beats any other end, what only one of them knows stays.

    Between equals ``other``, the later, wins.
    """
    first, last = sorted((one, other), key=lambda job: _RANK.get(job.state, 1))
    return replace(
        last,
        credits=last.credits if last.credits is not None else first.credits,
        error=last.error or (first.error if last.state.ended_badly else None),
        outputs=last.outputs or first.outputs,
    )

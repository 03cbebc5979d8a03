"""The budget of a run, kept up with what happens. The verdicts are ``core.budget``'s; where there is no limit,
everything may start."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sumesync.core.budget import Budget, May, Verdict
from sumesync.errors import ApiError
from sumesync.model import EntryKey, JobRecord
from sumesync.ports import JobApi


class Till:
    """``prices``: what each variant's submit is expected to cost; the others' cost is unknown."""

    def __init__(self, budget: Budget | None, prices: Mapping[EntryKey, float]) -> None:
        self.budget = budget
        self._prices = prices
        self._jobs: dict[str, dict[str, JobRecord]] = {}
        """Of each submit, its jobs as last heard of."""
        self._paid_by: dict[str, str] = {}
        """The submit of each job."""
        self._asked: Budget | None = None
        """The budget when the balance was asked for."""

    def ask(self, key: EntryKey) -> Verdict:
        return self.budget.ask(self._prices.get(key)) if self.budget else Verdict(May.START)

    def begun(self, submission: str, key: EntryKey) -> None:
        if self.budget:
            self.budget = self.budget.begun(submission, self._prices.get(key))

    def dropped(self, submission: str) -> None:
        if self.budget:
            self.budget = self.budget.dropped(submission)

    def doubtful(self, submission: str) -> None:
        if self.budget:
            self.budget = self.budget.doubtful(submission)

    def accepted(self, submission: str, jobs: Mapping[str, JobRecord], told: float | None) -> None:
        self._jobs[submission] = dict(jobs)
        for job_id in jobs:
            self._paid_by.setdefault(job_id, submission)
        if self.budget:
            self.budget = self.budget.accepted(submission, told)

    def heard(self, job: JobRecord) -> None:
        """A job has ended, or its result told what it cost."""
        submission = self._paid_by.get(job.id)
        if submission is None:
            return
        jobs = self._jobs[submission]
        jobs[job.id] = job
        if self.budget and not any(known.state.in_flight for known in jobs.values()):
            self.budget = self.budget.over(submission, _sum(jobs.values()))

    def reading(self) -> None:
        """The balance is asked for now."""
        self._asked = self.budget

    def read(self, balance: float | None) -> None:
        """What was begun or ended meanwhile may show in ``balance`` or not: then it tells nothing."""
        if self.budget and self.budget is self._asked:
            self.budget = self.budget.read(balance)


def _sum(jobs: Collection[JobRecord]) -> float | None:
    told = [job.credits for job in jobs if job.credits is not None]
    return sum(told) if len(told) == len(jobs) else None


def balance(api: JobApi) -> float | None:
    """What the account has left; None where that cannot be read. Runs in a worker thread."""
    try:
        return api.credits().remaining
    except ApiError:
        return None

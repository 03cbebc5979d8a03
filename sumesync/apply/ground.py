"""What the parts of the loop share: the task, the tools, what is recorded, and how a failure is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from sumesync.apply.record import Record
from sumesync.apply.run import Task, Tools
from sumesync.apply.till import Till
from sumesync.core.advance import note_job
from sumesync.core.outcome import Outcome, Trouble
from sumesync.core.text import without_secrets
from sumesync.errors import ApiError, MediaError, SumesyncError
from sumesync.model import Change, EntryKey, JobRecord, JobState, News, Wanted

TRIES = 4
RETRY_SECONDS = 2.0


def heard(error: SumesyncError) -> int | None:
    """What ``error`` says of Sume, as Trouble has it. A media host's refusal is about one URL, not about the key."""
    if not isinstance(error, ApiError):
        return None
    status = error.status or 0
    return None if isinstance(error, MediaError) and 400 <= status < 500 else status


@dataclass(slots=True)
class Errand:
    """One fingerprint on its way: its jobs, and the variants that wait for them. No targets: collected only."""

    fingerprint: str
    kind: str
    targets: list[Wanted] = field(default_factory=list)
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    tries: int = 0
    named: frozenset[str] | None = None
    """The URLs that its request named, where this run sent it."""

    @property
    def key(self) -> EntryKey | None:
        return self.targets[0].key if self.targets else None

    @property
    def latest(self) -> list[JobRecord]:
        """The jobs of the last attempt."""
        last = max(job.attempt for job in self.jobs.values())
        return [job for job in self.jobs.values() if job.attempt == last]


@dataclass(slots=True)
class Ground:
    """Shared by payments, flights and deliveries. ``closed``: nothing more is submitted in this run."""

    task: Task
    tools: Tools
    record: Record
    outcome: Outcome
    closed: bool = False
    till: Till = field(init=False)
    _bought: dict[str, None] = field(default_factory=dict)
    """What the outcome has, to look it up."""
    _costs: dict[str, float] = field(default_factory=dict)
    """What each job that this run paid for cost, as last told."""

    def __post_init__(self) -> None:
        self.till = Till(self.task.budget, self.task.prices)

    def now(self) -> float:
        return self.tools.clock.monotonic()

    def fail(self, key: EntryKey | None, text: str, hint: str, status: int | None = None) -> None:
        text = without_secrets(text)
        self.outcome.failed.append(Trouble(key, text, hint, status))
        self.tools.tell(News.FAILED, key, text)

    def note(self, *ended: tuple[Errand, JobRecord]) -> None:
        """What became of jobs: in the ledger at once, in every entry that has them with the next write of the lock.

        Only the ledger hears that a job completed whose media somebody waits for: the lock says it when
        they are durable.
        """
        known = []
        for errand, job in ended:
            errand.jobs[job.id] = job
            key = errand.key or self._holder(job.id) or EntryKey("")
            known.append((errand.fingerprint, errand.kind, key, job))
        self.record.facts(known)
        for errand, job in ended:
            if job.state is not JobState.COMPLETED or not errand.targets:
                for name in self.record.having(job.id):
                    self.record.change(name, _noting(errand.fingerprint, job))

    def _holder(self, job_id: str) -> EntryKey | None:
        return next((fact.key for fact in self.task.facts if fact.job.id == job_id), None)

    def spent(self, job: JobRecord) -> None:
        """Counts a job's credits where this run paid for it. What is told later replaces what was told before."""
        self.till.heard(job)
        bought = self.outcome.bought
        self._bought.update(dict.fromkeys(bought[len(self._bought) :]))
        if job.credits is not None and job.id in self._bought:
            self.outcome.credits = (self.outcome.credits or 0) + job.credits - self._costs.get(job.id, 0)
            self._costs[job.id] = job.credits


def _noting(fingerprint: str, job: JobRecord) -> Change:
    return lambda entry: note_job(entry, fingerprint, job)

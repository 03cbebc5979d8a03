"""What a run is given, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from sumesync.core.action import Plan, Policy
from sumesync.core.kinds import Kinds
from sumesync.core.placement import Ours
from sumesync.core.schedule import DEFAULT_CAPACITY, Pace
from sumesync.errors import Exit
from sumesync.model import EntryKey, Event, Fact, Lock, News, Submission, Wanted
from sumesync.ports import Clock, JobApi, Journal, Ledger, LockStore, Media, Progress, Workers


@dataclass(frozen=True, slots=True)
class Tools:
    """The world outside, through its ports."""

    api: JobApi
    ledger: Ledger
    journal: Journal
    locks: LockStore
    media: Media
    clock: Clock
    workers: Workers
    progress: Progress

    def tell(self, news: News, key: EntryKey | None = None, text: str = "", job_id: str | None = None) -> None:
        with suppress(OSError, ValueError):  # a terminal that is gone is no reason to stop
            self.progress.tell(Event(news, key, text, job_id))


@dataclass(frozen=True, slots=True)
class Task:
    """One run: a plan that was agreed to, and the values that it was made from.

    ``deadline``: seconds that the whole run may wait for jobs; None: as long as each kind's jobs may take. It counts
    from ``since``, monotonic seconds, when the person agreed; None: from the loop's own start.
    ``stopping``: whether somebody asked to stop (Ctrl-C, SIGTERM).
    """

    plan: Plan
    wanted: Mapping[EntryKey, Wanted]
    lock: Lock
    facts: tuple[Fact, ...]
    own: Ours
    kinds: Kinds
    policy: Policy
    capacity: int = DEFAULT_CAPACITY
    pace: Pace = field(default_factory=Pace)
    wait: bool = True
    deadline: float | None = None
    since: float | None = None
    stopping: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that did not work, for the end of the run: what, for whom, and what to do."""

    key: EntryKey | None
    text: str
    hint: str = ""


@dataclass(slots=True)
class Outcome:
    """What really happened, whatever ended the run. Grows during it."""

    done: list[EntryKey] = field(default_factory=list)
    """Variants whose media and lock entry are as the plan said."""
    bought: list[str] = field(default_factory=list)
    """Ids of the jobs that this run paid for."""
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[Trouble] = field(default_factory=list)
    unknown: list[Submission] = field(default_factory=list)
    running: dict[str, EntryKey | None] = field(default_factory=dict)
    """Jobs that still run at Sume, by id."""
    undelivered: list[EntryKey] = field(default_factory=list)
    """Variants whose jobs are done and whose media this run did not come to download."""
    not_begun: list[EntryKey] = field(default_factory=list)
    """Purchases of the plan that were never sent."""
    credits: float | None = None
    """What the jobs that completed in this run cost, as far as Sume told."""
    interrupted: bool = False
    refused: Trouble | None = None
    """Local state that could not be written: the run stopped there."""

    def codes(self) -> set[Exit]:
        codes: set[Exit] = set()
        if self.interrupted:
            codes.add(Exit.INTERRUPTED)
        if self.refused:
            codes.add(Exit.REFUSED)
        if self.unknown:
            codes.add(Exit.ATTENTION)
        if self.failed:
            codes.add(Exit.FAILED)
        if self.running or self.undelivered or (self.not_begun and not codes):
            codes.add(Exit.RUNNING)
        return codes

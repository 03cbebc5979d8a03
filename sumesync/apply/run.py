"""What a run is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from sumesync.core.action import Plan, Policy
from sumesync.core.budget import Budget
from sumesync.core.kinds import Kinds
from sumesync.core.placement import Ours
from sumesync.core.schedule import DEFAULT_CAPACITY, Pace
from sumesync.model import EntryKey, Event, Fact, Lock, News, Wanted
from sumesync.ports import Clock, JobApi, Journal, Ledger, Library, LockStore, Media, Progress, Uploads, Workers


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
    library: Library
    uploads: Uploads

    def tell(self, news: News, key: EntryKey | None = None, text: str = "", job_id: str | None = None) -> None:
        with suppress(OSError, ValueError):  # a terminal that is gone is no reason to stop
            self.progress.tell(Event(news, key, text, job_id))


@dataclass(frozen=True, slots=True)
class Task:
    """One run: a plan that was agreed to, and the values that it was made from.

    ``deadline``: seconds that the whole run may wait for jobs; None: as long as each kind's jobs may take. It counts
    from ``since``, monotonic seconds, when the person agreed; None: from the loop's own start.
    ``stopping``: whether somebody asked to stop (Ctrl-C, SIGTERM).
    ``budget``: what may be spent; None: no limit. ``prices``: what a variant's submit is expected to cost, where known.
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
    budget: Budget | None = None
    prices: Mapping[EntryKey, float] = field(default_factory=dict)

"""What a plan is made from: what people wrote, what was achieved, and what is known of each variant. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sumesync.core import placement
from sumesync.core.action import Observed, Placed, Policy
from sumesync.core.kinds import Kinds
from sumesync.core.paid import Index, Paid
from sumesync.core.placement import Ours
from sumesync.errors import Problem
from sumesync.model import Entry, EntryKey, Fact, JobState, Lock, Step, Submission, Wanted


@dataclass(frozen=True, slots=True)
class Project:
    """What people wrote: valid variants, and everything wrong with the rest."""

    wanted: tuple[Wanted, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Of specs, by their ``path``."""
    config_problems: tuple[Problem, ...] = ()
    spec_paths: frozenset[str] = frozenset()
    """Every spec file there is, valid or not."""
    sparse: frozenset[str] = frozenset()
    """Specs of the lock that git tracks and does not check out here."""
    nested: frozenset[str] = frozenset()
    """Specs of the lock that lie in a project of their own."""
    reads: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The files that each spec depends on, beside itself: prompt files and media that it takes."""
    folders: frozenset[str] = frozenset()
    """Where outputs go or would go, of specs that are wrong, too."""

    @property
    def left_alone(self) -> frozenset[str]:
        """Specs that are somebody else's matter: neither there nor gone."""
        return self.sparse | self.nested


@dataclass(frozen=True, slots=True)
class State:
    """What was achieved: the lock, the ledger's facts and the journal."""

    lock: Lock
    facts: tuple[Fact, ...] = ()
    journal: tuple[Submission, ...] = ()
    sending: Mapping[str, str] = field(default_factory=dict)
    """Submissions that a live process is sending now, by key, and that process in words. Nobody knows their outcome
    yet, and nobody needs to decide."""

    @property
    def unknown(self) -> tuple[Submission, ...]:
        """Paid requests whose outcome nobody knows, and nobody is about to."""
        doubtful = (s for s in self.journal if s.step in (Step.SENDING, Step.UNKNOWN))
        return tuple(s for s in doubtful if s.key not in self.sending)


@dataclass(frozen=True, slots=True)
class View:
    project: Project
    state: State
    observed: Observed
    policy: Policy
    kinds: Kinds
    paid: Index
    own: Ours

    def entry(self, key: EntryKey) -> Entry | None:
        return self.state.lock.entries.get(key)

    def known(self, wanted: Wanted) -> Paid:
        """What was paid for ``wanted``. The lock wins: where it has a whole result, a job of this machine's that the
        entry does not name is not part of it, unless it is a later attempt."""
        paid = self.paid.get(wanted.fingerprint) or Paid(wanted.fingerprint, wanted.kind)
        entry = self.entry(wanted.key)
        if entry is None or not entry.jobs or not is_current(entry, wanted, self.policy):
            return paid
        if len(entry.jobs) == len(paid.jobs) == 1 and entry.jobs[0].id == paid.jobs[0].id:
            return paid  # what the rest comes to
        named = {job.id for job in entry.jobs}
        last = max(job.attempt for job in entry.jobs)
        if any(job.state is not JobState.COMPLETED for job in entry.jobs if job.attempt == last):
            return paid
        jobs = tuple([job for job in paid.jobs if job.id in named or job.attempt > last])
        return paid if len(jobs) == len(paid.jobs) else replace(paid, jobs=jobs)

    def seen(self, wanted: Wanted, origin: EntryKey | None) -> Seen:
        entry, known = self.entry(wanted.key), self.known(wanted)
        current = entry if is_current(entry, wanted, self.policy) else None
        places = placement.place(wanted, known, current, origin, self.observed.files, self.own)
        return Seen(wanted, origin, entry, current is not None, known, places, self.outputs(wanted))

    def places(self, seen: Seen) -> tuple[Placed, ...]:
        """Where its outputs stand, as far as the policy lets what a person accepted count."""
        if not self.policy.restore_edited:
            return seen.places
        current = seen.entry if seen.current else None
        files = self.observed.files
        return placement.place(seen.wanted, seen.known, current, seen.origin, files, self.own, blessed=False)

    @property
    def unproven(self) -> frozenset[str]:
        """Files that the lock alone calls ours, and of which git has no copy."""
        asked = ((path, self.observed.files.get(path)) for path in self.own.committed)
        return frozenset(path for path, fact in asked if fact and self.own.unproven(path, fact))

    def free(self, kind: str) -> bool:
        known = self.kinds.get(kind)  # a newer version's lock may name others
        return known is not None and known.free

    def outputs(self, wanted: Wanted) -> int:
        """How many media files a variant makes: a document is none."""
        kind = self.kinds[wanted.kind]
        return 0 if kind.document else kind.outputs(wanted.request)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a variant by itself. ``current``: its entry in the lock is at its fingerprint and endpoint;
    ``outputs``: how many media files it makes."""

    wanted: Wanted
    origin: EntryKey | None
    entry: Entry | None
    current: bool
    known: Paid
    places: tuple[Placed, ...]
    outputs: int


def is_current(entry: Entry | None, wanted: Wanted, policy: Policy) -> bool:
    return entry is not None and entry.fingerprint == wanted.fingerprint and entry.endpoint == policy.endpoint

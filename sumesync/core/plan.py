"""``plan(...)``: specs, lock, ledger, journal and disk as values in, an ordered plan out. Pure.

It reads no clock, disk or network and needs no key, so it is safe on a stranger's pull request. The
whole project is planned always; ``only`` narrows the result afterwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sumesync.core import ahead, chain, losses, metadata, placement
from sumesync.core.action import (
    Action,
    Collect,
    Observed,
    Orphan,
    Placed,
    Plan,
    Policy,
    Reason,
    Standing,
    Verb,
    Why,
)
from sumesync.core.changes import changes
from sumesync.core.decide import Situation, decide
from sumesync.core.kinds import Kinds
from sumesync.core.paid import Index, Paid, index
from sumesync.core.placement import Ours
from sumesync.errors import Problem
from sumesync.model import Entry, EntryKey, Fact, FileKind, JobState, Lock, Output, Step, Submission, Wanted


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


def plan(
    project: Project,
    state: State,
    observed: Observed,
    policy: Policy,
    kinds: Kinds,
    first: Callable[[EntryKey], bool] = lambda _key: True,
) -> Plan:
    """The plan of the whole project. Of two variants with the same request one buys and the other shares: one
    that ``first`` accepts buys, so that the plan can be narrowed to those."""
    paid = index(state.lock, state.facts, state.journal, policy.endpoint)
    view = _View(project, state, observed, policy, kinds, paid, placement.ours(state.lock, state.facts, observed))
    decided = _decide_all(view, first)
    taken_over = {action.origin for action in decided if action.origin}
    ground = _ground(view, decided)
    actions = [losses.told(action, ground) for action in decided]
    orphans = tuple(_orphans(view, taken_over))
    pruned = (path for orphan in orphans for path in orphan.outputs if policy.prune)
    return Plan(
        actions=tuple(sorted(actions, key=lambda action: action.key)),
        orphans=orphans,
        collects=tuple(_collects(view, actions)),
        unknown=tuple(s for s in state.unknown if s.lineage == state.lock.lineage),
        other_endpoint=sum(entry.endpoint != policy.endpoint for entry in state.lock.entries.values()),
        replaces_other=tuple(_replaces_other(view, actions)),
        problems=project.config_problems,
        sparse=tuple(key for key in sorted(state.lock.entries) if key.path in project.sparse),
        nested=tuple(key for key in sorted(state.lock.entries) if key.path in project.nested),
        doubts=losses.doubts(actions, pruned, ground),
    )


def only(plan_: Plan, chosen: Callable[[EntryKey], bool]) -> Plan:
    """``plan_`` narrowed to variants that ``chosen`` accepts, and to the upstreams that those wait for; a rename is in
    if either end is. Problems of settings and unknown payments stay: they concern every run."""
    named = (a.key for a in plan_.actions if chosen(a.key) or (a.origin is not None and chosen(a.origin)))
    kept = chain.with_upstreams(named, {action.key: action.after for action in plan_.actions})
    return replace(
        plan_,
        actions=tuple(action for action in plan_.actions if action.key in kept),
        orphans=tuple(orphan for orphan in plan_.orphans if chosen(orphan.key)),
    )


@dataclass(frozen=True, slots=True)
class _View:
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
        if entry is None or not entry.jobs or not _current(entry, wanted, self.policy):
            return paid
        named = {job.id for job in entry.jobs}
        last = max(job.attempt for job in entry.jobs)
        if any(job.state is not JobState.COMPLETED for job in entry.jobs if job.attempt == last):
            return paid
        jobs = tuple([job for job in paid.jobs if job.id in named or job.attempt > last])
        return paid if len(jobs) == len(paid.jobs) else replace(paid, jobs=jobs)

    def seen(self, wanted: Wanted, origin: EntryKey | None) -> _Seen:
        entry, known = self.entry(wanted.key), self.known(wanted)
        current = entry if _current(entry, wanted, self.policy) else None
        places = placement.place(wanted, known, current, origin, self.observed.files, self.own)
        return _Seen(wanted, origin, entry, current is not None, known, places, self.outputs(wanted))

    def places(self, seen: _Seen) -> tuple[Placed, ...]:
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
class _Seen:
    """What is known of a variant by itself. ``current``: its entry in the lock is at its fingerprint and endpoint;
    ``outputs``: how many media files it makes."""

    wanted: Wanted
    origin: EntryKey | None
    entry: Entry | None
    current: bool
    known: Paid
    places: tuple[Placed, ...]
    outputs: int


def _ground(view: _View, actions: Iterable[Action]) -> losses.Ground:
    variants = view.project.wanted
    recorded: dict[str, set[EntryKey]] = {}
    for key, entry in view.state.lock.entries.items():
        for output in entry.outputs:
            recorded.setdefault(output.path, set()).add(key)
    return losses.Ground(
        view.state.lock,
        view.observed,
        view.own,
        {wanted.key: wanted for wanted in variants},
        {wanted.key: view.outputs(wanted) for wanted in variants},
        frozenset([place.target for action in actions for place in action.places]),
        {path: frozenset(keys) for path, keys in recorded.items()},
    )


def _decide_all(view: _View, first: Callable[[EntryKey], bool]) -> list[Action]:
    """Upstreams before what takes their outputs. Two variants of one request are equally far from the beginning of
    their chains, so ``first`` chooses between them all the same."""
    depths = chain.depths(view.project.wanted)
    needs = {wanted.key: chain.upstreams(wanted) for wanted in view.project.wanted}
    preferred = chain.with_upstreams(filter(first, needs), needs)
    variants = sorted(view.project.wanted, key=lambda w: (depths[w.key], w.key not in preferred, w.key))
    origins = _origins(view, variants)
    every = [view.seen(wanted, origins.get(wanted.key)) for wanted in variants]
    problems = _problems(every)
    held = _held(view, every)
    unproven = view.unproven
    buyers: dict[str, EntryKey] = {}
    actions = [_action_of_broken(view, path, found) for path, found in _broken(view).items()]
    states: dict[EntryKey, ahead.Footing] = {}
    for seen in every:
        wanted = seen.wanted
        twin = buyers.get(wanted.fingerprint)
        situation = _situation(view, seen, problems.get(wanted.key, ()), twin, held, unproven)
        if needs[wanted.key]:
            links = ahead.links(wanted, states, view.kinds[wanted.kind])
            situation = replace(situation, waits=links.waits, after=links.after, handmade=links.handmade)
        action = decide(situation)
        states[wanted.key] = ahead.ahead(action, situation)
        if action.pays:
            buyers[wanted.fingerprint] = wanted.key
        actions.append(action)
    return actions


def _situation(
    view: _View,
    seen: _Seen,
    problems: tuple[Problem, ...],
    twin: EntryKey | None,
    held: Mapping[str, frozenset[EntryKey]],
    unproven: frozenset[str],
) -> Situation:
    wanted, entry, known = seen.wanted, seen.entry, seen.known
    kind, described = view.kinds[wanted.kind], metadata.path_of(wanted.key)
    before = view.observed.metadata.get(described)
    achieved = seen.current and (known.completed or bool(known.accepted))
    edited = placement.edited(_shown(entry), view.observed, view.own) if entry else ()
    taken = placement.taken(wanted, seen.outputs, view.observed, view.own)
    places = view.places(seen)
    foreign = before is not None and (before.blocked or (entry is None and not before.ours))
    return Situation(
        wanted=wanted,
        policy=view.policy,
        paid=known,
        problems=problems,
        sender=_sender(known, view.state.sending),
        entry=entry,
        origin=seen.origin,
        places=places,
        held=frozenset([place.source for place in places if place.source and _others(held, place.source, wanted.key)]),
        taken=tuple([path for path in taken if path not in edited or _is_no_file(view, path)]),
        unrecorded=_unrecorded(wanted, known, before, view.policy),
        # A file of an entry is only stale.
        foreign_metadata=described if foreign else "",
        edited=edited,
        unproven=unproven,
        twin=twin,
        changes=() if seen.current else changes(wanted, before) if _tells(before, entry) else (),
        metadata_stale=achieved and entry is not None and metadata.stale(wanted, entry, before),
        jobs=kind.jobs(wanted.request),
        document=kind.document,
        search=kind.free,
    )


def _others(held: Mapping[str, frozenset[EntryKey]], path: str, key: EntryKey) -> bool:
    """Whether a variant other than ``key`` has its output at ``path``."""
    return bool(held.get(path, frozenset()) - {key})


def _current(entry: Entry | None, wanted: Wanted, policy: Policy) -> bool:
    return entry is not None and entry.fingerprint == wanted.fingerprint and entry.endpoint == policy.endpoint


def _is_no_file(view: _View, path: str) -> bool:
    """A folder or a link: nobody's word lets a file take its place."""
    fact = view.observed.files.get(path)
    return fact is not None and fact.kind is FileKind.OTHER


def _tells(before: metadata.MetadataFact | None, entry: Entry | None) -> bool:
    """Whether the metadata speak of what the lock has: else "from what" would be a guess."""
    return bool(before and before.entry and entry and before.entry.fingerprint == entry.fingerprint)


def _shown(entry: Entry) -> tuple[Output, ...]:
    """The outputs that stand for an entry on disk: its own, else those of what it was last."""
    earlier = (past.accepted or tuple(o for job in past.jobs for o in job.outputs) for past in reversed(entry.history))
    return entry.outputs or next((outputs for outputs in earlier if outputs), ())


def _unrecorded(wanted: Wanted, known: Paid, before: metadata.MetadataFact | None, policy: Policy) -> bool:
    told = before.entry if before else None
    return (
        told is not None
        and not known.jobs
        and (told.key, told.fingerprint, told.endpoint) == (wanted.key, wanted.fingerprint, policy.endpoint)
        and any(job.state is JobState.COMPLETED for job in told.jobs)
    )


def _problems(every: list[_Seen]) -> dict[EntryKey, tuple[Problem, ...]]:
    """Valid specs that clash with each other: both are told."""
    variants, counts = [seen.wanted for seen in every], {seen.wanted.key: seen.outputs for seen in every}
    return {
        key: (
            Problem(
                key.path,
                f"would write the same files as {other}",
                "give one of them another [output] name",
                1,
                1,
            ),
        )
        for key, other in placement.clashes(variants, counts).items()
    }


def _broken(view: _View) -> dict[str, tuple[Problem, ...]]:
    """Specs that resolve to nothing, with their problems."""
    found: dict[str, tuple[Problem, ...]] = {}
    for problem in view.project.problems:
        found[problem.path] = (*found.get(problem.path, ()), problem)
    return found


def _action_of_broken(view: _View, path: str, problems: tuple[Problem, ...]) -> Action:
    key = EntryKey(path)
    entry = view.entry(key)
    reason = Reason(Why.INVALID, "the spec is invalid")
    return Action(Verb.INVALID, key, entry.kind if entry else "", reason, problems=problems)


def _held(view: _View, every: Iterable[_Seen]) -> dict[str, frozenset[EntryKey]]:
    """Paths where a variant's output is wanted and stands: nobody may move it away."""
    held: dict[str, frozenset[EntryKey]] = {}
    for seen in every:
        for place in seen.places:
            if place.standing is Standing.HERE:
                held[place.target] = held.get(place.target, frozenset()) | {seen.wanted.key}
    for key, entry in view.state.lock.entries.items():
        for output in entry.outputs if key.path in view.project.left_alone else ():
            held[output.path] = held.get(output.path, frozenset()) | {key}
    return held


def _origins(view: _View, variants: Iterable[Wanted]) -> dict[EntryKey, EntryKey]:
    """Renames: an entry that nothing asks for, taken over by the first new variant of its fingerprint; one of the same
    spec (it got a matrix, or another axis) comes before all others."""
    waiting: dict[tuple[str, str], deque[EntryKey]] = {}
    for key in _unasked(view):
        entry = view.state.lock.entries[key]
        if entry.endpoint == view.policy.endpoint:
            for path in (key.path, _ANY_PATH):
                waiting.setdefault((entry.fingerprint, path), deque()).append(key)
    new = [wanted for wanted in variants if not _current(view.entry(wanted.key), wanted, view.policy)]
    found: dict[EntryKey, EntryKey] = {}
    taken: set[EntryKey] = set()
    for wanted, path in (*((wanted, wanted.key.path) for wanted in new), *((wanted, _ANY_PATH) for wanted in new)):
        keys = waiting.get((wanted.fingerprint, path), deque())
        while keys and keys[0] in taken:
            keys.popleft()
        if keys and wanted.key not in found:
            found[wanted.key] = keys.popleft()
            taken.add(found[wanted.key])
    return found


_ANY_PATH: Final = ""


def _unasked(view: _View) -> Iterator[EntryKey]:
    """Entries whose spec is gone, or no longer has the variant. Of a spec that is wrong nobody knows which it has."""
    wanted = {variant.key for variant in view.project.wanted}
    silent = (view.project.spec_paths - {key.path for key in wanted}) | view.project.left_alone
    for key in sorted(view.state.lock.entries):
        if key not in wanted and key.path not in silent:
            yield key


def _orphans(view: _View, taken_over: set[EntryKey]) -> Iterable[Orphan]:
    for key in _unasked(view):
        if key in taken_over:
            continue
        entry = view.state.lock.entries[key]
        standing = tuple(
            output.path
            for output in entry.outputs
            if not output.is_document
            and (fact := view.observed.files.get(output.path))
            and fact.kind is not FileKind.OTHER
            and fact.sha256 == output.sha256
            and fact.sha256 in view.own.hashes
        )
        unproven = tuple(path for path in standing if view.own.unproven(path, view.observed.files[path]))
        known = [view.paid[past.fingerprint] for past in entry.pasts if past.fingerprint in view.paid]
        in_flight = any(paid.in_flight and not view.free(paid.kind) for paid in known)
        yield Orphan(key, tuple(p for p in standing if p not in unproven), in_flight, unproven)


def _collects(view: _View, actions: Iterable[Action]) -> Iterable[Collect]:
    """Jobs in flight that no action resumes: of changed, deleted, broken and clashing specs."""
    waited = {job.id for action in actions if action.verb is Verb.RESUME for job in action.jobs}
    ours = {fact.job.id for fact in view.state.facts if fact.lineage in ("", view.state.lock.lineage)}
    ours.update(job.id for e in view.state.lock.entries.values() for p in e.pasts for job in p.jobs)
    ours.update(job_id for s in view.state.journal if s.lineage == view.state.lock.lineage for job_id in s.job_ids)
    for fingerprint in sorted(view.paid):
        paid = view.paid[fingerprint]
        if view.free(paid.kind):
            continue  # no job exists at Sume, whatever the lock says
        yield from (Collect(fingerprint, paid.kind, job) for job in paid.in_flight if job.id in ours - waited)


def _replaces_other(view: _View, actions: Iterable[Action]) -> Iterable[str]:
    """Media of the other endpoint that this plan would put something else in the place of."""
    for action in actions:
        entry = view.entry(action.key)
        if entry is None or entry.endpoint == view.policy.endpoint or not (action.pays or action.free):
            continue
        yield from (output.path for output in entry.outputs if output.path in view.observed.files)


def _sender(known: Paid, sending: Mapping[str, str]) -> str:
    """The process that is sending this very request now; "" where there is none, or where another is open."""
    senders = [sending.get(submission.key, "") for submission in known.unknown]
    return senders[0] if senders and all(senders) else ""

"""``plan(...)``: specs, lock, ledger, journal and disk as values in, an ordered plan out. Pure.

It reads no clock, disk or network and needs no key, so it is safe on a stranger's pull request. The
whole project is planned always; ``only`` narrows the result afterwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sumesync.core import ahead, chain, losses, placement
from sumesync.core.action import (
    Action,
    Collect,
    Observed,
    Orphan,
    Plan,
    Policy,
    Reason,
    Standing,
    Verb,
    Why,
)
from sumesync.core.decide import decide, unchanged
from sumesync.core.kinds import Kinds
from sumesync.core.paid import Index, index
from sumesync.core.situation import gathered, settled
from sumesync.core.view import Project, Seen, State, View, is_current
from sumesync.errors import Problem
from sumesync.model import EntryKey, FileKind, Wanted


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
    return prepared(project, state, observed, policy, kinds, first).plan(observed)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan as far as it hangs on nothing that git, or the other endpoint's ledger, says of files: what a plan that
    is made again, with their answers, has in common with the first."""

    view: View
    variants: tuple[Wanted, ...]
    """In the order in which they are decided."""
    needs: Mapping[EntryKey, set[EntryKey]]
    """The upstreams of those that have any."""
    origins: Mapping[EntryKey, EntryKey]
    unasked: tuple[EntryKey, ...]
    problems: Mapping[EntryKey, tuple[Problem, ...]]
    held: Mapping[str, frozenset[EntryKey]]
    settled: Mapping[EntryKey, Action]
    """Of variants whose bytes stand where they should: whose these are is not asked."""
    seen: Mapping[EntryKey, Seen]
    """The others, by what was known when this was made."""

    def plan(self, observed: Observed) -> Plan:
        """``observed`` is what it was prepared with, and what was answered since."""
        own, project, state = self.view.own, self.view.project, self.view.state
        own = replace(own, vouched=own.vouched | observed.vouched, committed=observed.committed)
        view = replace(self.view, observed=observed, own=own)
        same = (own.vouched, own.committed) == (self.view.own.vouched, self.view.own.committed)
        decided = _decide_all(view, self if same else replace(self, seen={}))
        taken_over = {action.origin for action in decided if action.origin}
        ground = _ground(view, decided)
        actions = [losses.told(action, ground) for action in decided]
        orphans = tuple(_orphans(view, self.unasked, taken_over))
        pruned = (path for orphan in orphans for path in orphan.outputs if view.policy.prune)
        return Plan(
            actions=tuple(sorted(actions, key=_key)),
            orphans=orphans,
            collects=tuple(_collects(view, actions)),
            unknown=tuple(s for s in state.unknown if s.lineage == state.lock.lineage),
            other_endpoint=sum(entry.endpoint != view.policy.endpoint for entry in state.lock.entries.values()),
            replaces_other=tuple(_replaces_other(view, actions)),
            problems=project.config_problems,
            sparse=_entries_of(project.sparse, state),
            nested=_entries_of(project.nested, state),
            doubts=losses.doubts(actions, pruned, ground),
        )


def prepared(
    project: Project,
    state: State,
    observed: Observed,
    policy: Policy,
    kinds: Kinds,
    first: Callable[[EntryKey], bool] = lambda _key: True,
    paid: Index | None = None,
) -> Prepared:
    """As of ``plan``. ``paid``: the index of ``state`` at the policy's endpoint, where it is made already."""
    paid = index(state.lock, state.facts, state.journal, policy.endpoint) if paid is None else paid
    view = View(project, state, observed, policy, kinds, paid, placement.ours(state.lock, state.facts, observed))
    variants, needs = _in_order(project.wanted, first)
    unasked = tuple(_unasked(view))
    origins = _origins(view, variants, unasked)
    every = [view.seen(wanted, origins.get(wanted.key)) for wanted in variants]
    problems = _problems(every)
    taken_from = frozenset[EntryKey]().union(*needs.values())
    done = {
        seen.wanted.key: unchanged(seen.wanted, seen.known, seen.places)
        for seen in every
        if seen.wanted.key not in taken_from and seen.wanted.key not in problems and settled(view, seen)
    }
    others = {seen.wanted.key: seen for seen in every if seen.wanted.key not in done}
    held = _held(view, every) if others else {}
    return Prepared(view, variants, needs, origins, unasked, problems, held, done, others)


def _key(action: Action) -> EntryKey:
    return action.key


def _entries_of(specs: frozenset[str], state: State) -> tuple[EntryKey, ...]:
    return tuple(sorted(key for key in state.lock.entries if key.path in specs)) if specs else ()


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


def _ground(view: View, actions: Iterable[Action]) -> losses.Ground:
    concerned = {action.key for action in actions if action.verb is not Verb.KEEP}
    variants = [wanted for wanted in view.project.wanted if wanted.key in concerned] if concerned else []
    recorded: dict[str, set[EntryKey]] = {}
    for key, entry in view.state.lock.entries.items() if concerned else ():
        for output in entry.outputs:
            recorded.setdefault(output.path, set()).add(key)
    return losses.Ground(
        view.state.lock,
        view.observed,
        view.own,
        {wanted.key: wanted for wanted in variants},
        {wanted.key: view.outputs(wanted) for wanted in variants},
        frozenset([place.target for action in actions for place in action.places]),
        recorded,
    )


def _in_order(
    every: tuple[Wanted, ...], first: Callable[[EntryKey], bool]
) -> tuple[tuple[Wanted, ...], dict[EntryKey, set[EntryKey]]]:
    """Upstreams before what takes their outputs, and which those are. Two variants of one request are equally far from
    the beginning of their chains, so ``first`` chooses between them all the same."""
    depths = chain.depths(every)
    needs = {wanted.key: found for wanted in every if (found := chain.upstreams(wanted))}
    preferred = chain.with_upstreams(filter(first, depths), needs)
    return tuple(sorted(every, key=lambda w: (depths[w.key], w.key not in preferred, w.key))), needs


def _decide_all(view: View, ready: Prepared) -> list[Action]:
    unproven = view.unproven
    buyers: dict[str, EntryKey] = {}
    actions = [_action_of_broken(view, path, found) for path, found in _broken(view).items()]
    states: dict[EntryKey, ahead.Footing] = {}
    for wanted in ready.variants:
        if (done := ready.settled.get(wanted.key)) is not None:
            actions.append(done)
            continue
        twin = buyers.get(wanted.fingerprint)
        seen = ready.seen.get(wanted.key) or view.seen(wanted, ready.origins.get(wanted.key))
        told = gathered(view, seen, ready.problems.get(wanted.key, ()), twin, ready.held, unproven)
        if wanted.key in ready.needs:
            links = ahead.links(wanted, states, view.kinds[wanted.kind])
            told = replace(told, waits=links.waits, after=links.after, handmade=links.handmade)
        action = decide(told)
        states[wanted.key] = ahead.ahead(action, told)
        if action.pays:
            buyers[wanted.fingerprint] = wanted.key
        actions.append(action)
    return actions


def _problems(every: list[Seen]) -> dict[EntryKey, tuple[Problem, ...]]:
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


def _broken(view: View) -> dict[str, tuple[Problem, ...]]:
    """Specs that resolve to nothing, with their problems."""
    found: dict[str, tuple[Problem, ...]] = {}
    for problem in view.project.problems:
        found[problem.path] = (*found.get(problem.path, ()), problem)
    return found


def _action_of_broken(view: View, path: str, problems: tuple[Problem, ...]) -> Action:
    key = EntryKey(path)
    entry = view.entry(key)
    reason = Reason(Why.INVALID, "the spec is invalid")
    return Action(Verb.INVALID, key, entry.kind if entry else "", reason, problems=problems)


def _held(view: View, every: Iterable[Seen]) -> dict[str, frozenset[EntryKey]]:
    """Paths where a variant's output is wanted and stands: nobody may move it away."""
    held: dict[str, frozenset[EntryKey]] = {}
    for seen in every:
        for place in seen.places:
            if place.standing is Standing.HERE:
                others = held.get(place.target)
                held[place.target] = others | {seen.wanted.key} if others else frozenset((seen.wanted.key,))
    for key, entry in view.state.lock.entries.items():
        for output in entry.outputs if key.path in view.project.left_alone else ():
            held[output.path] = held.get(output.path, frozenset()) | {key}
    return held


def _origins(view: View, variants: Iterable[Wanted], unasked: Iterable[EntryKey]) -> dict[EntryKey, EntryKey]:
    """Renames: an entry that nothing asks for, taken over by the first new variant of its fingerprint; one of the same
    spec (it got a matrix, or another axis) comes before all others."""
    waiting: dict[tuple[str, str], deque[EntryKey]] = {}
    for key in unasked:
        entry = view.state.lock.entries[key]
        if entry.endpoint == view.policy.endpoint:
            for path in (key.path, _ANY_PATH):
                waiting.setdefault((entry.fingerprint, path), deque()).append(key)
    if not waiting:
        return {}
    new = [wanted for wanted in variants if not is_current(view.entry(wanted.key), wanted, view.policy)]
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


def _unasked(view: View) -> Iterator[EntryKey]:
    """Entries whose spec is gone, or no longer has the variant. Of a spec that is wrong nobody knows which it has."""
    wanted = {variant.key for variant in view.project.wanted}
    silent = (view.project.spec_paths - {key.path for key in wanted}) | view.project.left_alone
    yield from sorted(key for key in view.state.lock.entries if key not in wanted and key.path not in silent)


def _orphans(view: View, unasked: Iterable[EntryKey], taken_over: set[EntryKey]) -> Iterable[Orphan]:
    for key in unasked:
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


def _collects(view: View, actions: Iterable[Action]) -> Iterable[Collect]:
    """Jobs in flight that no action resumes: of changed, deleted, broken and clashing specs."""
    if not any(job.state.in_flight for paid in view.paid.values() for job in paid.jobs):
        return
    waited = {job.id for action in actions if action.verb is Verb.RESUME for job in action.jobs}
    ours = {fact.job.id for fact in view.state.facts if fact.lineage in ("", view.state.lock.lineage)}
    ours.update(job.id for e in view.state.lock.entries.values() for p in e.pasts for job in p.jobs)
    ours.update(job_id for s in view.state.journal if s.lineage == view.state.lock.lineage for job_id in s.job_ids)
    for fingerprint in sorted(view.paid):
        paid = view.paid[fingerprint]
        if view.free(paid.kind):
            continue  # no job exists at Sume, whatever the lock says
        yield from (Collect(fingerprint, paid.kind, job) for job in paid.in_flight if job.id in ours - waited)


def _replaces_other(view: View, actions: Iterable[Action]) -> Iterable[str]:
    """Media of the other endpoint that this plan would put something else in the place of."""
    for action in actions:
        if not (action.pays or action.free):
            continue
        entry = view.entry(action.key)
        if entry is None or entry.endpoint == view.policy.endpoint:
            continue
        yield from (output.path for output in entry.outputs if output.path in view.observed.files)

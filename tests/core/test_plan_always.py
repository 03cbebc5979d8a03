"""What holds in every state: all combinations of specs, lock, ledger, journal, disk and policy, at random.

The alphabets are tiny, so that paths, requests, jobs and bytes meet in every way they can.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core import metadata, paths
from sumesync.core import plan as planning
from sumesync.core.action import Observed, Plan, Policy, Standing, Verb, Why
from sumesync.core.metadata import MetadataFact
from sumesync.core.paid import index
from sumesync.core.paths import suffix_of
from sumesync.core.placement import ours, paths_of_interest, recorded_paths, stem_of
from sumesync.core.plan import only, plan
from sumesync.core.view import Project, State
from sumesync.errors import Exit, Problem
from sumesync.model import (
    SANDBOX,
    SUME,
    Entry,
    EntryKey,
    Fact,
    FileFact,
    FileKind,
    JobRecord,
    JobState,
    Lock,
    Output,
    Past,
    Step,
    Submission,
    Wanted,
)
from tests.builders import KINDS, LINEAGE, OTHER, examples, file, lock, pointer, seen, submission, wanted
from tests.values import HERO, RED_DONE, RED_PNG

SPECS = ("a.sume.toml", "b.sume.toml", "A.sume.toml", "sub/a.sume.toml")
PROMPTS = ("one", "two", "three")
FOLDERS = ("", "sub")
STEMS = ("a", "b")
PLACES = ("a.png", "b.png", "sub/a.png", "a-2.png", "a.job_0_1_0.png", "b.webp")
CONTENTS = ("0_1_0", "0_1_0+", "0_2_0", "1_1_0", "1_1_1", "2_1_0", "hand", "stranger")
WORKSPACES = (None, "sha256:one", "sha256:two")
LINEAGES = (LINEAGE, LINEAGE, "", "f" * 32)
ENDS = tuple(state for state in JobState if state is not JobState.VOID)


@dataclass(frozen=True)
class World:
    """One state of everything that the plan reads."""

    project: Project
    state: State
    observed: Observed
    policy: Policy

    def plan(self) -> Plan:
        return plan(self.project, self.state, self.observed, self.policy, KINDS)


@cache
def _request(number: int, path: str = "x.sume.toml", **more: Any) -> Wanted:
    return wanted(path, PROMPTS[number], image_count=2 if number == 2 else 1, **more)


_outputs = st.builds(
    lambda index, path, content: Output(index, path, file(content).sha256, len(content), "image/png"),
    st.sampled_from((1, 2)),
    st.sampled_from(PLACES),
    st.sampled_from(CONTENTS[:7]),
)


@st.composite
def _jobs(draw: st.DrawFn, number: int, states: tuple[JobState, ...] = ENDS) -> tuple[JobRecord, ...]:
    """Jobs of request ``number``: an id says which request and attempt it belongs to."""
    found = []
    for attempt in range(1, draw(st.integers(0, 2)) + 1):
        for which in range(draw(st.sampled_from((1, 1, 1, 2)))):
            state = draw(st.sampled_from(states))
            outputs: tuple[Output, ...] = ()
            if state in (JobState.COMPLETED, JobState.GONE):
                content = f"{number}_{attempt}_{which}"
                place = draw(st.sampled_from(PLACES))
                outputs = (Output(which + 1, place, file(content).sha256, len(content), "image/png"),)
                outputs = outputs if draw(st.integers(0, 4)) else ()
            found.append(JobRecord(f"job_{number}_{attempt}_{which}", state, attempt, outputs=outputs))
    return tuple(found)


@st.composite
def _pasts(draw: st.DrawFn) -> Past:
    number = draw(st.integers(0, 2))
    of = _request(number)
    accepted = draw(st.lists(_outputs, max_size=1)) if draw(st.integers(0, 3)) == 0 else []
    endpoint = draw(st.sampled_from((SUME, SUME, SUME, SANDBOX)))
    return Past(of.fingerprint, of.kind, endpoint, draw(_jobs(number)), tuple(accepted))


@st.composite
def _entries(draw: st.DrawFn, path: str) -> Entry:
    now = draw(_pasts())
    history = [past for past in draw(st.lists(_pasts(), max_size=2)) if past.fingerprint != now.fingerprint]
    return Entry(EntryKey(path), now.fingerprint, now.kind, now.endpoint, now.jobs, now.accepted, tuple(history))


@st.composite
def _facts(draw: st.DrawFn) -> tuple[Fact, ...]:
    found: dict[tuple[str, str], Fact] = {}
    for number in draw(st.lists(st.integers(0, 2), max_size=2)):
        of = _request(number, draw(st.sampled_from(SPECS)))
        for job in draw(_jobs(number, tuple(JobState))):
            fact = Fact(
                of.fingerprint, job, of.kind, of.key, draw(st.sampled_from(WORKSPACES)), draw(st.sampled_from(LINEAGES))
            )
            found.setdefault((fact.fingerprint, job.id), fact)  # the ledger tells one fact a job
    return tuple(found.values())


@st.composite
def _journals(draw: st.DrawFn) -> tuple[Submission, ...]:
    found = []
    for number in draw(st.lists(st.integers(0, 2), max_size=2, unique=True)):
        step, attempt = draw(st.sampled_from(list(Step))), draw(st.integers(1, 2))
        ids = (f"job_{number}_{attempt}_0",) if step is Step.ACCEPTED else ()
        of = _request(number, draw(st.sampled_from(SPECS)))
        found.append(submission(of, step, *ids, attempt=attempt, lineage=draw(st.sampled_from((LINEAGE, "f" * 32)))))
    return tuple(found)


@st.composite
def _specs(draw: st.DrawFn) -> tuple[tuple[Wanted, ...], tuple[Problem, ...]]:
    found, wrong = [], []
    for path in draw(st.lists(st.sampled_from(SPECS), max_size=4, unique=True)):
        if draw(st.integers(0, 7)) == 0:
            wrong.append(Problem(path, "broken", "", 1, 1))
            continue
        more: dict[str, object] = {}
        if draw(st.booleans()):
            more = {"folder": draw(st.sampled_from(FOLDERS)), "stem": draw(st.sampled_from(STEMS))}
        found.append(_request(draw(st.integers(0, 2)), path, **more))
    return tuple(found), tuple(wrong)


_file_facts = st.one_of(
    st.sampled_from([file(content) for content in CONTENTS]),
    st.sampled_from([pointer(content) for content in CONTENTS]),
    st.just(OTHER),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    specs, wrong = draw(_specs())
    paths = draw(st.lists(st.sampled_from(SPECS), max_size=3, unique=True))
    entries = [draw(_entries(path)) for path in paths]
    state = State(lock(*entries, workspace=draw(st.sampled_from(WORKSPACES))), draw(_facts()), draw(_journals()))
    policy = Policy(
        endpoint=draw(st.sampled_from((SUME, SUME, SUME, SANDBOX))),
        store=draw(st.sampled_from(("git", "lfs", "none"))),
        retry_failed=draw(st.booleans()),
        replace_edited=draw(st.booleans()),
        restore_edited=draw(st.booleans()),
        prune=draw(st.booleans()),
        regenerate=frozenset(draw(st.lists(st.sampled_from(SPECS), max_size=2))),
    )
    files: Mapping[str, FileFact] = draw(st.dictionaries(st.sampled_from(PLACES), _file_facts, max_size=4))
    project = Project(specs, wrong, (), frozenset([*(s.key.path for s in specs), *(p.path for p in wrong)]))
    observed = _seen(project, state, files, policy, {path: draw(st.integers(0, 3)) for path in SPECS})
    return World(project, state, observed, policy)


def _seen(
    project: Project, state: State, files: Mapping[str, FileFact], policy: Policy, papers: Mapping[str, int]
) -> Observed:
    """What the disk answers of ``files``. ``papers``: 0 no metadata, 1 a stranger's, else ours."""
    paid = index(state.lock, state.facts, state.journal, policy.endpoint)
    asked = paths_of_interest(project.wanted, recorded_paths(state.lock), state.facts, paid)
    names = {
        folder: frozenset(
            path.rpartition("/")[2]
            for path in files
            if path.rpartition("/")[0] == folder and suffix_of(path) in paths.MEDIA_SUFFIXES
        )
        for folder in {spec.folder for spec in project.wanted}
    }
    documents: dict[str, MetadataFact] = {}
    for spec in project.wanted:
        its, paper = state.lock.entries.get(spec.key), papers[spec.key.path]
        if paper == 1:
            documents[metadata.path_of(spec.key)] = MetadataFact(ours=False)
        elif paper > 1 and its is not None:
            documents[metadata.path_of(spec.key)] = metadata.read(metadata.render(spec, its))
    return Observed({path: fact for path, fact in files.items() if path in asked}, names, documents)


def _known(world: World, fingerprint: str) -> list[JobRecord]:
    """Every record of a job of ``fingerprint`` that counts: told here anew, not with the code under test."""
    ours_, found = world.state.lock.workspace, []
    for fact in world.state.facts:
        if fact.fingerprint == fingerprint and (None in (ours_, fact.workspace) or fact.workspace == ours_):
            found.append(fact.job)
    for entry in world.state.lock.entries.values():
        for past in (*entry.history, entry.present):
            if past.fingerprint == fingerprint and past.endpoint == world.policy.endpoint:
                found += past.jobs
    for each in world.state.journal:
        if each.fingerprint == fingerprint and each.step is Step.ACCEPTED:
            found += [JobRecord(job_id, JobState.ACCEPTED, each.attempt) for job_id in each.job_ids]
    return [job for job in found if job.state is not JobState.VOID]


def _unknown(world: World, fingerprint: str) -> bool:
    return any(s.fingerprint == fingerprint and s.step in (Step.SENDING, Step.UNKNOWN) for s in world.state.journal)


def _in_flight(jobs: list[JobRecord]) -> set[str]:
    """Ids of which no record says that they ended."""
    ended = {job.id for job in jobs if not job.state.in_flight}
    return {job.id for job in jobs} - ended


def _ours(world: World) -> set[str]:
    """Ids of jobs that this project paid for."""
    found = {fact.job.id for fact in world.state.facts if fact.lineage in ("", LINEAGE)}
    found |= {job_id for s in world.state.journal if s.lineage == LINEAGE for job_id in s.job_ids}
    for entry in world.state.lock.entries.values():
        found |= {job.id for past in (*entry.history, entry.present) for job in past.jobs}
    return found


def every_variant_gets_exactly_one_action(world: World, found: Plan) -> None:
    keys = [action.key for action in found.actions]
    broken = {EntryKey(problem.path) for problem in world.project.problems}
    assert keys == sorted({spec.key for spec in world.project.wanted} | broken)
    assert all(action.reason.text for action in found.actions)
    assert (Exit.USAGE in found.codes()) is bool(found.of(Verb.INVALID))


def nothing_is_ever_paid_for_twice_unasked(world: World, found: Plan) -> None:
    for action in found.actions:
        if not action.pays:
            continue
        jobs = _known(world, action.fingerprint)
        assert not _unknown(world, action.fingerprint)
        assert not _in_flight(jobs)
        failed = any(job.state.ended_badly for job in jobs)
        gone = any(job.state is JobState.GONE for job in jobs)
        again = action.key.path in world.policy.regenerate
        asked = (world.policy.retry_failed and failed) or (again and (gone or failed))
        assert asked or not jobs
        assert all(action.attempt > job.attempt for job in jobs)


def a_fingerprint_is_bought_at_most_once_and_only_by_create_or_update(world: World, found: Plan) -> None:
    bought = [action.fingerprint for action in found.actions if action.pays]
    assert len(bought) == len(set(bought)) == found.pays
    for action in found.actions:
        assert (action.pays == 1) is (action.verb in (Verb.CREATE, Verb.UPDATE))
        if action.twin is not None:
            (payer,) = (other for other in found.actions if other.key == action.twin)
            assert (payer.fingerprint, payer.pays) == (action.fingerprint, 1)


def nothing_is_bought_for_a_place_that_holds_what_is_not_ours(world: World, found: Plan) -> None:
    own = ours(world.state.lock, world.state.facts, world.observed)
    for action in found.actions:
        if not action.pays:
            continue
        (spec,) = (each for each in world.project.wanted if each.key == action.key)
        stems = {stem_of(spec, number) for number in range(1, KINDS[spec.kind].outputs(spec.request) + 1)}
        for name in world.observed.names[spec.folder]:
            path = f"{spec.folder}/{name}" if spec.folder else name
            fact = world.observed.files.get(path)
            if name.rpartition(".")[0] in stems and path not in own.recorded:
                assert fact is not None
                assert own.owns(path, fact)
        entry = world.state.lock.entries.get(action.key)
        for output in entry.outputs if entry else ():
            stands = world.observed.files.get(output.path)
            assert stands is None or own.owns(output.path, stands) or world.policy.replace_edited


def every_job_of_ours_in_flight_is_resumed_or_collected(world: World, found: Plan) -> None:
    taken_up = {job.id for action in found.of(Verb.RESUME) for job in action.jobs}
    taken_up |= {collect.job.id for collect in found.collects}
    for number in range(len(PROMPTS)):
        fingerprint = _request(number).fingerprint
        assert _in_flight(_known(world, fingerprint)) & _ours(world) <= taken_up


def what_is_resumed_is_in_flight_and_what_is_fetched_has_a_result(world: World, found: Plan) -> None:
    for action in found.actions:
        if action.verb is Verb.RESUME:
            assert {job.id for job in action.jobs} & _in_flight(_known(world, action.fingerprint))
        if action.verb is Verb.FETCH:
            assert any(job.state is JobState.COMPLETED for job in action.jobs)


def moves_copies_and_orphans_touch_only_bytes_that_are_known_to_be_ours(world: World, found: Plan) -> None:
    own = ours(world.state.lock, world.state.facts, world.observed)
    for orphan in found.orphans:
        for path in orphan.outputs:
            fact = world.observed.files[path]
            assert fact.kind is not FileKind.OTHER
            assert fact.sha256 in own.hashes
    for action in found.of(Verb.MOVE, Verb.COPY):
        for place in action.places:
            here = place.standing is Standing.HERE
            if place.standing is Standing.MISSING:  # a rename where media are not stored: only the record moves
                assert (world.policy.store, action.reason.code) == ("none", Why.RENAMED)
                assert any(job.state is JobState.COMPLETED for job in action.jobs)
                continue
            source = world.observed.files.get(place.target if here else place.source or "")
            assert source is not None
            assert (source.kind is not FileKind.OTHER, source.sha256) == (True, place.output.sha256)
            there = world.observed.files.get(place.target)
            assert here or there is None or own.owns(place.target, there)


def orphans_are_entries_without_a_spec_and_those_in_flight_say_so(world: World, found: Plan) -> None:
    taken_over = {action.origin for action in found.actions}
    for key, entry in world.state.lock.entries.items():
        here = [orphan for orphan in found.orphans if orphan.key == key]
        assert bool(here) is (key.path not in world.project.spec_paths and key not in taken_over)
        for past in (*entry.history, entry.present):
            if here and past.endpoint == world.policy.endpoint:
                assert here[0].in_flight or not _in_flight(_known(world, past.fingerprint))


def a_file_edited_by_hand_is_never_replaced_unasked(world: World, found: Plan) -> None:
    for action in found.actions:
        theirs = {p.source or p.target for p in action.places if p.standing in (Standing.EDITED, Standing.TAKEN)}
        edited = theirs - set(action.edited)
        if edited and action.verb in (Verb.FETCH, Verb.MOVE, Verb.COPY):
            assert world.policy.replace_edited or world.policy.restore_edited


PROMISES = (
    every_variant_gets_exactly_one_action,
    nothing_is_ever_paid_for_twice_unasked,
    a_fingerprint_is_bought_at_most_once_and_only_by_create_or_update,
    nothing_is_bought_for_a_place_that_holds_what_is_not_ours,
    every_job_of_ours_in_flight_is_resumed_or_collected,
    what_is_resumed_is_in_flight_and_what_is_fetched_has_a_result,
    moves_copies_and_orphans_touch_only_bytes_that_are_known_to_be_ours,
    orphans_are_entries_without_a_spec_and_those_in_flight_say_so,
    a_file_edited_by_hand_is_never_replaced_unasked,
)


@given(worlds())
@settings(max_examples=examples(300))
def test_what_holds_in_every_state(world: World) -> None:
    found = world.plan()
    for promise in PROMISES:
        promise(world, found)


@given(worlds(), st.randoms(use_true_random=False), st.sets(st.sampled_from(SPECS)))
@settings(max_examples=examples(100))
def test_the_order_of_what_is_read_does_not_matter_and_narrowing_only_takes_away(
    world: World, chance: random.Random, chosen: set[str]
) -> None:
    whole = world.plan()
    assert _comparable(_shuffled(world, chance).plan()) == _comparable(whole)
    found = only(whole, lambda key: key.path in chosen)
    assert [action.key for action in whole.actions if action.key in {a.key for a in found.actions}] == [
        action.key for action in found.actions
    ]
    assert set(found.orphans) <= set(whole.orphans)
    assert found.pays <= whole.pays
    assert {action.key.path for action in found.actions if action.origin is None} <= chosen
    assert {action.key for action in whole.actions if action.key.path in chosen} <= {a.key for a in found.actions}
    assert (found.unknown, found.problems, found.collects) == (whole.unknown, whole.problems, whole.collects)


T = TypeVar("T")


def _shuffled(world: World, chance: random.Random) -> World:
    def mixed(items: Iterable[T]) -> list[T]:
        found = list(items)
        chance.shuffle(found)
        return found

    project = replace(world.project, wanted=tuple(mixed(world.project.wanted)))
    groups = [[fact for fact in world.state.facts if fact.fingerprint == _request(n).fingerprint] for n in range(3)]
    # Within a request the ledger's order is the order of its jobs, which numbers their outputs.
    facts = tuple(fact for group in mixed(groups) for fact in group)
    state = State(world.state.lock, facts, tuple(mixed(world.state.journal)))
    seen = world.observed
    observed = Observed(
        dict(mixed(seen.files.items())), dict(mixed(seen.names.items())), dict(mixed(seen.metadata.items()))
    )
    return World(project, state, observed, world.policy)


def _comparable(found: Plan) -> Plan:
    return replace(found, unknown=tuple(sorted(found.unknown, key=lambda each: each.key)))


@given(worlds())
@settings(max_examples=examples(100))
def test_the_order_of_entries_in_the_lock_does_not_matter(world: World) -> None:
    """Jobs that several entries share: each entry says where its own copy stands."""
    state = replace(world.state, lock=_agreed(world.state.lock), facts=())
    reverse = replace(state.lock, entries=dict(reversed(list(state.lock.entries.items()))))
    one = replace(world, state=state).plan()
    other = replace(world, state=replace(state, lock=reverse)).plan()
    assert [(a.key, a.verb, a.pays) for a in one.actions] == [(a.key, a.verb, a.pays) for a in other.actions]


def _agreed(lock_: Lock) -> Lock:
    """The lock as one run leaves it: a job ends in one way and its bytes are known, wherever it stands."""
    known: dict[tuple[str, str], JobRecord] = {}

    def one(past: Past) -> Past:
        jobs = []
        for job in past.jobs:
            first = known.setdefault((past.endpoint, job.id), job)
            path = job.outputs[0].path if job.outputs else None
            moved = tuple(replace(output, path=path or output.path) for output in first.outputs)
            jobs.append(replace(first, outputs=moved))
        return replace(past, jobs=tuple(jobs), accepted=())

    entries = {}
    for key, entry in lock_.entries.items():
        history = tuple(one(past) for past in entry.history)
        entries[key] = replace(entry, jobs=one(entry.present).jobs, accepted=(), history=history)
    return replace(lock_, entries=entries)


def _achieved(number: int) -> tuple[Wanted, Entry]:
    of = _request(number, SPECS[number])
    contents = [f"{number}_1_{which}" for which in range(2 if number == 2 else 1)]
    named = enumerate(contents, start=1)
    outputs = [
        Output(index, f"{stem_of(of, index)}.png", file(content).sha256, len(content), "image/png")
        for index, content in named
    ]
    job = JobRecord(f"job_{number}_1_0", JobState.COMPLETED, 1, outputs=tuple(outputs))
    return of, Entry(of.key, of.fingerprint, of.kind, SUME, (job,))


@st.composite
def nearly_settled(draw: st.DrawFn) -> World:
    """A world in which there is nothing to do, but for what it has of another."""
    noise: World = draw(worlds())
    numbers = draw(st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True))
    pairs = [_achieved(number) for number in numbers]
    files = {output.path: FileFact(FileKind.FILE, output.sha256) for _, entry in pairs for output in entry.outputs}
    papers = dict.fromkeys(SPECS, 2)
    parts = draw(
        st.sets(st.sampled_from(("facts", "journal", "files", "policy", "papers", "entry", "accepted", "stem")))
    )
    entries = [entry for _, entry in pairs]
    variants = [of for of, _ in pairs]
    if "entry" in parts:
        entries[0] = noise.state.lock.entries.get(entries[0].key, entries[0])
    if "accepted" in parts:
        entries[-1] = replace(entries[-1], accepted=entries[-1].outputs)
    if "stem" in parts:
        variants[0] = replace(variants[0], stem="b")
    if "files" in parts:
        files |= noise.observed.files
        files = {path: fact for path, fact in files.items() if path != draw(st.sampled_from(PLACES))}
    if "papers" in parts:
        papers[draw(st.sampled_from(SPECS))] = draw(st.integers(0, 1))
    state = State(
        lock(*entries),
        noise.state.facts if "facts" in parts else (),
        noise.state.journal if "journal" in parts else (),
    )
    policy = noise.policy if "policy" in parts else Policy(endpoint=SUME)
    project = Project(tuple(variants), spec_paths=frozenset(of.key.path for of in variants))
    return World(project, state, _seen(project, state, files, policy, papers), policy)


@given(nearly_settled())
@settings(max_examples=examples(200), deadline=None)
def test_what_is_settled_is_what_would_be_decided(world: World) -> None:
    found = world.plan()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "settled", lambda _view, _seen: False)
        assert world.plan() == found


@given(worlds(), st.data())
@settings(max_examples=examples(200))
def test_a_plan_that_is_made_again_with_more_answers_is_the_plan_of_all_of_them(
    world: World, data: st.DataObject
) -> None:
    found = world.observed
    known = sorted({fact.sha256 for fact in found.files.values() if fact.sha256})
    answers = {
        path: data.draw(st.sampled_from(("", fact.sha256)), label=path)
        for path, fact in found.files.items()
        if path not in found.committed and data.draw(st.booleans(), label=f"{path} asked")
    }
    more = frozenset(data.draw(st.sets(st.sampled_from(known)), label="vouched") if known else ())
    then = replace(found, committed={**found.committed, **answers}, vouched=found.vouched | more)
    ready = planning.prepared(world.project, world.state, found, world.policy, KINDS)
    paid = index(world.state.lock, world.state.facts, world.state.journal, world.policy.endpoint)
    assert ready.plan(found) == plan(world.project, world.state, found, world.policy, KINDS)
    assert ready.plan(then) == plan(world.project, world.state, then, world.policy, KINDS)
    assert planning.prepared(world.project, world.state, found, world.policy, KINDS, paid=paid) == ready


def test_a_plan_that_is_made_again_leaves_what_git_disproved() -> None:
    """The spec says again what it said first: its picture would go where another's stands, which only the lock calls
    ours."""
    state = State(lock(RED_DONE))
    project = Project((HERO,), spec_paths=frozenset({HERO.key.path}))
    found = seen((HERO,), state, {RED_PNG.path: file("the red hero")})
    ready = planning.prepared(project, state, found, Policy(), KINDS)
    assert [action.verb for action in ready.plan(found).actions] == [Verb.FETCH]
    then = replace(found, committed={RED_PNG.path: ""})
    assert [action.verb for action in ready.plan(then).actions] == [Verb.ATTENTION]

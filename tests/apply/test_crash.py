"""Killed at every effect on disk or network, before it and after it, in every outcome of the paid request; then the
recovery is killed too; then it is let finish. Never paid twice, nothing lost."""

from __future__ import annotations

import copy
import itertools
import os
from dataclasses import dataclass, replace

import pytest

from sumesync.core import lock as locks
from sumesync.core.action import Verb
from sumesync.core.advance import turn_to
from sumesync.core.recover import facts_of, recover, void
from sumesync.model import Change, EntryKey, Past, Step, Wanted
from tests.apply.desk import (
    CLIP,
    HERO,
    LINEAGE,
    SIDE,
    Behaviour,
    Crash,
    Desk,
    Fuse,
    MemoryStores,
    accept,
    local,
    lose_answer,
    lose_request,
    media_of,
    output_of,
    taking,
    want,
)


@dataclass(frozen=True)
class Weather:
    """How Sume and the way to it behave."""

    name: str
    script: dict[int, Behaviour]
    idempotent: bool = False
    echoes: bool = False


@dataclass(frozen=True)
class Project:
    """``first``: the paid request, counted from 0, that the weather is about."""

    name: str
    specs: tuple[Wanted, ...]
    first: int = 0
    files: tuple[tuple[str, bytes], ...] = ()


TAKE = b"\x89PNG\r\n\x1a\n a take"
PROJECTS = (
    # Two images, a third that asks for the same as the first, and a video.
    Project("plain", (HERO, SIDE, want("b/twin.sume.toml", "a bottle"), CLIP)),
    # A video of an image, one of that video, and another that takes a file; all of it one after the other.
    Project(
        "chain",
        (
            FILM := taking("b/film.sume.toml", "it turns", output_of(HERO), local("in/take.png", TAKE)),
            taking("b/twin.sume.toml", "it turns", output_of(HERO), local("in/take.png", TAKE)),
            taking("c/last.sume.toml", "it ends", output_of(FILM)),
            HERO,
            SIDE,
        ),
        2,
        (("in/take.png", TAKE),),
    ),
    # The same bytes for two purchases at once.
    Project(
        "upload",
        (*(taking(f"b/{name}.sume.toml", name, local("in/take.png", TAKE)) for name in ("one", "two")), HERO, SIDE),
        0,
        (("in/take.png", TAKE),),
    ),
)


WEATHERS = (
    Weather("all well", {0: accept}),
    Weather("answer lost", {0: lose_answer}),
    Weather("request lost", {1: lose_request}),
    Weather("answer lost, idempotency documented", {0: lose_answer}, idempotent=True),
    Weather("answer lost, keys echoed", {0: lose_answer}, echoes=True),
)


STRIDE = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 4
"""How many effects lie between two kills where there are two."""


def a_desk(project: Project, weather: Weather) -> Desk:
    desk = Desk(list(project.specs))
    desk.disk.files.update(project.files)
    desk.sume.script = {project.first + number: behaviour for number, behaviour in weather.script.items()}
    desk.sume.idempotent, desk.sume.echoes = weather.idempotent, weather.echoes
    return desk


def resolve(desk: Desk) -> int:
    """The person who must decide looks at Sume, and tells the truth. How many times it took one."""
    stores = MemoryStores(desk.disk, Fuse())
    unknown = recover(tuple(desk.disk.journal.values()), stores.list()).unknown
    for submission in unknown:
        made = next((job for job in desk.sume.jobs if job.key == submission.key), None)
        if made is None:
            stores.record([void(submission)])
        else:
            facts = facts_of(replace(submission, step=Step.ACCEPTED, job_ids=(made.id,)))
            stores.record(facts)
            past = Past(submission.fingerprint, submission.kind, "sume", tuple(fact.job for fact in facts))
            stores.patch({submission.entry: [adopted(submission.entry, past)]}, LINEAGE)
        stores.clear(submission.key)
    return len(unknown)


def adopted(key: EntryKey, past: Past) -> Change:
    return lambda entry: turn_to(entry, key, past)


def finish(desk: Desk, runs: int = 4) -> None:
    """Runs, and a person's decisions, until nothing is left to do: at most ``runs``."""
    for _ in range(runs):
        desk.apply()
        if not resolve(desk) and done(desk):
            return
    raise AssertionError(f"there is still something to do: {desk.plan().actions}")


def done(desk: Desk) -> bool:
    return all(action.verb is Verb.KEEP and not action.pending for action in desk.plan().actions)


def check(desk: Desk) -> None:
    """What must hold at the end, whatever happened."""
    keys = [job.key for job in desk.sume.jobs]
    assert len(keys) == len(set(keys)), "one attempt was charged twice"
    fingerprints = {spec.fingerprint for spec in desk.specs}
    assert len(keys) == len(fingerprints), "something was paid for that nobody asked for"
    lock = locks.read(desk.disk.lock or "").lock
    recorded = {job.id for entry in lock.entries.values() for job in entry.jobs}
    assert recorded == {job.id for job in desk.sume.jobs}, "a job that was paid for is not in the lock"
    for spec in desk.specs:
        job = next(job for job in desk.sume.jobs if job.id == lock.entries[spec.key].jobs[-1].id)
        output = lock.entries[spec.key].outputs[0]
        assert desk.disk.files[output.path] == media_of(job)
    assert not desk.disk.journal
    assert desk.sume.wrong == [], "a request named what Sume does not serve"
    assert not any(b'"file"' in job.request or b'"from"' in job.request for job in desk.sume.jobs)
    stored = repr((desk.disk.lock, desk.disk.facts, desk.disk.texts, desk.disk.uploads))
    assert "?at=" not in stored, "a signed URL was stored"


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
@pytest.mark.parametrize("weather", WEATHERS, ids=lambda weather: weather.name)
def test_without_a_crash(project: Project, weather: Weather) -> None:
    desk = a_desk(project, weather)
    finish(desk)
    check(desk)
    before = mark(desk)
    desk.apply()
    assert mark(desk) == before, "a run with nothing to do did something"


def crashed(desk: Desk, at: int, after: bool) -> bool:
    """Whether a run was killed at effect ``at``; False: it has fewer."""
    try:
        desk.apply(fuse=Fuse(at, after))
    except Crash:
        return True
    return False


def mark(desk: Desk) -> str:
    """Equal for desks that no run could tell apart: they are followed once."""
    return repr((desk.disk, desk.sume.jobs, desk.sume.submits, desk.clock.at))


def follow(desk: Desk, followed: set[str]) -> None:
    """Let it finish, unless its like has."""
    if (state := mark(desk)) not in followed:
        followed.add(state)
        finish(desk)
        check(desk)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
@pytest.mark.parametrize("weather", WEATHERS, ids=lambda weather: weather.name)
def test_killed_at_every_effect(project: Project, weather: Weather) -> None:
    followed: set[str] = set()
    for at in itertools.count(1):
        killed = [desk for after in (False, True) if crashed(desk := a_desk(project, weather), at, after)]
        if not killed:
            break
        for desk in killed:
            follow(desk, followed)
    assert at > 25, "the run has more effects than that: the fuse is not wired"
    assert len(followed) > 25, "an effect changes nothing: what tells the desks apart is too little"


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
@pytest.mark.parametrize("weather", WEATHERS, ids=lambda weather: weather.name)
def test_killed_again_during_recovery(project: Project, weather: Weather) -> None:
    followed: set[str] = set()
    rounds = 0
    first = 1
    while crashed(once := a_desk(project, weather), first, True):
        second = 1
        while crashed(desk := copy.deepcopy(once), second, False):
            follow(desk, followed)
            rounds += 1
            second += STRIDE
        first += STRIDE
    assert rounds > 20
    assert len(followed) > 20

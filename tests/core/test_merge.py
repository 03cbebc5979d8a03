"""Two branches' locks become one: what either of them paid for is still there, and nothing else moved."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings

from sumesync.core import lock as locks
from sumesync.core import metadata
from sumesync.core.lock import LockFault
from sumesync.core.merge import merge_entries, merge_lock_texts, merge_locks, merge_metadata_texts
from sumesync.model import Entry, EntryKey, JobState, Lock
from tests.builders import LINEAGE, entry, examples, lock
from tests.core.strategies import several_entries
from tests.values import HERO, HERO_DONE, HERO_IN_FLIGHT, RED, RED_DONE, RED_JOB, TEASER_DONE, WORKSPACE


def ids(found: Entry | None) -> set[str]:
    return {job.id for past in found.pasts for job in past.jobs} if found else set()


def states(found: Entry | None) -> dict[str, JobState]:
    return {job.id: job.state for past in found.pasts for job in past.jobs} if found else {}


HERO_RUNS = entry(HERO, HERO_IN_FLIGHT)
RED_RUNS = entry(RED, replace(RED_JOB, state=JobState.ACCEPTED, outputs=()))


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        pytest.param(None, HERO_DONE, None, HERO_DONE, id="added here"),
        pytest.param(None, None, HERO_DONE, HERO_DONE, id="added there"),
        pytest.param(HERO_DONE, HERO_DONE, RED_DONE, RED_DONE, id="changed there"),
        pytest.param(HERO_DONE, RED_DONE, HERO_DONE, RED_DONE, id="changed here"),
        pytest.param(HERO_DONE, HERO_DONE, None, None, id="pruned there"),
        pytest.param(HERO_DONE, None, HERO_DONE, None, id="pruned here"),
        pytest.param(HERO_DONE, None, RED_DONE, RED_DONE, id="pruned here, changed there"),
        pytest.param(HERO_RUNS, HERO_DONE, HERO_RUNS, HERO_DONE, id="completed here"),
        pytest.param(HERO_DONE, RED_DONE, RED_DONE, RED_DONE, id="the same on both"),
    ],
)
def test_what_one_side_changed(base: Entry | None, ours: Entry | None, theirs: Entry | None, merged: Entry) -> None:
    assert merge_entries(base, ours, theirs) == merged


@pytest.mark.parametrize(
    ("ours", "theirs", "present"),
    [
        pytest.param(HERO_DONE, RED_DONE, HERO.fingerprint, id="both completed: ours is what it is now"),
        pytest.param(HERO_RUNS, RED_DONE, RED.fingerprint, id="completed beats in flight"),
        pytest.param(HERO_DONE, RED_RUNS, HERO.fingerprint, id="ours is completed"),
    ],
)
def test_what_both_sides_changed(ours: Entry, theirs: Entry, present: str) -> None:
    merged = merge_entries(None, ours, theirs)
    assert merged is not None
    assert merged.fingerprint == present
    assert ids(merged) == {"job_hero", "job_red"}


def test_one_job_that_ended_on_one_side_has_ended() -> None:
    merged = merge_entries(None, HERO_RUNS, HERO_DONE)
    assert states(merged) == {"job_hero": JobState.COMPLETED}


def test_of_two_purchases_of_one_request_ours_stands_and_theirs_is_known() -> None:
    theirs = entry(HERO, replace(HERO_DONE.jobs[0], id="job_theirs"))
    merged = merge_entries(None, HERO_DONE, theirs)
    assert merged is not None
    assert [(job.id, job.attempt) for job in merged.jobs] == [("job_theirs", 1), ("job_hero", 2)]
    again = merge_entries(HERO_DONE, merged, theirs)
    assert again is not None
    assert [(job.id, job.attempt) for job in again.jobs] == [("job_theirs", 1), ("job_hero", 2)]


def test_two_workspaces_are_not_merged() -> None:
    with pytest.raises(LockFault, match="two workspaces"):
        merge_locks(None, lock(HERO_DONE, workspace=WORKSPACE), lock(RED_DONE, workspace="sha256:" + "0" * 64))


def test_the_lineage_that_both_began_with_stays() -> None:
    other = "f" * 32
    base, ours, theirs = lock(), Lock(other, None, {}), lock(HERO_DONE)
    assert merge_locks(base, ours, theirs).lineage == LINEAGE
    assert merge_locks(None, ours, theirs).lineage == other


def test_blocks_that_nobody_changed_keep_their_text() -> None:
    base = locks.render(lock(TEASER_DONE))
    ours = base.replace("kind =", "kind   =")
    merged = merge_lock_texts(base, ours, locks.render(lock(TEASER_DONE, HERO_DONE)))
    assert "kind   =" in merged
    assert set(locks.read(merged).lock.entries) == {TEASER_DONE.key, HERO.key}


@settings(max_examples=examples(100))
@given(base=several_entries, ours=several_entries, theirs=several_entries)
def test_no_job_that_a_side_has_is_dropped_unless_a_side_alone_dropped_it(
    base: list[Entry], ours: list[Entry], theirs: list[Entry]
) -> None:
    before, mine, other = ({each.key: each for each in side} for side in (base, ours, theirs))
    text = merge_lock_texts(*(locks.render(Lock(LINEAGE, None, side)) for side in (before, mine, other)))
    merged = locks.read(text).lock.entries
    for key in {**before, **mine, **other}:
        had, one, two = before.get(key), mine.get(key), other.get(key)
        if had is not None and had in (one, two):
            assert merged.get(key) == (two if one == had else one)
        else:
            assert ids(merged.get(key)) == ids(one) | ids(two)


@settings(max_examples=examples(50))
@given(ours=several_entries, theirs=several_entries)
def test_without_a_base_both_orders_know_the_same_jobs(ours: list[Entry], theirs: list[Entry]) -> None:
    one, two = lock(*ours), lock(*theirs)

    def known(found: Lock) -> dict[EntryKey, set[str]]:
        return {key: ids(each) for key, each in found.entries.items()}

    assert known(merge_locks(None, one, two)) == known(merge_locks(None, two, one))


def test_metadata_follow_the_request_that_stands() -> None:
    ours, theirs = metadata.render(HERO, HERO_RUNS), metadata.render(RED, RED_DONE)
    merged = merge_metadata_texts(None, ours, theirs)
    assert merged is not None
    assert json.loads(merged)["request"] == json.loads(theirs)["request"]
    assert metadata.read(merged).entry == merge_entries(None, HERO_RUNS, RED_DONE)


def test_metadata_that_do_not_read_are_left_to_a_person() -> None:
    assert merge_metadata_texts(None, metadata.render(HERO, HERO_DONE), "{") is None

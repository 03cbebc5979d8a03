"""A lock made again from what still reads: no job is lost, nothing is paid for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from sumesync.core import lock as locks
from sumesync.core.lock import LockFault
from sumesync.core.rebuild import count_jobs, rebuild, salvage
from sumesync.model import Entry, EntryKey, JobState, Lock
from tests.builders import LINEAGE, entry, examples, job, lock, past, wanted
from tests.core.strategies import several_entries
from tests.values import HERO, HERO_DONE, HERO_IN_FLIGHT, HERO_JOB, RED, RED_DONE, RED_JOB, TEASER_DONE, WORKSPACE


def ids(found: Lock) -> set[str]:
    return {job.id for each in found.entries.values() for past in (*each.history, each.present) for job in past.jobs}


def conflicted(ours: Entry, theirs: Entry, *, base: Entry | None = None, common: Entry = TEASER_DONE) -> str:
    """A lock as ``git merge`` leaves it: two sides of one entry, and one that both have."""
    sides = {"ours": ours, "theirs": theirs, "common": common}
    blocks = {name: locks.read(locks.render(lock(each))).blocks[each.key] for name, each in sides.items()}
    middle = f"||||||| base\n{locks.read(locks.render(lock(base))).blocks[base.key]}" if base else ""
    conflict = f"<<<<<<< HEAD\n{blocks['ours']}{middle}=======\n{blocks['theirs']}>>>>>>> branch\n"
    return f"{locks.new_text(LINEAGE, WORKSPACE)}\n{conflict}\n{blocks['common']}"


@pytest.mark.parametrize("base", [None, HERO_DONE])
def test_both_sides_of_a_conflict_are_kept(base: Entry | None) -> None:
    found = salvage(conflicted(HERO_DONE, RED_DONE, base=base))
    assert (found.lineage, found.workspace) == (LINEAGE, WORKSPACE)
    assert {each.key.path for each in found.entries} == {HERO.key.path, TEASER_DONE.key.path}
    whole = rebuild(LINEAGE, WORKSPACE, found.entries)
    assert ids(whole) == {"job_hero", "job_red", "job_teaser"}
    assert locks.read(locks.render(whole)).lock == whole


def test_what_is_ours_is_what_the_entry_is_now() -> None:
    whole = rebuild(LINEAGE, None, salvage(conflicted(entry(RED, RED_JOB), HERO_DONE)).entries)
    assert whole.entries[HERO.key].fingerprint == RED.fingerprint
    assert [past.fingerprint for past in whole.entries[HERO.key].history] == [HERO.fingerprint]


def test_a_conflict_inside_one_entry_keeps_the_job_that_ended() -> None:
    whole = rebuild(LINEAGE, None, salvage(conflicted(entry(HERO, HERO_IN_FLIGHT), HERO_DONE)).entries)
    assert whole.entries[HERO.key].jobs == (HERO_JOB,)


TWO = locks.render(lock(RED_DONE, TEASER_DONE, workspace=WORKSPACE))
SECOND = TWO.index("[[entry]]", TWO.index("[[entry]]") + 1)
IN_THE_HEAD = range(SECOND + 1, SECOND + len("[[entry]]"))


def _keeps_what_is_whole(length: int) -> None:
    found = salvage(TWO[:length])
    assert found.lost in (0, 1)
    if length >= SECOND:
        assert set(locks.read(TWO[:SECOND]).lock.entries.values()) <= set(found.entries)


def test_every_truncation_keeps_every_whole_entry() -> None:
    for length in set(range(len(TWO) + 1)) - set(IN_THE_HEAD):
        _keeps_what_is_whole(length)
    assert salvage(TWO).lost == 0
    assert set(salvage(TWO).entries) == {RED_DONE, TEASER_DONE}


@pytest.mark.parametrize("length", IN_THE_HEAD)
def test_a_truncation_in_the_head_of_an_entry_keeps_the_one_before(length: int) -> None:
    _keeps_what_is_whole(length)


def test_what_both_sides_paid_for_one_earlier_request_is_kept() -> None:
    sides = [entry(RED, RED_JOB, history=(past(HERO, job(f"job_{side}", JobState.FAILED)),)) for side in "ab"]
    assert ids(rebuild(LINEAGE, None, sides)) == {"job_red", "job_a", "job_b"}


@pytest.mark.parametrize(
    "text", ["", "\x00\xff", "<<<<<<< x\n", "[[entry]]\n[[entry]]\n", "[[entry]]\npath = 1\n", "]" * 5000]
)
def test_garbage_gives_nothing_and_does_not_raise(text: str) -> None:
    found = salvage(text)
    assert (found.lineage, found.entries) == (None, ())


def test_blocks_that_do_not_read_are_counted() -> None:
    text = locks.render(lock(HERO_DONE, TEASER_DONE)).replace('state = "completed"', 'state = "odd"', 1)
    found = salvage(text)
    assert (len(found.entries), found.lost) == (1, 1)


def test_a_newer_lock_is_left_to_a_newer_sumesync() -> None:
    with pytest.raises(LockFault, match="format 2"):
        salvage(locks.render(lock(HERO_DONE)).replace("format_version = 1", "format_version = 2"))


def test_of_two_entries_of_one_spec_the_later_is_now_and_the_earlier_history() -> None:
    whole = rebuild(LINEAGE, None, [HERO_DONE, entry(RED, RED_JOB)])
    assert whole.entries[HERO.key] == entry(RED, RED_JOB, history=(HERO_DONE.present,))
    assert count_jobs(whole) == 2


def test_history_of_every_source_is_kept() -> None:
    old = past(wanted(HERO.key.path, "older"), job("job_old", JobState.COMPLETED))
    whole = rebuild(LINEAGE, None, [entry(HERO, HERO_JOB, history=(old,)), RED_DONE])
    assert ids(whole) == {"job_old", "job_hero", "job_red"}


def test_the_same_source_twice_is_one() -> None:
    assert rebuild(LINEAGE, None, [RED_DONE, RED_DONE]).entries == {EntryKey(HERO.key.path): RED_DONE}


@given(several_entries, several_entries)
@settings(max_examples=examples(50))
def test_no_job_of_any_source_is_ever_lost(some: list[Entry], more: list[Entry]) -> None:
    whole = rebuild(LINEAGE, None, [*some, *more])
    assert ids(whole) >= ids(lock(*some)) | ids(lock(*more))


@given(several_entries)
@settings(max_examples=examples(50))
def test_what_was_written_is_salvaged_whole(found: list[Entry]) -> None:
    assert set(salvage(locks.render(lock(*found))).entries) == set(found)

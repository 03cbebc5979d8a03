"""What has been paid for, from everywhere it is recorded, as one index by request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from sumesync.core.paid import Paid, find_job, holders, index, merge
from sumesync.model import SANDBOX, SUME, Entry, JobError, JobRecord, JobState, Step
from tests.builders import entry, examples, fact, job, lock, output, past, submission
from tests.core.strategies import jobs, several_entries
from tests.values import HERO, HERO_DONE, HERO_FAILED, HERO_IN_FLIGHT, HERO_JOB, HERO_PNG, RED, RED_DONE, RED_JOB

OURS, THEIRS = "sha256:ours", "sha256:theirs"
TERMINAL = [JobState.COMPLETED, JobState.FAILED, JobState.CANCELED, JobState.EXPIRED, JobState.GONE]


@pytest.mark.parametrize("end", TERMINAL)
def test_an_end_beats_in_flight_whichever_is_told_first(end: JobState) -> None:
    running, ended = job("j", JobState.ACCEPTED), job("j", end)
    assert merge(running, ended).state is end
    assert merge(ended, running).state is end


@pytest.mark.parametrize("end", TERMINAL)
def test_gone_beats_every_other_end(end: JobState) -> None:
    assert merge(job("j", JobState.GONE), job("j", end)).state is JobState.GONE
    assert merge(job("j", end), job("j", JobState.GONE)).state is JobState.GONE


def test_what_only_one_of_two_records_knows_stays() -> None:
    known = job("j", JobState.COMPLETED, HERO_PNG, credits_=4)
    assert merge(known, job("j", JobState.GONE)) == job("j", JobState.GONE, HERO_PNG, credits_=4)
    assert merge(job("j", JobState.COMPLETED), known) == known
    assert merge(known, job("j", credits_=0.0)).credits == 0


def test_a_job_that_was_taken_back_is_not_the_requests_whoever_names_it() -> None:
    back = replace(fact(HERO, replace(HERO_JOB, state=JobState.VOID)), retracted=True)
    assert index(lock(HERO_DONE), [back], [], SUME)[HERO.fingerprint].jobs == ()


def test_of_two_that_know_alike_the_later_wins() -> None:
    moved = job("j", JobState.COMPLETED, output("clips/hero.png", "the hero"))
    assert merge(HERO_JOB, moved).outputs == moved.outputs


def test_an_error_goes_when_the_job_did_not_fail_after_all() -> None:
    failed = job("j", JobState.FAILED, error=JobError("x"))
    assert merge(failed, job("j", JobState.COMPLETED)).error is None
    assert merge(failed, job("j", JobState.EXPIRED)).error == JobError("x")


@given(jobs, jobs)
@settings(max_examples=examples(60))
def test_a_merge_is_settled_after_once(one: JobRecord, other: JobRecord) -> None:
    found = merge(one, other)
    assert merge(found, found) == found
    assert merge(one, found) == found or found.state is one.state or one.error or one.outputs
    assert found.state.in_flight is (one.state.in_flight and other.state.in_flight)


def test_lock_history_ledger_and_journal_are_one_index() -> None:
    found = index(
        lock(entry(RED, RED_JOB, history=(past(HERO, HERO_IN_FLIGHT),))),
        [fact(HERO, HERO_JOB)],
        [submission(RED, Step.ACCEPTED, "job_3", attempt=2)],
        SUME,
    )
    assert found[HERO.fingerprint].jobs == (HERO_JOB,)
    assert [each.id for each in found[RED.fingerprint].jobs] == ["job_red", "job_3"]
    assert found[RED.fingerprint].attempts == 2


@pytest.mark.parametrize(
    ("ours", "theirs", "counts"),
    [(OURS, OURS, True), (OURS, THEIRS, False), (None, THEIRS, True), (OURS, None, True), (None, None, True)],
)
def test_facts_of_another_workspace_are_not_ours_to_use(ours: str | None, theirs: str | None, counts: bool) -> None:
    found = index(lock(workspace=ours), [fact(HERO, HERO_JOB, workspace=theirs)], [], SUME)
    assert (HERO.fingerprint in found) is counts


def test_what_the_other_endpoint_made_is_not_in_it() -> None:
    mixed = lock(entry(RED, RED_JOB, endpoint=SANDBOX, history=(HERO_DONE.present,)))
    assert set(index(mixed, [], [], SUME)) == {HERO.fingerprint}
    assert set(index(mixed, [], [], SANDBOX)) == {RED.fingerprint}


def test_an_intent_sent_nothing() -> None:
    assert index(lock(), [], [submission(HERO, Step.INTENT)], SUME) == {}


@pytest.mark.parametrize("step", [Step.SENDING, Step.UNKNOWN])
def test_what_was_sent_without_an_answer_is_unknown(step: Step) -> None:
    sent = submission(HERO, step, attempt=3)
    found = index(lock(), [], [sent], SUME)[HERO.fingerprint]
    assert (found.unknown, found.jobs, found.attempts) == ((sent,), (), 3)


def test_a_void_attempt_is_no_job_but_its_number_is_used() -> None:
    found = index(lock(), [fact(HERO, job("void-1", JobState.VOID, attempt=2))], [], SUME)[HERO.fingerprint]
    assert (found.jobs, found.attempts, found.completed, found.failed) == ((), 2, False, ())


SECOND_DONE = job("j2", JobState.COMPLETED, attempt=2)


@pytest.mark.parametrize(
    ("its", "in_flight", "completed", "failed", "gone"),
    [
        ((), 0, False, 0, False),
        ((HERO_JOB,), 0, True, 0, False),
        ((HERO_FAILED,), 0, False, 1, False),
        ((HERO_FAILED, SECOND_DONE), 0, True, 0, False),
        ((HERO_JOB, job("j2", JobState.FAILED, attempt=2)), 0, False, 1, False),
        ((HERO_JOB, job("j2", JobState.FAILED)), 0, False, 1, False),
        ((HERO_JOB, job("j2", JobState.GONE)), 0, True, 0, True),
        ((HERO_JOB, job("j2", JobState.ACCEPTED)), 1, False, 0, False),
        ((HERO_IN_FLIGHT, SECOND_DONE), 1, True, 0, False),
    ],
)
def test_the_last_attempt_decides(
    its: tuple[JobRecord, ...], in_flight: int, completed: bool, failed: int, gone: bool
) -> None:
    found = Paid("v1:x", jobs=its)
    assert len(found.in_flight) == in_flight
    assert (found.completed, len(found.failed), found.gone) == (completed, failed, gone)


def test_what_was_made_and_what_was_blessed_is_all_told() -> None:
    blessed = output("launch/hero.png", "by hand")
    found = index(lock(entry(HERO, HERO_JOB, accepted=(blessed,))), [], [], SUME)[HERO.fingerprint]
    assert found.accepted == {HERO.key: (blessed,)}
    assert set(found.every_output) == {HERO_PNG, blessed}


@given(several_entries)
@settings(max_examples=examples(60))
def test_no_job_of_the_lock_is_left_out(found: list[Entry]) -> None:
    whole = lock(*found)
    for endpoint in (SUME, SANDBOX):
        told = index(whole, [], [], endpoint)
        for each in found:
            for past_ in (*each.history, each.present):
                if past_.endpoint == endpoint:
                    assert {job.id for job in past_.jobs} <= {job.id for job in told[past_.fingerprint].jobs}


def test_a_job_is_found_by_its_id_with_what_it_was_paid_for() -> None:
    paid = index(lock(RED_DONE), [], [], SUME)
    found = find_job(paid, "job_hero")
    assert found == (paid[HERO.fingerprint], HERO_JOB)
    assert find_job(paid, "job_none") is None


def test_who_holds_a_job_is_told_once_each() -> None:
    twice = entry(RED, RED_JOB, history=(past(HERO, HERO_JOB), past(HERO, HERO_JOB)))
    copy = entry(HERO, HERO_JOB, path="a.sume.toml")
    assert set(holders(lock(twice, copy), "job_hero")) == {RED.key, copy.key}
    assert len(holders(lock(twice), "job_hero")) == 1
    assert holders(lock(twice), "job_none") == ()


def test_a_journal_alone_says_which_attempt_was_accepted() -> None:
    accepted = submission(HERO, Step.ACCEPTED, "job_1", attempt=2)
    found = index(lock(), [], [accepted], SUME)[HERO.fingerprint]
    assert (found.kind, found.attempts, found.unknown) == ("image", 2, ())
    assert found.jobs == (job("job_1", JobState.ACCEPTED, attempt=2),)
    lost = submission(HERO, Step.UNKNOWN, attempt=3)
    found = index(lock(), [], [accepted, lost], SUME)[HERO.fingerprint]
    assert (found.attempts, found.unknown) == (3, (lost,))

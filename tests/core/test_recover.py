"""What the journal of a run that ended means: nothing sent, jobs known, or nobody knows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.recover import (
    Recovery,
    being_sent,
    facts_of,
    lost,
    open_submissions,
    recover,
    retractions,
    void,
)
from sumesync.errors import UsageError
from sumesync.model import Fact, JobError, JobState, Step, Submission
from tests.builders import examples, fact, job, submission
from tests.values import HERO, HERO_FAILED, HERO_JOB, HERO_UNKNOWN, RED

INTENT = submission(HERO, Step.INTENT)
SENDING = submission(HERO, Step.SENDING)
ACCEPTED = submission(HERO, Step.ACCEPTED, "job_hero")
RECORDED = facts_of(ACCEPTED)

ROWS: list[tuple[str, list[Submission], list[Fact], Recovery]] = [
    ("nothing", [], [], Recovery()),
    ("an intent", [INTENT], [], Recovery(clear=(INTENT.key,))),
    ("cut off while sending", [SENDING], [], Recovery(unknown=(HERO_UNKNOWN,))),
    ("unknown before", [HERO_UNKNOWN], [], Recovery(unknown=(HERO_UNKNOWN,))),
    ("accepted, and the ledger does not know", [ACCEPTED], [], Recovery((ACCEPTED.key,), RECORDED)),
    ("accepted, and the ledger knows", [ACCEPTED], list(RECORDED), Recovery((ACCEPTED.key,))),
    ("accepted, and the ledger knows its end", [ACCEPTED], [fact(HERO, HERO_JOB)], Recovery((ACCEPTED.key,))),
    ("sending, but the ledger has its job", [SENDING], list(RECORDED), Recovery((SENDING.key,))),
    (
        "unknown, but a person said that there is none",
        [HERO_UNKNOWN],
        [void(HERO_UNKNOWN)],
        Recovery((HERO_UNKNOWN.key,)),
    ),
    (
        "unknown, and a colleague's job of the same request came with the lock",
        [HERO_UNKNOWN],
        [fact(HERO, HERO_JOB)],
        Recovery(unknown=(HERO_UNKNOWN,)),
    ),
    (
        "unknown, and the ledger has another attempt's job",
        [submission(HERO, Step.UNKNOWN, attempt=2)],
        [fact(HERO, HERO_FAILED)],
        Recovery(unknown=(submission(HERO, Step.UNKNOWN, attempt=2),)),
    ),
    (
        "unknown, and the ledger has another request's job",
        [HERO_UNKNOWN],
        [fact(RED, HERO_JOB)],
        Recovery(unknown=(HERO_UNKNOWN,)),
    ),
]


@pytest.mark.parametrize(("journal", "facts", "expected"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_what_a_journal_means(journal: list[Submission], facts: list[Fact], expected: Recovery) -> None:
    assert recover(journal, facts) == expected


@pytest.mark.parametrize(
    ("step", "sent_at", "since", "now"),
    [
        pytest.param(Step.SENDING, 100.0, 99.0, True, id="sent-by-it"),
        pytest.param(Step.SENDING, 100.0, 101.0, False, id="sent-before-it-began"),
        pytest.param(Step.SENDING, 100.0, None, False, id="nobody-is-at-work"),
        pytest.param(Step.SENDING, None, 99.0, False, id="no-time-is-known"),
        pytest.param(Step.UNKNOWN, 100.0, 99.0, False, id="unknown-already"),
        pytest.param(Step.INTENT, 100.0, 99.0, False, id="not-sent"),
    ],
)
def test_what_a_live_process_is_sending(step: Step, sent_at: float | None, since: float | None, now: bool) -> None:
    out = replace(submission(HERO, step), sent_at=sent_at)
    assert being_sent([out], since) == ((out,) if now else ())


def test_several_jobs_of_one_submission_are_all_recorded() -> None:
    two = replace(ACCEPTED, job_ids=("job_1", "job_2"))
    found = recover([two], [fact(HERO, job("job_1", JobState.ACCEPTED))])
    assert [each.job.id for each in found.record] == ["job_2"]


def test_a_submission_of_which_one_job_is_recorded_is_still_open() -> None:
    two = replace(ACCEPTED, job_ids=("job_1", "job_2"))
    assert open_submissions([two], [fact(HERO, job("job_1", JobState.ACCEPTED))]) == (two,)


def test_facts_of_a_submission_say_whose_they_are() -> None:
    (found,) = facts_of(replace(ACCEPTED, workspace="sha256:w"))
    assert (found.key, found.lineage, found.workspace) == (HERO.key, ACCEPTED.lineage, "sha256:w")
    assert (found.job.id, found.job.state, found.job.attempt) == ("job_hero", JobState.ACCEPTED, 1)


def test_a_void_settles_its_attempt() -> None:
    found = void(HERO_UNKNOWN)
    assert (found.job.state, found.job.attempt) == (JobState.VOID, 1)
    assert open_submissions([HERO_UNKNOWN], [found]) == ()
    assert recover([HERO_UNKNOWN], [found]).unknown == ()


steps = st.builds(
    lambda of, step, attempt: submission(of, step, *(["job_1"] if step is Step.ACCEPTED else []), attempt=attempt),
    st.sampled_from([HERO, RED]),
    st.sampled_from(list(Step)),
    st.integers(1, 2),
)
facts_ = st.builds(
    lambda of, attempt, state, mine: replace(
        fact(of, job("job_1", state, attempt=attempt)),
        submission=submission(of, Step.SENDING, attempt=attempt).key if mine else "",
    ),
    st.sampled_from([HERO, RED]),
    st.integers(1, 2),
    st.sampled_from(list(JobState)),
    st.booleans(),
)


@given(st.lists(steps, max_size=3, unique_by=lambda each: each.key), st.lists(facts_, max_size=2))
@settings(max_examples=examples(120))
def test_nothing_that_may_have_cost_money_is_cleared_unrecorded(journal: list[Submission], facts: list[Fact]) -> None:
    found = recover(journal, facts)
    known = {(each.fingerprint, each.job.id) for each in (*facts, *found.record)}
    settled = {each.submission for each in facts}
    for each in journal:
        kept = each.key in {one.key for one in found.unknown}
        assert kept is not (each.key in found.clear)
        saved = each.step is Step.ACCEPTED and all((each.fingerprint, job_id) in known for job_id in each.job_ids)
        assert kept or each.step is Step.INTENT or saved or each.key in settled
    again = recover([each for each in journal if each.key not in found.clear], [*facts, *found.record])
    assert (again.unknown, again.clear, again.record) == (found.unknown, (), ())


def test_a_job_that_sume_no_longer_knows_counts_as_expired() -> None:
    running = job("job_hero", JobState.ACCEPTED, attempt=3)
    assert lost(running) == replace(running, state=JobState.EXPIRED, error=JobError("lost"))


def test_what_settled_a_request_is_taken_back_and_nothing_else() -> None:
    said = void(HERO_UNKNOWN)
    back = replace(said, retracted=True)
    others = [fact(HERO, HERO_JOB), fact(RED, HERO_JOB), facts_of(submission(RED, Step.ACCEPTED, "job_red"))[0]]
    assert retractions(HERO_UNKNOWN, [said, *others]) == (back,)
    assert retractions(HERO_UNKNOWN, [back, *others]) == ()
    adopted = facts_of(ACCEPTED)[0]
    (found,) = retractions(HERO_UNKNOWN, [adopted])
    assert (found.job.id, found.job.state, found.retracted) == ("job_hero", JobState.VOID, True)


def test_nothing_is_taken_back_once_it_was_paid_for_again() -> None:
    later = fact(HERO, job("job_2", JobState.ACCEPTED, attempt=2))
    with pytest.raises(UsageError) as caught:
        retractions(HERO_UNKNOWN, [void(HERO_UNKNOWN), later])
    assert caught.value.what == (
        f"{HERO_UNKNOWN.entry}: it was tried again since (job_2); what was decided before that stands"
    )
    assert caught.value.hint == "nothing needs to be taken back"
    retracted = replace(later, retracted=True)
    assert len(retractions(HERO_UNKNOWN, [void(HERO_UNKNOWN), retracted])) == 1
    elsewhere = fact(RED, job("job_2", JobState.ACCEPTED, attempt=2))
    assert len(retractions(HERO_UNKNOWN, [void(HERO_UNKNOWN), elsewhere])) == 1


def test_a_persons_no_counts_as_that_attempt_and_settles_that_request_only() -> None:
    second = replace(submission(HERO, Step.UNKNOWN, attempt=2), workspace="sha256:w")
    nothing = job(f"void-{second.key[:16]}", JobState.VOID, attempt=2)
    assert void(second) == Fact(HERO.fingerprint, nothing, "image", HERO.key, "sha256:w", second.lineage, second.key)
    assert void(second).job.id != void(HERO_UNKNOWN).job.id

"""How a lock entry moves on: whatever happens to it, it never forgets a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.advance import note_job, placed, promised, take_over, turn_to
from sumesync.model import SANDBOX, Entry, EntryKey, JobState, Past
from tests.builders import entry, examples, job, output, past
from tests.core.strategies import entries, jobs, pasts
from tests.values import HERO, HERO_DONE, HERO_IN_FLIGHT, HERO_JOB, HERO_PNG, RED, RED_DONE, RED_JOB, RENAMED, TEASER

KEY = HERO.key


def ids(found: Entry | None) -> set[str]:
    return {job.id for past in (*found.history, found.present) for job in past.jobs} if found else set()


def test_a_new_entry_is_what_it_is_turned_to() -> None:
    assert turn_to(None, KEY, past(HERO, HERO_IN_FLIGHT)) == entry(HERO, HERO_IN_FLIGHT)


def test_what_it_was_goes_to_its_history() -> None:
    assert turn_to(HERO_DONE, KEY, past(RED, RED_JOB)) == RED_DONE


def test_back_again_brings_its_jobs_back_out_of_the_history() -> None:
    again = turn_to(RED_DONE, KEY, past(HERO))
    assert again == entry(HERO, HERO_JOB, history=(past(RED, RED_JOB),))


def test_the_same_request_at_the_other_endpoint_is_another_past() -> None:
    found = turn_to(HERO_DONE, KEY, past(HERO, job("job_box"), endpoint=SANDBOX))
    assert (found.endpoint, found.history) == (SANDBOX, (HERO_DONE.present,))


def test_an_entry_without_jobs_leaves_no_history() -> None:
    assert turn_to(entry(HERO), KEY, past(RED, RED_JOB)).history == ()


def test_a_second_attempt_stands_beside_the_first() -> None:
    failed, second = job("job_1", JobState.FAILED), job("job_2", JobState.ACCEPTED, attempt=2)
    assert turn_to(entry(HERO, failed), KEY, past(HERO, second)).jobs == (failed, second)


def test_what_is_on_its_way_is_not_called_complete() -> None:
    failed = job("job_2", JobState.FAILED, attempt=2)
    told = promised((HERO_JOB, failed), (past(RED, RED_JOB),))
    assert told == (replace(HERO_JOB, state=JobState.ACCEPTED, outputs=()), failed)
    assert turn_to(entry(HERO, *told), KEY, past(HERO, HERO_JOB, failed)).jobs == (HERO_JOB, failed)


def test_what_was_called_complete_stays_so_while_it_is_fetched_again() -> None:
    assert promised((HERO_JOB,), (past(RED, RED_JOB), past(HERO, HERO_JOB))) == (HERO_JOB,)


def test_an_end_is_noted_and_never_taken_back() -> None:
    done = note_job(entry(HERO, HERO_IN_FLIGHT), HERO.fingerprint, HERO_JOB)
    assert done == HERO_DONE
    assert note_job(done, HERO.fingerprint, HERO_IN_FLIGHT) == HERO_DONE


def test_an_end_is_noted_in_the_history_too() -> None:
    running = entry(RED, RED_JOB, history=(past(HERO, HERO_IN_FLIGHT),))
    assert note_job(running, HERO.fingerprint, HERO_JOB) == RED_DONE


def test_an_entry_that_never_had_the_job_stays() -> None:
    assert note_job(RED_DONE, TEASER.fingerprint, job("job_x")) == RED_DONE
    assert note_job(RED_DONE, HERO.fingerprint, job("job_x")) == RED_DONE
    assert note_job(None, HERO.fingerprint, HERO_JOB) is None


def test_a_rename_takes_the_history_along() -> None:
    found = take_over(None, RED_DONE, RENAMED.key, past(HERO, HERO_JOB))
    assert found.key == RENAMED.key
    assert ids(found) >= {"job_hero"}


def test_a_rename_takes_earlier_attempts_along() -> None:
    failed, second = job("job_1", JobState.FAILED), job("job_2", attempt=2)
    found = take_over(None, entry(HERO, failed, second), RENAMED.key, past(HERO, second))
    assert ids(found) == {"job_1", "job_2"}


def test_media_are_placed_by_their_index() -> None:
    second = output("launch/hero-2.png", "two", 2)
    moved = replace(second, path="clips/hero-2.png")
    (found,) = placed([replace(HERO_JOB, outputs=(HERO_PNG, second))], [moved])
    assert found.outputs == (HERO_PNG, moved)


Step = Callable[[Entry | None], Entry | None]

steps: st.SearchStrategy[Step] = st.one_of(
    pasts.map(lambda now: lambda found: turn_to(found, KEY, now)),
    st.tuples(pasts, jobs).map(lambda pair: lambda found: note_job(found, pair[0].fingerprint, pair[1])),
    st.tuples(st.none() | entries, pasts).map(lambda pair: lambda found: take_over(found, pair[0], KEY, pair[1])),
)


@given(st.none() | entries, st.lists(steps, max_size=5))
@settings(max_examples=examples(100))
def test_no_sequence_of_steps_ever_drops_a_job_or_takes_back_an_end(found: Entry | None, taken: list[Step]) -> None:
    for step in taken:
        before, found = found, step(found)
        assert ids(before) <= ids(found)
        assert ended(before) <= ended(found)


def ended(found: Entry | None) -> set[tuple[str, str, str]]:
    return {
        (past.fingerprint, past.endpoint, job.id)
        for past in ((*found.history, found.present) if found else ())
        for job in past.jobs
        if not job.state.in_flight
    }


@given(entries, pasts)
@settings(max_examples=examples(60))
def test_turning_twice_to_the_same_is_turning_once(found: Entry, now: Past) -> None:
    once = turn_to(found, found.key, now)
    assert turn_to(once, found.key, now) == once
    assert once.key == found.key != EntryKey("")

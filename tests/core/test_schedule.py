"""When to look at jobs again: soon enough, and within what the API allows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.schedule import LOCAL, MAX_PAGES, Pace, due, expected_seconds, pages_worth
from tests.builders import examples

PACE = Pace()


@pytest.mark.parametrize(("expected", "seconds"), [(None, 2.0), (1.0, 2.0), (15.0, 13.5), (60.0, 54.0)])
def test_the_first_look_waits_until_a_job_may_be_done(expected: float | None, seconds: float) -> None:
    assert PACE.first(expected) == seconds


@pytest.mark.parametrize(("age", "seconds"), [(0, 2.0), (8, 2.0), (20, 5.0), (40, 10.0), (10_000, 10.0)])
def test_later_looks_come_less_often_up_to_a_bound(age: float, seconds: float) -> None:
    assert PACE.again(age) == seconds


def test_a_job_of_an_hour_costs_few_reads() -> None:
    age, looks = 0.0, 0
    while age < 3600:
        age += PACE.again(age)
        looks += 1
    assert looks < 400


@given(st.floats(0, 1e6), st.floats(0, 1e6))
@settings(max_examples=examples(60))
def test_a_look_never_comes_sooner_for_an_older_job(one: float, other: float) -> None:
    for pace in (PACE, LOCAL):
        assert pace.shortest <= pace.again(min(one, other)) <= pace.again(max(one, other)) <= pace.longest


def test_jobs_that_are_soon_due_share_a_round() -> None:
    times = {"b": 10.0, "a": 9.0, "soon": 10.9, "later": 11.1}
    assert due(times, 10.0, PACE) == ("a", "b", "soon")
    assert due(times, 8.9, PACE) == ()
    assert due({}, 8.9, PACE) == ()


@pytest.mark.parametrize(("jobs", "pages"), [(0, 0), (1, 0), (2, 0), (3, 2), (4, 3), (500, MAX_PAGES)])
def test_a_round_is_never_dearer_than_one_read_a_job(jobs: int, pages: int) -> None:
    assert pages_worth(jobs) == pages
    assert pages_worth(jobs) < max(jobs, 1)


def test_the_next_job_takes_as_long_as_the_median_did() -> None:
    assert expected_seconds([]) is None
    assert expected_seconds([60.0, 2.0, 5.0]) == 5.0

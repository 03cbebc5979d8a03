"""When to look at jobs again: soon enough, and within what the API allows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.schedule import (
    LOCAL,
    PAGE_SIZE,
    Look,
    Pace,
    expected_seconds,
    jitter,
    next_round,
    pages_worth,
    scout_look,
    worth_a_page,
)
from tests.builders import examples

PACE = Pace()


@pytest.mark.parametrize(("expected", "seconds"), [(1.0, 2.0), (20.0, 19.0), (60.0, 57.0)])
def test_the_first_look_waits_until_a_job_may_be_done(expected: float, seconds: float) -> None:
    assert PACE.first(expected) == seconds


@pytest.mark.parametrize(("age", "seconds"), [(0, 2.0), (8, 2.0), (20, 5.0), (40, 10.0), (10_000, 10.0)])
def test_later_looks_come_less_often_up_to_a_bound(age: float, seconds: float) -> None:
    assert PACE.again(age) == seconds


@pytest.mark.parametrize(("age", "seconds"), [(57, 2.85), (60, 3.0), (64, 3.2), (70, 5.0), (80, 10.0), (1_000, 10.0)])
def test_about_the_time_that_such_jobs_take_looks_are_close(age: float, seconds: float) -> None:
    assert PACE.again(age, 60.0) == pytest.approx(seconds)


@pytest.mark.parametrize(("flying", "looks"), [(1, 10), (100, 11), (500, 26)])
def test_a_scout_is_looked_at_the_more_often_the_more_wait_for_it(flying: int, looks: int) -> None:
    age, count = 0.0, 0
    while age < 60:
        age += Pace(longest=60).scout(age, flying)
        count += 1
    assert count == looks


def test_those_that_wait_for_a_scout_are_looked_at_though_its_word_never_comes() -> None:
    assert [PACE.for_scout(age) for age in (0, 1, 10, 39, 100)] == [10.0, 9.0, 10.0, 1.0, 60.0]


@pytest.mark.parametrize(("flying", "due"), [(1, 110.0), (2, 106.0), (500, 106.0)])
def test_a_scout_joins_a_round_of_others(flying: int, due: float) -> None:
    assert scout_look(100.0, 10.0, flying) == Look(due, 110.0)


def test_a_job_of_an_hour_costs_few_reads() -> None:
    age, looks = 0.0, 0
    while age < 3600:
        age += PACE.again(age)
        looks += 1
    assert looks < 400


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.none() | st.floats(0, 1e4))
@settings(max_examples=examples(60))
def test_a_look_never_comes_sooner_for_an_older_job(one: float, other: float, expected: float | None) -> None:
    for pace in (PACE, LOCAL):
        sooner, later = (pace.again(age, expected) for age in (min(one, other), max(one, other)))
        assert pace.shortest <= sooner <= later <= pace.longest


def test_a_round_waits_until_it_is_worth_it_and_no_longer() -> None:
    assert next_round([]) is None
    assert next_round([Look(5, 6)]) == 5
    assert next_round([Look(5, 6), Look(5.5, 9)]) == 5.5
    assert next_round([Look(5, 6), Look(7, 9)]) == 6
    few = [Look(number, 100) for number in range(50)]
    assert next_round(few) == 15
    assert next_round(few + [Look(90, 100)] * 150) == 24


@pytest.mark.parametrize(
    ("wait", "age", "latest"), [(9.0, 11.0, 110.0), (20.0, 0.0, 121.0), (60.0, 0.0, 163.0), (10.0, 270.0, 113.0)]
)
def test_a_job_that_is_due_waits_for_others_but_never_long(wait: float, age: float, latest: float) -> None:
    assert PACE.look(100.0, wait, age) == Look(100.0 + wait, latest)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), min_size=1, max_size=40))
@settings(max_examples=examples(60))
def test_nobody_waits_beyond_the_latest_and_somebody_is_always_due(times: list[tuple[float, float]]) -> None:
    looks = [Look(due, due + slack) for due, slack in times]
    at = next_round(looks)
    assert at is not None
    assert min(each.due for each in looks) <= at <= min(each.latest for each in looks)


@pytest.mark.parametrize(
    ("behind", "pages"),
    [
        ([], 0),
        ([0], 0),
        ([0, 1], 1),
        ([150, 151], 0),
        ([150, 151, 152], 2),
        ([0, 1, 450], 1),
        (range(500), 5),
        ([*range(90, 110)], 2),
    ],
)
def test_a_round_is_never_dearer_than_one_read_a_job(behind: list[int], pages: int) -> None:
    assert pages_worth(behind) == pages


@given(st.lists(st.integers(0, 900), max_size=30))
@settings(max_examples=examples(60))
def test_no_other_number_of_pages_is_cheaper(behind: list[int]) -> None:
    def cost(pages: int) -> int:
        return pages + sum(place >= pages * PAGE_SIZE for place in behind)

    assert cost(pages_worth(behind)) == min(map(cost, range(11)))


@pytest.mark.parametrize(
    ("wanted", "planned", "in_vain", "worth"),
    [
        (2, 1, 0, True),
        (1, 1, 0, False),
        (0, 3, 0, False),
        (5, 0, 0, True),
        (7, 0, 1, False),
        (8, 0, 1, True),
        (71, -3, 8, True),
        (71, -3, 9, False),
        (9, 2, 9, True),
    ],
)
def test_pages_are_tried_where_they_cost_little_beside_the_jobs(
    wanted: int, planned: int, in_vain: int, worth: bool
) -> None:
    assert worth_a_page(wanted, planned, in_vain) is worth


def test_jitter_is_small_and_differs() -> None:
    found = {jitter("job_1", turn) for turn in range(50)}
    assert len(found) > 20
    assert all(0.9 <= each <= 1.1 for each in found)
    assert jitter("job_1", 1) != jitter("job_2", 1)


def test_the_next_job_takes_as_long_as_the_median_did() -> None:
    assert expected_seconds([]) is None
    assert expected_seconds([60.0, 2.0, 5.0]) == 5.0

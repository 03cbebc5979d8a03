"""Keeping to Sume's limits by what its answers tell, with time moved by hand."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sumesync.core.pacing import Quota, Told
from sumesync.sandbox.answers import Refusal
from sumesync.sandbox.limits import Meter
from tests.builders import examples


def test_nobody_waits_where_no_limit_was_told() -> None:
    quota = Quota()
    for _ in range(1000):
        assert quota.wait(5.0) == 0
        quota = quota.taken(5.0)


def test_what_was_sent_and_not_answered_counts() -> None:
    quota = Quota().taken(99.0).heard(Told(10, 2, 60), 100.0).taken(100.0).taken(100.0)
    assert quota.wait(101.0) == 59
    assert quota.heard(Told(10, 1, 59), 101.0).wait(101.0) == 59  # the other is on its way still


def test_what_was_sent_before_a_limit_was_told_counts() -> None:
    quota = Quota().taken(99.0).taken(99.0).taken(99.0).heard(Told(10, 3, 60), 100.0)
    assert not quota.wait(100.0)
    assert quota.taken(100.0).wait(100.0)


def test_the_next_window_is_as_large_and_as_long() -> None:
    quota = Quota().taken(99.0).heard(Told(2, 0, 60), 100.0)
    assert [quota.wait(at) for at in (100.0, 159.0, 160.0)] == [60, 1, 0]
    quota = quota.taken(161.0).taken(161.0)
    assert quota.wait(161.0) == 60


def test_an_answer_of_the_next_window_counts_by_itself() -> None:
    quota = Quota().taken(99.0).heard(Told(10, 1, 60), 100.0).taken(150.0)
    assert quota.wait(150.0) == 10
    assert quota.heard(Told(10, 9, 60), 160.0).left == 9, "what was left of the window before says nothing"


@pytest.mark.parametrize("quota", [Quota(), Quota().heard(Told(10, 5, 60), 100.0)])
def test_a_refusal_holds_all_back(quota: Quota) -> None:
    assert quota.refused(30, 100.0).wait(100.0) >= 30
    assert quota.refused(0, 100.0).wait(161.0) == 0


@given(
    limit=st.integers(4, 30),
    minute=st.floats(2, 60),
    latency=st.floats(0.001, 1.5),
    threads=st.integers(1, 40),
    jobs=st.integers(1, 120),
)
@settings(max_examples=examples(60), deadline=None)
def test_a_meter_is_never_overrun_and_never_left_idle(
    limit: int, minute: float, latency: float, threads: int, jobs: int
) -> None:
    """``threads`` of them send as the quota lets them, four before the first answer, to the sandbox's own meter."""
    now = [0.0]
    meter = Meter(limit, lambda: now[0], minute)
    quota, sent = Quota(), 0
    answers: list[str] = []
    arriving: list[tuple[float, int, str, dict[str, str]]] = []
    while len(answers) < jobs:
        known = quota.limit is not None
        while sent < jobs and len(arriving) < (threads if known else min(threads, 4)) and not quota.wait(now[0]):
            quota = quota.taken(now[0])
            sent += 1
            heapq.heappush(arriving, (now[0] + latency, sent, "arrives", {}))
        if not arriving:
            now[0] += quota.wait(now[0]) + 1e-9
            continue
        now[0], number, what, headers = heapq.heappop(arriving)
        if what == "arrives":
            try:
                headers, status = meter.take(), 202
            except Refusal as refusal:
                headers, status = dict(refusal.headers), 429
            heapq.heappush(arriving, (now[0] + latency, number, str(status), headers))
            continue
        answers.append(what)
        told = Told(*(int(headers[f"RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset")))
        quota = quota.heard(told, now[0])
        if what == "429":
            quota = quota.refused(float(headers["Retry-After"]), now[0])
    assert "429" not in answers
    rounds = -(-(jobs + 3) // limit)  # of the four that nobody told of three may be counted twice
    busy = 2 * latency * (2 + jobs / min(threads, limit))
    assert now[0] <= (rounds - 1) * (minute + 1 + 2 * latency) + busy + 1e-3 * rounds

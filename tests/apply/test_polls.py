"""How often jobs are asked for, and how soon they are found: a Sume as far away as the real one, by a clock that is
moved by hand."""

from __future__ import annotations

import heapq
import itertools
import statistics
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sumesync.answers import JobPage, JobView, Order
from sumesync.apply.flights import look
from sumesync.apply.run import Tools
from sumesync.core.action import Policy
from sumesync.core.schedule import LOCAL, Pace
from sumesync.model import Done

from .desk import Desk, FakeJob, FakeSume, HandClock, ended, want

_HANDLING = 0.002
"""Seconds that a request keeps one machine busy."""


@dataclass
class FarSume(FakeSume):
    """It answers after ``latency``, shows its jobs page by page, and has ``others`` older ones, and so many ``between``
    each two of ours, as where several runs share a workspace. ``slow``: how long the first job takes, where that is
    another time. ``uneven``: by which part of their time jobs take longer or less long."""

    latency: float = 0.0
    others: int = 0
    between: int = 0
    slow: float | None = None
    uneven: float = 0.0
    late: list[float] = field(default_factory=list)
    """How long after its end each job's result was asked for."""

    def create(self, order: Order) -> FakeJob:
        job = super().create(order)
        number = len(self.jobs)
        lasts = self.seconds * (1 + self.uneven * (number * 7 % 11 - 5) / 5)
        job.ends = self.clock.at + self.latency + (self.slow if self.slow is not None and number == 1 else lasts)
        return job

    def list_jobs(self, cursor: str | None = None, limit: int = 100, *, only: Collection[str] | None = None) -> JobPage:
        self.requests.append("list")
        start = int(cursor or 0)
        step = 1 + self.between
        ours = range(-(-start // step), min(-(-(start + limit) // step), len(self.jobs)))
        more = start + limit < len(self.jobs) * step + self.others
        return JobPage(
            tuple(self._view(self.jobs[-1 - number]) for number in ours), str(start + limit) if more else None
        )

    def job(self, job_id: str) -> JobView:
        self.requests.append("job")
        return self._view(self._numbered(job_id))

    def download(self, url: str, write: Callable[[bytes], None]) -> str:
        job_id = url.rpartition("/")[2].partition("?")[0]
        self.late.append(self.clock.at - self._numbered(job_id).ends)
        return super().download(url, write)

    def _numbered(self, job_id: str) -> FakeJob:
        return self.jobs[int(job_id.removeprefix("job_")) - 1]

    @property
    def asked(self) -> int:
        return self.submits + len(self.requests)


@dataclass
class FarWorkers:
    """What a task did is known when its answers have had their way."""

    clock: HandClock
    sume: FarSume
    _under_way: list[tuple[float, int, Done]] = field(default_factory=list)
    _number: itertools.count[int] = field(default_factory=itertools.count)
    _free: float = 0.0

    @property
    def busy(self) -> int:
        return len(self._under_way)

    def start(self, tag: object, task: Callable[[], object]) -> None:
        before = self.sume.asked
        done = ended(tag, task)
        asked = self.sume.asked - before
        self._free = max(self._free, self.clock.at) + max(asked, 1) * _HANDLING
        heapq.heappush(self._under_way, (self._free + asked * self.sume.latency, next(self._number), done))

    def next(self, timeout: float | None) -> Done | None:
        at = self._under_way[0][0] if self._under_way else float("inf")
        if timeout is None or at <= self.clock.at + timeout:
            assert self._under_way, "the loop would wait for ever"
            self.clock.at = max(self.clock.at, at)
            return heapq.heappop(self._under_way)[2]
        self.clock.sleep(timeout)
        return None


def asking(sume: FarSume) -> Tools:
    """What a look needs."""
    tools: Any = SimpleNamespace(api=sume)
    return cast("Tools", tools)


@pytest.mark.parametrize(
    ("newer", "wanted", "pages", "lists", "jobs"),
    [
        (0, 12, 0, 0, 12),  # no list where it was said not to
        (0, 12, 1, 1, 0),
        (300, 16, 3, 4, 0),  # further down than was planned
        (300, 12, 1, 2, 12),  # given up after two in vain: an eighth of what the jobs cost
        (300, 1, 4, 0, 1),
    ],
)
def test_pages_of_a_look(newer: int, wanted: int, pages: int, lists: int, jobs: int) -> None:
    sume = FarSume(HandClock(), seconds=1.0)
    for number in range(wanted + newer):
        sume.create(Order(f"key{number}", "/images/generations", b"{}"))
    ours = tuple(job.id for job in sume.jobs[:wanted])
    found = look(ours, pages, asking(sume))
    assert found.views.keys() == set(ours)
    assert (sume.requests.count("list"), sume.requests.count("job")) == (lists, jobs)


def ran(jobs: int, capacity: int, sume: FarSume, pace: Pace) -> None:
    """``jobs`` specs made anew, each of them well."""
    desk = Desk([want(f"p/{number:03}.sume.toml", f"picture {number}") for number in range(jobs)], clock=sume.clock)
    desk.sume, desk.pace, desk.workers = sume, pace, lambda clock: FarWorkers(clock, sume)
    outcome, _ = desk.apply(Policy(max_jobs=jobs), capacity=capacity)
    assert len(outcome.done) == jobs


@pytest.mark.parametrize(
    ("jobs", "capacity", "others", "seconds", "latency", "pace"),
    [
        (500, 500, 0, 5.0, 0.05, LOCAL),
        (500, 500, 5_000, 2.0, 0.02, LOCAL),
        (500, 500, 0, 20.0, 0.05, LOCAL),
        (500, 500, 5_000, 5.0, 0.1, Pace()),
        (500, 500, 0, 30.0, 0.1, Pace()),
        (500, 500, 5_000, 120.0, 0.1, Pace()),
        (500, 500, 0, 280.0, 0.1, Pace()),
        (100, 100, 0, 2.0, 0.02, LOCAL),
        (100, 20, 5_000, 2.0, 0.02, LOCAL),
        (100, 20, 5_000, 5.0, 0.1, Pace()),
        (100, 20, 0, 30.0, 0.1, Pace()),
    ],
)
def test_many_jobs_take_little_more_than_three_requests_each_and_are_found_soon(
    jobs: int, capacity: int, others: int, seconds: float, latency: float, pace: Pace
) -> None:
    sume = FarSume(HandClock(), seconds=seconds, latency=latency, others=others)
    ran(jobs, capacity, sume, pace)
    assert (sume.asked + 2) / jobs <= 3.2, "with the account and its credits"
    assert statistics.median(sume.late) <= max(0.15 * seconds, 4.0), "their own 1,500 answers take 3 s"


@pytest.mark.parametrize(
    ("jobs", "between", "seconds", "latency", "pace"), [(250, 3, 5.0, 0.05, LOCAL), (500, 1, 30.0, 0.1, Pace())]
)
def test_runs_that_share_a_workspace_find_theirs_on_the_list(
    jobs: int, between: int, seconds: float, latency: float, pace: Pace
) -> None:
    sume = FarSume(HandClock(), seconds=seconds, latency=latency, others=5_000, between=between)
    ran(jobs, 500, sume, pace)
    assert (sume.asked + 2) / jobs <= 3.4, "a fourth of the list is ours, or a half"
    assert statistics.median(sume.late) <= 4.0


@pytest.mark.parametrize(("jobs", "seconds"), [(100, 120.0), (100, 30.0), (60, 280.0)])
def test_where_few_run_at_once_results_do_not_come_later_and_later(jobs: int, seconds: float) -> None:
    """What comes late is not taken for what takes long: the next look would be later still."""
    sume = FarSume(HandClock(), seconds=seconds, latency=0.1, uneven=0.02)
    ran(jobs, 4, sume, Pace())
    assert statistics.mean(sume.late[-jobs // 4 :]) <= 0.08 * seconds


def test_a_first_job_that_takes_for_ever_keeps_nobody_waiting_for_long() -> None:
    sume = FarSume(HandClock(), seconds=25.0, latency=0.1, slow=250.0)
    ran(60, 60, sume, Pace())
    assert len(sume.late) == 60
    assert max(sume.late) < 20.0


def test_few_jobs_are_asked_for_now_and_then() -> None:
    sume = FarSume(HandClock(), seconds=120.0, latency=0.1)
    ran(3, 4, sume, Pace())
    assert sume.requests.count("list") + sume.requests.count("job") <= 25
    assert max(sume.late) <= 10.5

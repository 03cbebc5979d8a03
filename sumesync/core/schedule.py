"""When to look at jobs again, and how. Pure: times are passed in, in seconds.

As long as nobody knows how long jobs of a kind take, one of them is the scout: it is looked at often, and alone. What
it took says when the others are worth a look, and they are looked at together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

PAGE_SIZE: Final = 100
"""Of a page of GET /jobs."""
DEFAULT_CAPACITY: Final = 4
"""Jobs in flight at once when the account does not say how many it allows."""
_LOOKS: Final = 35.0
"""A scout's looks come the closer to each other the more jobs wait for what it tells: they share the cost."""
_EARLY: Final = 0.95
"""A first look a little before its time: else a kind that has become faster would never be found out."""
_SLACK: Final = 0.05
"""Of its age: how long a job that is due waits for others to share its round. No more than a first look comes early:
what is seen late counts as time that the job took, and each look would be later than the one before."""
_PATIENCE: Final = 0.3
"""Of the longest time between two looks: it waits no longer than this, either."""
_JOINS: Final = 0.6
"""After this part of its wait a scout joins the round of others."""
_IN_VAIN: Final = 8
"""For so many jobs that are to be found one page may be read in vain."""
_FEW: Final = 16
"""So many jobs that are due, or an eighth of all that fly, wait for no others."""


@dataclass(frozen=True, slots=True)
class Look:
    """When a job is to be looked at: from ``due`` on, where others are too, and by ``latest`` in any case."""

    due: float
    latest: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look. ``shortest`` and ``longest`` bound the time between two looks at one job."""

    shortest: float = 2.0
    longest: float = 10.0
    growth: float = 0.25

    def first(self, expected: float) -> float:
        """Until the first look at a job; ``expected``: how long such jobs took."""
        return max(self.shortest, expected * _EARLY)

    def scout(self, age: float, flying: int) -> float:
        """Until the next look at a scout that is ``age`` seconds old, where ``flying`` jobs wait for its word."""
        share = min(0.4, max(0.05, _LOOKS / max(flying, 1)))
        return min(self.longest, max(self.shortest, age * share))

    def for_scout(self, age: float) -> float:
        """Until the next look at those who wait for the word of a scout that is ``age`` seconds old: it may never
        come. The same moment for all of them, that they may share the pages of a list; each time twice as far off."""
        at = self.longest
        while at <= age:
            at *= 2
        return at - age

    def again(self, age: float, expected: float | None = None) -> float:
        """Until the next look at a job that is ``age`` seconds old: soon, where it is about as old as such jobs get,
        and more rarely the longer it takes beyond that."""
        wait = age * self.growth if expected is None else max(0.05 * age, 0.5 * (age - expected))
        return min(self.longest, max(self.shortest, wait))

    def look(self, now: float, wait: float, age: float = 0.0) -> Look:
        """In ``wait`` seconds, at a job that is ``age`` seconds old."""
        return Look(now + wait, now + wait + min((age + wait) * _SLACK, self.longest * _PATIENCE))


# Over loopback there are no limits to mind, and the sandbox's jobs take a second.
LOCAL: Final = Pace(shortest=0.1, longest=1.0)


def scout_look(now: float, wait: float, flying: int) -> Look:
    """In ``wait`` seconds; sooner, where a round of others comes by that it can join for nothing."""
    return Look(now + wait * (_JOINS if flying > 1 else 1.0), now + wait)


def next_round(looks: Collection[Look]) -> float | None:
    """When the next round is: as soon as enough jobs are due to share it, or one cannot wait. None: nothing flies."""
    if not looks:
        return None
    enough = min(len(looks), max(_FEW, len(looks) // 8))
    shared = sorted(each.due for each in looks)[enough - 1]
    return min(shared, min(each.latest for each in looks))


def jitter(job_id: str, turn: int) -> float:
    """From 0.9 to 1.1, another each turn and for each run: programs that began together do not stay together."""
    return 0.9 + hashlib.sha256(f"{turn}:{job_id}".encode()).digest()[0] / 255 * 0.2


def pages_worth(behind: Iterable[int]) -> int:
    """How many pages of the list, newest first, make a round cheapest; the rest is read one by one. ``behind``: of each
    job, how many of ours are newer."""
    pages = sorted(place // PAGE_SIZE for place in behind)
    best, cost = 0, len(pages)
    for count, page in enumerate(pages, start=1):
        if (asked := page + 1 + len(pages) - count) < cost:
            best, cost = page + 1, asked
    return best


def worth_a_page(wanted: int, planned: int, in_vain: int) -> bool:
    """Whether to read another page of the list for ``wanted`` jobs that were on none so far. ``planned``: how many are
    left of those that ``pages_worth`` told. Others' jobs may stand between ours, so more are tried, until ``in_vain``
    of them, one after the other, showed next to nothing: an eighth of what these jobs cost one by one."""
    return wanted > 1 and (planned > 0 or in_vain * _IN_VAIN <= wanted)


def expected_seconds(taken: Iterable[float]) -> float | None:
    """How long the next job of a kind is likely to take: the median of those that this run saw."""
    ordered = sorted(taken)
    return ordered[len(ordered) // 2] if ordered else None

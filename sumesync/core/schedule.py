"""When to look at jobs again, and how. Pure: times are passed in, in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

# A page of GET /jobs, and how many of them a round may cost before single reads are cheaper.
PAGE_SIZE: Final = 100
MAX_PAGES: Final = 3
DEFAULT_CAPACITY: Final = 4
"""Jobs in flight at once when the account does not say how many it allows."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look. ``shortest`` and ``longest`` bound the time between two looks at one job."""

    shortest: float = 2.0
    longest: float = 10.0
    growth: float = 0.25

    def first(self, expected: float | None) -> float:
        """Until the first look at a job; ``expected``: how long such jobs took, when that is known."""
        return self.shortest if expected is None else max(self.shortest, expected * 0.9)

    def again(self, age: float) -> float:
        """Until the next look at a job that is ``age`` seconds old."""
        return min(self.longest, max(self.shortest, age * self.growth))


# Over loopback there are no limits to mind, and the sandbox's jobs take a second.
LOCAL: Final = Pace(shortest=0.05, longest=1.0)


def due(times: Mapping[str, float], now: float, pace: Pace) -> tuple[str, ...]:
    """Jobs to look at in one round: those that are due, and those so soon due that they can share it."""
    if not any(at <= now for at in times.values()):
        return ()
    return tuple(sorted(job for job, at in times.items() if at <= now + pace.shortest / 2))


def pages_worth(jobs: int) -> int:
    """How many pages of the list are cheaper than ``jobs`` single reads; 0: read them one by one."""
    return min(MAX_PAGES, jobs - 1) if jobs >= 3 else 0


def expected_seconds(taken: Iterable[float]) -> float | None:
    """How long the next job of a kind is likely to take: the median of those that this run saw."""
    ordered = sorted(taken)
    return ordered[len(ordered) // 2] if ordered else None

"""What Sume's limits leave room for, as its answers tell it."""

from __future__ import annotations

import threading

from sumesync.api.answers import Answer, rate_limit
from sumesync.core.pacing import Quota
from sumesync.ports import Clock


class Gate:
    """One of Sume's limits, for all threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._quota, self._guard = clock, Quota(), threading.Lock()

    def admit(self) -> float:
        """Seconds to wait before asking here again; 0: go on."""
        now = self._clock.monotonic()
        with self._guard:
            if wait := self._quota.wait(now):
                return wait
            self._quota = self._quota.taken(now)
            return 0.0

    def heard(self, answer: Answer) -> None:
        if (told := rate_limit(answer.headers)) is not None:
            with self._guard:
                self._quota = self._quota.heard(told, self._clock.monotonic())

    def refused(self, wait: float) -> None:
        """A read was answered 429. After a purchase it is the loop that holds the others back."""
        with self._guard:
            self._quota = self._quota.refused(wait, self._clock.monotonic())

"""Requests a minute, counted in windows of a minute that begin with their first request."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from sumesync.sandbox.answers import Refusal


class Meter:
    """One limit. ``per_minute`` None counts nothing and tells nothing."""

    def __init__(self, per_minute: int | None, now: Callable[[], float], minute: float = 60.0) -> None:
        self._limit = per_minute
        self._minute = minute
        self._now = now
        self._began = -math.inf
        self._used = 0
        self._guard = threading.Lock()

    def take(self) -> dict[str, str]:
        """The answer's RateLimit headers; raises the 429."""
        if self._limit is None:
            return {}
        with self._guard:
            now = self._now()
            if not 0 <= now - self._began < self._minute:
                self._began, self._used = now, 0
            self._used += 1
            reset = str(max(1, math.ceil(self._began + self._minute - now)))
            headers = {
                "RateLimit-Limit": str(self._limit),
                "RateLimit-Remaining": str(max(0, self._limit - self._used)),
                "RateLimit-Reset": reset,
            }
        if self._used > self._limit:
            raise Refusal(429, "Too many requests.", headers={**headers, "Retry-After": reset})
        return headers

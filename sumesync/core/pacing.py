"""How many requests a limit leaves, as answers tell it in their ``RateLimit-*`` and ``Retry-After`` headers. Pure:
times are passed in, in monotonic seconds.

What was let go and not answered yet is counted here: Sume does not know of it, and several threads ask at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of a limit: requests in a window, how many of them are left, and seconds until the next."""

    limit: int
    left: int
    reset: float


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit. ``limit`` None: nobody told of one. ``left`` of it until ``until``; a window lasts ``span`` s."""

    limit: int | None = None
    left: int = 0
    until: float = float("-inf")
    span: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a request fits in; 0: now."""
        return max(0.0, self.until - now) if self.left < 1 else 0.0

    def taken(self, now: float) -> Quota:
        """One request is sent now. The first one after a window begins the next."""
        if self.limit is not None and now >= self.until:
            return replace(self, left=self.limit - 1, until=now + self.span)
        return replace(self, left=self.left - 1)

    def heard(self, told: Told, now: float) -> Quota:
        """An answer came. Of two counts of one window the lower is right: ours has what is still on its way. Before the
        first one was told ours is below 0, by what was sent."""
        left = told.left
        if self.limit is None:
            left = max(0, told.left + self.left + 1)
        elif now < self.until:
            left = min(self.left, told.left)
        until = max(self.until, now + told.reset)
        return Quota(max(1, told.limit), left, until, max(self.span, told.reset))

    def refused(self, wait: float, now: float) -> Quota:
        """An answer was 429: nothing more for ``wait`` seconds."""
        return replace(self, left=0, until=max(self.until, now + wait), span=max(self.span, wait))

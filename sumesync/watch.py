"""The loop of watch: hears, looks, tells, asks and acts, one at a time, as ``core.watching`` says.

It sees the world through the protocols below. A pass is short: it submits what may be submitted, looks once at what
runs, downloads what is done, and leaves; so the project's mutex is free in between, and what changes meanwhile is in
the next look.
"""

from __future__ import annotations

from typing import Protocol

from sumesync.core import watching
from sumesync.core.sight import Item, Sight
from sumesync.core.watching import Act, Around, Ask, Look, Rest, Result, Rules, Show, TellOver, Wait, Watch, Withdraw
from sumesync.ports import Clock

_LONGEST_WAIT = 2.0
"""What stands around the project tells of no change: it is seen so often, which costs nothing."""
_SLEPT_SECONDS = 30.0
"""A wait that took so much longer than it was to: the machine slept."""


class Hints(Protocol):
    """Files that may have changed."""

    def wait(self, timeout: float) -> frozenset[str]:
        """What was heard since the last time; waits at most ``timeout`` seconds for something, or for an answer."""


class Desk(Protocol):
    """Everything that a session looks at and does. Raises only what ends it."""

    @property
    def ended(self) -> bool:
        """Somebody asked to stop while a pass was under way."""

    def look(self) -> Sight: ...

    def around(self) -> Around:
        """Cheap: it is asked for at every turn. Raises LocalStateError where the project's folder is gone."""

    def act(self, items: frozenset[Item]) -> Result:
        """One pass with the project's mutex: these items, as far as they are still what they were."""

    def ask(self, ask: Ask) -> None:
        """Put a question; nothing waits for its answer."""

    def answer(self) -> bool | None:
        """What a person said to the question that stands; None: nothing yet. Raises KeyboardInterrupt where nobody will
        ever answer."""

    def withdraw(self) -> None:
        """The question is none any more."""


class Voice(Protocol):
    """What people and programs are told."""

    def show(self, items: frozenset[Item]) -> None: ...

    def rest(self, specs: int) -> None: ...

    def over(self, jobs: int, most: int) -> None: ...

    def fault(self, text: str) -> None: ...

    def held(self, why: str) -> None:
        """What git is in the middle of; "" when it is done."""

    def stands(self, state: Watch, settling: int) -> None:
        """Where the session is, for a view that is always there."""


class Watcher:
    """One session. ``run`` goes on until the desk says that it ended, or something raises."""

    def __init__(self, desk: Desk, hints: Hints, voice: Voice, clock: Clock, rules: Rules) -> None:
        self._desk, self._hints, self._voice, self._clock, self._rules = desk, hints, voice, clock, rules
        self.state = watching.begin(clock.monotonic())
        self._fault = self._held = ""

    def run(self) -> None:
        while not self._desk.ended:
            until = self.turn()
            if until is not None:
                self.wait(min(until, self._clock.monotonic() + _LONGEST_WAIT))

    def turn(self) -> float | None:
        """One step. The time until which there is nothing to do, or None where there may be."""
        now = self._clock.monotonic()
        self.state = watching.noticed(self.state, self._desk.around(), now)
        self._tell_held(watching.held_by_git(self.state))
        if self.state.asking is not None and (yes := self._desk.answer()) is not None:
            self.state = watching.answered(self.state, self._rules, yes)
        match watching.step(self.state, self._rules, now):
            case Wait(until):
                self._voice.stands(self.state, len(watching.settling(self.state, self._rules, now)))
                return until
            case Look():
                self._look()
            case Show(items):
                self._voice.show(items)
                self.state = watching.showed(self.state, items)
            case Rest():
                self._voice.rest(self.state.sight.specs)
                self.state = watching.rested(self.state)
            case TellOver(jobs):
                self._voice.over(jobs, self._rules.max_jobs)
                self.state = watching.told_over(self.state)
            case Ask() as ask:
                self._desk.ask(ask)
                self.state = watching.asked(self.state, ask)
            case Withdraw():
                self._desk.withdraw()
                self.state = watching.withdrawn(self.state)
            case Act(items):
                result = self._desk.act(items)
                self.state = watching.passed(self.state, self._rules, items, result, self._clock.monotonic())
        return None

    def wait(self, until: float) -> None:
        """Until then, or until something is heard."""
        now, wall = self._clock.monotonic(), self._clock.now()
        timeout = max(0.0, until - now)
        paths = self._hints.wait(timeout)
        after = self._clock.monotonic()
        if max(after - now, self._clock.now() - wall) > timeout + _SLEPT_SECONDS:
            self.state = watching.woke(self.state, after)
        if paths:
            self.state = watching.heard(self.state, self._rules, paths, after)

    def _look(self) -> None:
        sight = self._desk.look()
        self.state = watching.looked(self.state, self._rules, sight, self._clock.monotonic())
        if sight.fault and sight.fault != self._fault:
            self._voice.fault(sight.fault)
        self._fault = sight.fault

    def _tell_held(self, why: str) -> None:
        if why != self._held:
            self._voice.held(why)
        self._held = why
